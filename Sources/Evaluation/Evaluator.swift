// Evaluator - unweighted CE per domain and bucket, shared among the ranks.

internal import JobRuntime
internal import Kernels
package import LlamaModel
package import MessagePassing
internal import Tensors
package import TokenData
package import Tokenizers

/// Evaluates a model on domains cut as in training (design section 6).
package final class Evaluator {
    /// Batches of each rank between two exchanges: enough that a message is no matter, few enough that the sums of all
    /// sequences of a large text are never held at once.
    private static let batchesPerWindow = 32

    private let communicator: Communicator
    private let transformer: Transformer
    private let domains: [TokenDomain]
    private let limit: Int
    private let ignoredTargets: Set<Int32>
    private let tokenizer: (any Tokenizer)?
    private let frequencies: FrequencyBuckets?

    /// - Parameters:
    ///   - domains: what is evaluated; their sequence length is the transformer's.
    ///   - limit: sequences per domain, from its start; 0: all.
    ///   - tokenizer: tells the bytes of the targets' text; nil where nobody knows them.
    ///   - frequencies: how frequent the ids are in training; nil where that is not known.
    package init(
        communicator: Communicator, transformer: Transformer, domains: [TokenDomain], limit: Int,
        ignoredTargets: [Int32], tokenizer: (any Tokenizer)?, frequencies: FrequencyBuckets?
    ) {
        self.communicator = communicator
        self.transformer = transformer
        self.domains = domains
        self.limit = limit
        self.ignoredTargets = Set(ignoredTargets)
        self.tokenizer = tokenizer
        self.frequencies = frequencies
    }

    package var isEmpty: Bool { domains.isEmpty }

    /// Evaluates every domain; collective.
    ///
    /// Sequences are computed in the same batches whichever rank does it, and their sums are added in the sequences' order:
    /// for one transformer's batch size the number of ranks does not show in the result.
    ///
    /// - Parameters:
    ///   - perToken: where wanted, receives the non-ignored targets of each domain in order, on rank 0, in one call or
    ///     several; the closure exists on every rank or on none.
    ///   - mustGiveUp: this rank's wish to stop, which all ranks learn before every batch but the first; nil on all ranks for
    ///     an evaluation that nothing stops.
    ///   - progress: called on every rank with the share that is done.
    /// - Returns: nil when it was given up.
    package func run(
        mustGiveUp: (() -> Bool)?, perToken: (([TokenResult]) throws -> Void)? = nil,
        progress: (Double) -> Void = { _ in }
    ) throws -> EvaluationResult? {
        let counts = domains.map { domain in
            limit > 0 ? min(limit, domain.source.sequenceCount) : domain.source.sequenceCount
        }
        let total = max(counts.reduce(0, +), 1)
        var done = 0
        var isFirst = true
        var results: [EvaluationResult.Domain] = []
        for (domain, count) in zip(domains, counts) {
            var result = EvaluationResult.Domain(
                name: domain.name, sums: EvaluationSums(), hasBytes: bytesTokenizer(of: domain) != nil)
            for window in windows(of: count) {
                let shares = self.shares(of: window)
                let own = batches(shares[communicator.rank])
                var sums: [EvaluationSums] = []
                var tokens: [Double] = []
                var failure: (any Error)?
                // All ranks look equally often.
                for turn in 0..<(shares.map { batches($0).count }.max() ?? 0) {
                    if let mustGiveUp, !isFirst, try communicator.isTrueOnAny(mustGiveUp()) { return nil }
                    isFirst = false
                    guard failure == nil, turn < own.count else { continue }
                    do {
                        sums += try evaluate(domain, own[turn], perToken: perToken == nil ? nil : { tokens += $0 })
                    } catch {
                        failure = error
                    }
                    progress(Double(done + min(sums.count * communicator.size, window.count)) / Double(total))
                }
                // A file that one rank cannot read is an error of all ranks: none is left waiting.
                try communicator.agreed { if let failure { throw failure } }
                let before = result.targets
                try add(sums, shares, to: &result.sums)
                if let perToken { try hand(tokens, countingFrom: before, to: perToken) }
                done += window.count
            }
            results.append(result)
        }
        return EvaluationResult(domains: results, hasFrequencies: frequencies != nil)
    }

    /// The same to its end.
    package func run(
        perToken: (([TokenResult]) throws -> Void)? = nil, progress: (Double) -> Void = { _ in }
    ) throws -> EvaluationResult {
        guard let result = try run(mustGiveUp: nil, perToken: perToken, progress: progress) else {
            preconditionFailure("an evaluation was given up that nobody stopped")
        }
        return result
    }

    /// Adds all ranks' sums in the order of the sequences.
    private func add(_ own: [EvaluationSums], _ shares: [Range<Int>], to result: inout EvaluationSums) throws {
        let size = EvaluationSums.valueCount
        let all = try communicator.allGather(own.flatMap(\.values), counts: shares.map { size * $0.count })
        for start in stride(from: 0, to: all.count, by: size) {
            result += EvaluationSums(values: all[start..<(start + size)])
        }
    }

    /// Gathers all ranks' targets and hands them over on rank 0.
    private func hand(
        _ own: [Double], countingFrom before: Int, to perToken: ([TokenResult]) throws -> Void
    ) throws {
        let lengths = try communicator.allGather([Double(own.count)], counts: communicator.ones).map { Int($0) }
        let all = try communicator.allGather(own, counts: lengths)
        try communicator.agreed {
            guard communicator.rank == 0 else { return }
            try perToken(
                stride(from: 0, to: all.count, by: 3).enumerated().map { position, index in
                    TokenResult(
                        position: before + position, token: Int32(all[index]), crossEntropy: all[index + 1],
                        entropy: all[index + 2])
                })
        }
    }

    /// A domain's sequences in parts that begin with whole batches.
    private func windows(of count: Int) -> [Range<Int>] {
        let size = Self.batchesPerWindow * transformer.maximumSequences * communicator.size
        return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }

    /// Whole batches for each rank: the bits of a matmul depend on its number of rows, so a sequence is computed
    /// beside the same others by whichever rank.
    private func shares(of window: Range<Int>) -> [Range<Int>] {
        let size = transformer.maximumSequences
        let batches = (window.count + size - 1) / size
        return (0..<communicator.size).map { rank in
            let first = window.lowerBound + batches * rank / communicator.size * size
            let end = window.lowerBound + batches * (rank + 1) / communicator.size * size
            return first..<max(first, min(end, window.upperBound))
        }
    }

    private func batches(_ range: Range<Int>) -> [Range<Int>] {
        stride(from: range.lowerBound, to: range.upperBound, by: transformer.maximumSequences).map {
            $0..<min($0 + transformer.maximumSequences, range.upperBound)
        }
    }

    /// Evaluates one batch.
    ///
    /// - Parameter perToken: receives `[token, CE, H]` of every target that is not ignored.
    /// - Returns: the sums of each sequence.
    private func evaluate(
        _ domain: TokenDomain, _ sequences: Range<Int>, perToken: (([Double]) -> Void)?
    ) throws -> [EvaluationSums] {
        let texts = try sequences.map { try domain.source.sequence($0) }
        let targets = texts.flatMap { $0.dropFirst().map { ignoredTargets.contains($0) ? -1 : $0 } }
        let losses = transformer.evaluate(
            inputs: texts.flatMap { $0.dropLast() }, targets: targets, weighting: .uniform)
        let (crossEntropy, entropy) = (losses.crossEntropy.array, losses.entropy.array)
        let (confidence, isCorrect) = (losses.confidence.array, losses.isCorrect.array)
        let T = transformer.sequenceLength
        return texts.enumerated().map { index, text in
            var sums = EvaluationSums()
            for n in (index * T)..<(index * T + T) where targets[n] >= 0 {
                sums.add(
                    crossEntropy: Double(crossEntropy[n]), entropy: Double(entropy[n]),
                    confidence: Double(confidence[n]), isCorrect: isCorrect[n] > 0,
                    frequency: frequencies.map { Int($0.bucketOfID[Int(targets[n])]) })
                perToken?([Double(targets[n]), Double(crossEntropy[n]), Double(entropy[n])])
            }
            if let tokenizer = bytesTokenizer(of: domain) {
                // End tokens stay, ignored or not: they say where a document ends, and are no bytes.
                let counted = text.dropFirst().filter { $0 == tokenizer.endToken || !ignoredTargets.contains($0) }
                sums.add(bytes: tokenizer.byteCount(of: counted, after: text[0]))
            }
            return sums
        }
    }

    /// The tokenizer that knows the bytes of a domain's ids; nil where another one may have given the ids.
    private func bytesTokenizer(of domain: TokenDomain) -> (any Tokenizer)? {
        domain.origin == .own ? tokenizer : nil
    }
}

extension Communicator {
    /// One element per rank, for gathers.
    fileprivate var ones: [Int] { [Int](repeating: 1, count: size) }
}
