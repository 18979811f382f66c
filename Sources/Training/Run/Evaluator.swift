// Evaluator - unweighted CE per domain, shared among the ranks.

internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Tensors
internal import TokenData

/// Evaluates a model on domains cut as in training (design section 6).
final class Evaluator {
    private let communicator: Communicator
    private let transformer: Transformer
    private let domains: [TokenDomain]
    private let limit: Int
    private let ignoredTargets: Set<Int32>

    /// - Parameters:
    ///   - domains: what is evaluated; their sequence length is the transformer's.
    ///   - limit: sequences per domain, from its start; 0: all.
    init(
        communicator: Communicator, transformer: Transformer, domains: [TokenDomain], limit: Int,
        ignoredTargets: [Int32]
    ) {
        self.communicator = communicator
        self.transformer = transformer
        self.domains = domains
        self.limit = limit
        self.ignoredTargets = Set(ignoredTargets)
    }

    var isEmpty: Bool { domains.isEmpty }

    /// Evaluates every domain; collective.
    ///
    /// Sequences are computed in the same batches whichever rank does it, and their sums are added in the sequences' order:
    /// for one transformer's batch size the number of ranks does not show in the result.
    ///
    /// - Parameters:
    ///   - perToken: where wanted, receives the non-ignored targets of each domain in order, on rank 0; the closure exists
    ///     on every rank or on none.
    ///   - mustGiveUp: this rank's wish to stop, which all ranks learn before every batch but the first; nil on all ranks for
    ///     an evaluation that nothing stops.
    ///   - progress: called on every rank with the share that is done.
    /// - Returns: nil when it was given up.
    func run(
        mustGiveUp: (() -> Bool)?, perToken: (([TokenResult]) throws -> Void)? = nil,
        progress: (Double) -> Void = { _ in }
    ) throws -> EvaluationResult? {
        let counts = domains.map { domain in
            limit > 0 ? min(limit, domain.source.sequenceCount) : domain.source.sequenceCount
        }
        let total = max(counts.reduce(0, +), 1)
        var done = 0
        var results: [EvaluationResult.Domain] = []
        for (domain, count) in zip(domains, counts) {
            let shares = self.shares(of: count)
            var sums: [Double] = []
            var tokens: [Double] = []
            let own = batches(shares[communicator.rank])
            // All ranks look equally often.
            for turn in 0..<(shares.map { batches($0).count }.max() ?? 0) {
                if let mustGiveUp, turn > 0 || !results.isEmpty, try communicator.isTrueOnAny(mustGiveUp()) {
                    return nil
                }
                guard turn < own.count else { continue }
                let sequences = own[turn]
                let batch = evaluate(domain, sequences)
                sums += batch.flatMap(\.sums)
                if perToken != nil { tokens += batch.flatMap(\.tokens) }
                progress(Double(done + sums.count / 2 * communicator.size) / Double(total))
            }
            results.append(try collect(domain.name, sums, shares))
            if let perToken { try hand(tokens, to: perToken) }
            done += count
        }
        return EvaluationResult(domains: results)
    }

    /// The same to its end.
    func run(perToken: (([TokenResult]) throws -> Void)? = nil) throws -> EvaluationResult {
        guard let result = try run(mustGiveUp: nil, perToken: perToken) else {
            preconditionFailure("an evaluation was given up that nobody stopped")
        }
        return result
    }

    /// Adds all ranks' sums in the order of the sequences.
    private func collect(_ name: String, _ own: [Double], _ shares: [Range<Int>]) throws -> EvaluationResult.Domain {
        let all = try communicator.allGather(own, counts: shares.map { 2 * $0.count })
        var result = EvaluationResult.Domain(name: name, targets: 0, crossEntropySum: 0)
        for index in stride(from: 0, to: all.count, by: 2) {
            result.crossEntropySum += all[index]
            result.targets += Int(all[index + 1])
        }
        return result
    }

    /// Gathers all ranks' targets and hands them over on rank 0.
    private func hand(_ own: [Double], to perToken: ([TokenResult]) throws -> Void) throws {
        let lengths = try communicator.allGather([Double(own.count)], counts: communicator.ones).map { Int($0) }
        let all = try communicator.allGather(own, counts: lengths)
        try communicator.agreed {
            guard communicator.rank == 0 else { return }
            try perToken(
                stride(from: 0, to: all.count, by: 3).enumerated().map { position, index in
                    TokenResult(
                        position: position, token: Int32(all[index]), crossEntropy: all[index + 1],
                        entropy: all[index + 2])
                })
        }
    }

    /// Whole batches for each rank: the bits of a product depend on its number of rows, so a sequence is computed
    /// beside the same others by whichever rank.
    private func shares(of count: Int) -> [Range<Int>] {
        let size = transformer.maximumSequences
        let batches = (count + size - 1) / size
        return (0..<communicator.size).map { rank in
            let first = batches * rank / communicator.size
            let end = batches * (rank + 1) / communicator.size
            return (first * size)..<max(first * size, min(end * size, count))
        }
    }

    private func batches(_ range: Range<Int>) -> [Range<Int>] {
        stride(from: range.lowerBound, to: range.upperBound, by: transformer.maximumSequences).map {
            $0..<min($0 + transformer.maximumSequences, range.upperBound)
        }
    }

    /// What one sequence contributes: `[sum of CE, number of targets]`, and `[token, CE, H]` per target.
    private typealias Contribution = (sums: [Double], tokens: [Double])

    private func evaluate(_ domain: TokenDomain, _ sequences: Range<Int>) -> [Contribution] {
        var inputs: [Int32] = []
        var targets: [Int32] = []
        for sequence in sequences {
            let tokens = domain.source.sequence(sequence)
            inputs += tokens.dropLast()
            targets += tokens.dropFirst().map { ignoredTargets.contains($0) ? -1 : $0 }
        }
        let losses = transformer.evaluate(
            inputs: inputs, targets: targets, loss: LossConfiguration(kind: .crossEntropy))
        let (crossEntropy, entropy) = (losses.crossEntropy.array, losses.entropy.array)
        let T = transformer.sequenceLength
        return sequences.indices.map { sequence in
            let first = (sequence - sequences.lowerBound) * T
            var sum = 0.0
            var tokens: [Double] = []
            for n in first..<(first + T) where targets[n] >= 0 {
                sum += Double(crossEntropy[n])
                tokens += [Double(targets[n]), Double(crossEntropy[n]), Double(entropy[n])]
            }
            return ([sum, Double(tokens.count / 3)], tokens)
        }
    }
}

extension Communicator {
    /// One element per rank, for gathers.
    fileprivate var ones: [Int] { [Int](repeating: 1, count: size) }
}
