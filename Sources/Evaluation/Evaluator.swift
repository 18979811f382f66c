// Evaluator - unweighted cross-entropy per domain and bucket, shared among the ranks.

internal import JobRuntime
internal import Kernels
package import LlamaModel
package import MessagePassing
internal import Tensors
package import TokenData
package import Tokenizers

/// Evaluates a model on domains, cut into sequences as in training (design section 6).
package final class Evaluator {
    /// Batches of each rank between two exchanges: many enough that messages cost nothing, few enough that the sums of
    /// a large text's sequences fit into memory.
    private static let batchesPerWindow = 32

    private let communicator: Communicator
    private let transformer: Transformer
    private let domains: [TokenDomain]
    private let limit: Int
    private let ignoredTargets: Set<Int32>
    private let ignoresDocumentStarts: Bool
    private let tokenizer: (any Tokenizer)?
    private let frequencies: FrequencyBuckets?
    /// The sequences that are computed, filled anew for each batch.
    private var batch: TokenBatch

    /// - Parameters:
    ///   - domains: the domains to evaluate; their sequence length is the transformer's.
    ///   - limit: maximum number of sequences per domain, from its start; 0 means all.
    ///   - masksDocuments: whether attention and positions stay inside a document, as `data.document_mask` says.
    ///   - ignoresDocumentStarts: whether the first token of a document carries no loss, as `data.mask_document_starts`
    ///     says.
    ///   - tokenizer: counts the bytes of the targets' text; nil if they are unknown.
    ///   - frequencies: buckets of ids by their frequency in training; nil if it is unknown.
    package init(
        communicator: Communicator, transformer: Transformer, domains: [TokenDomain], limit: Int,
        ignoredTargets: [Int32], masksDocuments: Bool = false, ignoresDocumentStarts: Bool = false,
        tokenizer: (any Tokenizer)?, frequencies: FrequencyBuckets?
    ) {
        self.communicator = communicator
        self.transformer = transformer
        self.domains = domains
        self.limit = limit
        self.ignoredTargets = Set(ignoredTargets)
        self.ignoresDocumentStarts = ignoresDocumentStarts
        self.tokenizer = tokenizer
        self.frequencies = frequencies
        batch = TokenBatch(
            capacity: transformer.maximumSequences, sequenceLength: transformer.sequenceLength,
            masksDocuments: masksDocuments)
    }

    package var isEmpty: Bool { domains.isEmpty }

    /// Evaluates every domain; collective.
    ///
    /// Batches are equal whichever rank computes them, and sums are added in the sequences' order. So the number of
    /// ranks does not change the result for a given batch size.
    ///
    /// - Parameters:
    /// - perToken: receives the non-ignored targets of each domain in order, on rank 0, in one call or several. It is
    ///   given on every rank or on none.
    /// - mustGiveUp: whether this rank wants to stop. All ranks ask before every batch but the first. Nil on all ranks
    ///   for an evaluation that nothing stops.
    /// - progress: called on every rank with the finished share, 0 to 1.
    /// - Returns: the result; nil if a rank gave up.
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
                // All ranks ask equally often, since the question is collective.
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
                // An unreadable file of one rank is an error of all ranks, so that none waits.
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

    /// Evaluates every domain to its end; collective.
    package func run(
        perToken: (([TokenResult]) throws -> Void)? = nil, progress: (Double) -> Void = { _ in }
    ) throws -> EvaluationResult {
        guard let result = try run(mustGiveUp: nil, perToken: perToken, progress: progress) else {
            preconditionFailure("an evaluation was given up that nobody stopped")
        }
        return result
    }

    /// Adds the sums of all ranks in the order of the sequences.
    private func add(_ own: [EvaluationSums], _ shares: [Range<Int>], to result: inout EvaluationSums) throws {
        let size = EvaluationSums.valueCount
        let all = try communicator.allGather(own.flatMap(\.values), counts: shares.map { size * $0.count })
        for start in stride(from: 0, to: all.count, by: size) {
            result += EvaluationSums(values: all[start..<(start + size)])
        }
    }

    /// Gathers the targets of all ranks and passes them to `perToken` on rank 0.
    private func hand(
        _ own: [Double], countingFrom before: Int, to perToken: ([TokenResult]) throws -> Void
    ) throws {
        let lengths = try communicator.allGather([Double(own.count)], counts: communicator.ones).map { Int($0) }
        let all = try communicator.allGather(own, counts: lengths)
        try communicator.agreed {
            guard communicator.rank == 0 else { return }
            try perToken(
                stride(from: 0, to: all.count, by: 3).enumerated().map { targetIndex, index in
                    TokenResult(
                        targetIndex: before + targetIndex, token: Int32(all[index]), crossEntropy: all[index + 1],
                        entropy: all[index + 2])
                })
        }
    }

    /// A domain's sequences in windows, each of whole batches.
    private func windows(of count: Int) -> [Range<Int>] {
        let size = Self.batchesPerWindow * transformer.maximumSequences * communicator.size
        return stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }

    /// The share of each rank, of whole batches. Why: a matmul's bits depend on its number of rows, so a batch must be
    /// equal on any rank.
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
        batch.removeAll()
        for sequence in sequences { try domain.source.append(sequence: sequence, to: &batch) }
        // Before ids disappear behind the mask.
        let byteCounts = bytesTokenizer(of: domain).map { textBytes($0) }
        batch.ignoreTargets(ignoredTargets)
        if ignoresDocumentStarts { batch.ignoreDocumentStarts() }
        let targets = batch.targets
        let losses = transformer.evaluate(batch, weighting: .uniform)
        let (crossEntropy, entropy) = (losses.crossEntropy.array, losses.entropy.array)
        let (confidence, isCorrect) = (losses.confidence.array, losses.isCorrect.array)
        return (0..<batch.sequenceCount).map { index in
            var sums = EvaluationSums()
            for n in batch.range(ofSequence: index) where targets[n] >= 0 {
                sums.add(
                    crossEntropy: Double(crossEntropy[n]), entropy: Double(entropy[n]),
                    confidence: Double(confidence[n]), isCorrect: isCorrect[n] > 0,
                    frequency: frequencies.map { Int($0.bucketOfID[Int(targets[n])]) })
                perToken?([Double(targets[n]), Double(crossEntropy[n]), Double(entropy[n])])
            }
            if let byteCounts { sums.add(bytes: byteCounts[index]) }
            return sums
        }
    }

    /// Bytes of text of each sequence's targets that will count; the batch has no mask yet.
    private func textBytes(_ tokenizer: any Tokenizer) -> [Int] {
        (0..<batch.sequenceCount).map { index in
            let range = batch.range(ofSequence: index)
            // The targets that count, in parts: one begins behind each target that is ignored for its place.
            var (bytes, previous, counted) = (0, batch.inputs[range.lowerBound], [Int32]())
            for n in range {
                let target = batch.targets[n]
                if ignoresDocumentStarts && batch.startsDocument[n] {
                    bytes += tokenizer.byteCount(of: counted, after: previous)
                    (previous, counted) = (target, [])
                } else if target == tokenizer.endToken || !ignoredTargets.contains(target) {
                    // End tokens stay, ignored or not: they say where a document ends, and are no bytes.
                    counted.append(target)
                }
            }
            return bytes + tokenizer.byteCount(of: counted, after: previous)
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
