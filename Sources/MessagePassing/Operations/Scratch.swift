// Scratch - float buffers that operations borrow and return.

internal import Tensors

/// Float buffers that are used again from step to step: as many as operations are in flight at one time.
final class Scratch {
    private var free: [Arena] = []

    /// A buffer of at least `count` floats with arbitrary values.
    func take(count: Int) -> Arena {
        if let index = free.indices.filter({ free[$0].count >= count }).min(by: { free[$0].count < free[$1].count }) {
            return free.remove(at: index)
        }
        return Arena(count: count)
    }

    func giveBack(_ arena: Arena) { free.append(arena) }
}
