// TokenCounting - counts every token id in the training data, shared among ranks and threads.

internal import JobRuntime
package import Kernels
package import MessagePassing
internal import Synchronization
package import TokenData

/// Counts tokens by id; collective.
package struct TokenCounting {
    package let communicator: Communicator
    package let pool: ThreadPool

    package init(communicator: Communicator, pool: ThreadPool) {
        self.communicator = communicator
        self.pool = pool
    }

    /// Pieces that a thread counts at a time: enough to outweigh the addition of its counts.
    private static let grain = 16

    /// Occurrences of each id in all domains, [V]. Integer sums, equal on every rank and in any order.
    ///
    /// - Parameters:
    /// - vocabularySize: V, an exclusive limit of every id.
    /// - mustGiveUp: whether this rank wants to stop; called repeatedly.
    /// - progress: called on every rank with the finished share, 0 to 1.
    /// - Returns: the counts; nil on all ranks if one of them gave up.
    /// - Throws: ``ProgramFailure``, equal on all ranks, if a file failed or changed meanwhile.
    package func counts(
        _ domains: [TokenDomain], vocabularySize: Int, mustGiveUp: () -> Bool, progress: (Double) -> Void = { _ in }
    ) throws -> [Int]? {
        let sources = domains.map(\.source)
        let pieces = sources.map(\.pieceCount)
        let total = pieces.reduce(0, +)
        let own =
            (total * communicator.rank / communicator.size)..<(total * (communicator.rank + 1) / communicator.size)
        let counts = Mutex([Int](repeating: 0, count: vocabularySize))
        let failure = Mutex<(any Error)?>(nil)
        let window = Self.grain * pool.threadCount * 4
        var isGivenUp = false
        for start in stride(from: own.lowerBound, to: own.upperBound, by: window) {
            isGivenUp = mustGiveUp()
            if isGivenUp { break }
            let end = min(start + window, own.upperBound)
            pool.runRanges(count: end - start, grain: Self.grain) { range, _ in
                var partial = [Int](repeating: 0, count: vocabularySize)
                do {
                    for number in range { Self.add(try Self.piece(start + number, of: sources, pieces), to: &partial) }
                } catch {
                    return failure.withLock { $0 = error }
                }
                counts.withLock { all in for id in partial.indices { all[id] += partial[id] } }
            }
            if failure.withLock({ $0 != nil }) { break }
            progress(Double(end - own.lowerBound) / Double(own.count))
        }
        try communicator.agreed { if let error = failure.withLock({ $0 }) { throw error } }
        if try communicator.isTrueOnAny(isGivenUp) { return nil }
        return try communicator.sum(counts.withLock { $0 })
    }

    /// Occurrences of each id in all domains, [V], counted to the end.
    package func counts(
        _ domains: [TokenDomain], vocabularySize: Int, progress: (Double) -> Void = { _ in }
    ) throws -> [Int] {
        guard
            let counts = try counts(
                domains, vocabularySize: vocabularySize, mustGiveUp: { false }, progress: progress)
        else { preconditionFailure("counting was given up that nobody stopped") }
        return counts
    }

    private static func piece(_ number: Int, of sources: [any SequenceSource], _ pieces: [Int]) throws -> [Int32] {
        var number = number
        for (source, count) in zip(sources, pieces) {
            if number < count { return try source.piece(number) }
            number -= count
        }
        preconditionFailure("piece \(number) beyond the last one")
    }

    private static func add(_ tokens: [Int32], to counts: inout [Int]) {
        for token in tokens { counts[Int(token)] += 1 }
    }
}
