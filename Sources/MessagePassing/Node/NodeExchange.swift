// NodeExchange - moves passes through the window, in the order in which they were started, without ever waiting.

/// The queue of one rank's passes. All ranks of a node queue the same passes in the same order, so the rounds of all
/// passes have consecutive numbers. A rank is at most ``NodeWindow/slotCount`` rounds ahead of another.
///
/// There is no barrier. A rank writes a round as soon as all others have read the earlier round of that slot. It reads
/// a round as soon as all others have written it. The rank that is furthest behind can always go on, so none waits for
/// ever.
final class NodeExchange {
    /// Moves of one call of ``progress(at:)``, so that a wait looks at its clock in between.
    private static let movesPerCall = 2 * NodeWindow.slotCount

    private let window: NodeWindow
    private var queue: [(operation: NodeOperation, pass: NodePass)] = []
    /// Rounds of all finished passes: the number of the first round of the first pass in the queue.
    private var firstRound: UInt64 = 0
    /// Rounds that all others are known to have written (`stagedByAll`) and read (`consumedByAll`), and the rank that
    /// was last seen to lag behind.
    private var stagedByAll: UInt64 = 0
    private var consumedByAll: UInt64 = 0
    private var lateStager = 0
    private var lateConsumer = 0
    /// Counts up whenever something moves.
    private(set) var moves = 0

    init(_ window: NodeWindow) {
        self.window = window
    }

    /// Whether nothing is left to do for this rank.
    var isEmpty: Bool { queue.isEmpty }

    /// Puts the passes of `operation` behind those of all earlier ones.
    func append(_ operation: NodeOperation) {
        for pass in operation.passes { queue.append((operation, pass)) }
    }

    /// Writes and reads all rounds that it can now, without waiting.
    func progress(at site: CallSite) throws(MPIError) {
        var movesLeft = Self.movesPerCall
        while movesLeft > 0, let (operation, pass) = queue.first {
            guard try operation.canRun(pass, at: site) else { return }
            var hasMoved = false
            if pass.staged < pass.rounds {
                let round = firstRound + UInt64(pass.staged)
                if isFree(round) {
                    pass.stage(slotRound: round)
                    window.publishStaged(round + 1)
                    pass.staged += 1
                    hasMoved = true
                }
            }
            if pass.consumed < pass.staged {
                let round = firstRound + UInt64(pass.consumed)
                if isStaged(round) {
                    pass.consume(slotRound: round)
                    window.publishConsumed(round + 1)
                    pass.consumed += 1
                    hasMoved = true
                }
            }
            if pass.consumed == pass.rounds {
                firstRound += UInt64(pass.rounds)
                queue.removeFirst()
                try operation.passIsDone(at: site)
                hasMoved = true
            }
            guard hasMoved else { return }
            moves += 1
            movesLeft -= 1
        }
    }

    /// Whether all others have read what lay in the slot of `round` before.
    private func isFree(_ round: UInt64) -> Bool {
        let slots = UInt64(NodeWindow.slotCount)
        guard round >= slots else { return true }
        return Self.all(
            window, have: round - slots + 1, known: &consumedByAll, late: &lateConsumer, window.consumed(by:))
    }

    /// Whether all others have written `round`.
    private func isStaged(_ round: UInt64) -> Bool {
        Self.all(window, have: round + 1, known: &stagedByAll, late: &lateStager, window.staged(by:))
    }

    /// Whether the counters of all others are at least `rounds`. A poll that finds the same rank still late looks at no
    /// other, because there may be a hundred.
    private static func all(
        _ window: NodeWindow, have rounds: UInt64, known: inout UInt64, late: inout Int, _ counter: (Int) -> UInt64
    ) -> Bool {
        if known >= rounds { return true }
        if late != window.rank && counter(late) < rounds { return false }
        var least = UInt64.max
        for rank in 0..<window.rankCount where rank != window.rank {
            let value = counter(rank)
            if value < rounds {
                late = rank
                return false
            }
            least = min(least, value)
        }
        known = least
        return true
    }
}
