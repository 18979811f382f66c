// ArenaTests - arenas and the slices that are cut from them.

import Tensors
import Testing

struct ArenaTests {
    /// 1 Mi floats are 4 MiB: the first size that is aligned to huge pages.
    @Test(arguments: [(0, 64), (1, 64), (1000, 64), (1 << 20, 2 << 20)])
    func isZeroFilledAndAligned(count: Int, alignment: Int) {
        let arena = Arena(count: count)
        #expect(arena.count == count && arena.all.count == count)
        #expect(arena.all.array.allSatisfy { $0 == 0 })
        #expect(unsafe Int(bitPattern: arena.view.pointer) % alignment == 0)
    }

    @Test func lastSliceKeepsTheMemory() {
        weak var arena: Arena?
        var slice: FloatSlice?
        do {
            let owner = Arena(count: 4)
            owner.all.copy(from: [1, 2, 3, 4])
            arena = owner
            slice = owner.all[1..<3]
        }
        #expect(arena != nil && slice?.array == [2, 3])
        slice = nil
        #expect(arena == nil)
    }

    @Test func slicesOfSlicesShareMemory() {
        let arena = Arena(count: 10)
        let outer = arena.all[2..<9]
        let inner = outer[3..<5]
        #expect(inner.offset == 5 && inner.count == 2)
        inner[1] = 7
        #expect(arena.all[6] == 7 && outer[4] == 7)
        inner.fill(3)
        #expect(arena.all.array == [0, 0, 0, 0, 0, 3, 3, 0, 0, 0])
        #expect(outer[7..<7].count == 0)
    }

    @Test func copies() {
        let source = FloatSlice([1, 2, 3])
        let target = Arena(count: 5).all
        target[1..<4].copy(from: source)
        #expect(target.array == [0, 1, 2, 3, 0])
        // A slice that overlaps its source is moved, as if through a temporary.
        target[2..<5].copy(from: target[1..<4])
        #expect(target.array == [0, 1, 1, 2, 3])
        target[0..<3].copy(from: target[2..<5])
        #expect(target.array == [1, 2, 3, 2, 3])
    }

    @Test func sizesThatDoNotFitTrap() async {
        await #expect(processExitsWith: .failure) { _ = FloatSlice(arena: Arena(count: 4), offset: 2, count: 3) }
        await #expect(processExitsWith: .failure) { _ = Arena(count: 4).all[3..<5] }
        await #expect(processExitsWith: .failure) { _ = Arena(count: 4).all[0..<2][2] }
        await #expect(processExitsWith: .failure) { Arena(count: 4).all.copy(from: [1, 2, 3]) }
    }
}
