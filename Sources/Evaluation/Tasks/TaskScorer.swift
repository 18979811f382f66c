// TaskScorer - log-likelihoods of requests, shared among the ranks.

internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Tensors

/// The score of a request, as the harness's `loglikelihood` returns it.
struct TaskScore: Equatable, Sendable {
    /// ln p(continuation | context), summed over the continuation's tokens, in nats.
    var logLikelihood: Double
    /// Whether each token of the continuation is the likeliest one: greedy decoding gives it.
    var isGreedy: Bool
}

/// Computes requests in batches of similar lengths.
struct TaskScorer {
    let communicator: Communicator
    let model: ModelConfiguration
    let parameters: FloatSlice
    /// Number of requests computed at a time.
    let batchSize: Int
    let pool: ThreadPool

    /// Granularity of sequence lengths: a batch is padded to a multiple of it, so that few transformers are made.
    private static let lengthStep = 64

    /// The scores of `requests`, in their order, on every rank; collective.
    ///
    /// Equal requests have one score, so that equal choices tie. Batches are equal whichever rank computes them, so
    /// that the number of ranks does not change the result.
    ///
    /// - Parameter progress: called on every rank with the share that is done.
    func scores(of requests: [TaskRequest], progress: (Double) -> Void = { _ in }) throws -> [TaskScore] {
        let different = Set(requests).sorted(by: TaskRequest.isBefore)
        let batches = stride(from: 0, to: different.count, by: batchSize).map {
            different[$0..<min($0 + batchSize, different.count)]
        }
        let size = communicator.size
        // Ranks take batches by turns. Neighbours have similar lengths, so that ranks have similar work.
        func turns(_ rank: Int) -> [ArraySlice<TaskRequest>] {
            stride(from: rank, to: batches.count, by: size).map { batches[$0] }
        }
        let all = try communicator.allGather(
            compute(turns(communicator.rank), progress), counts: (0..<size).map { 2 * turns($0).joined().count })
        var scores: [TaskRequest: TaskScore] = [:]
        for (request, index) in zip((0..<size).flatMap { turns($0).joined() }, stride(from: 0, to: all.count, by: 2)) {
            scores[request] = TaskScore(logLikelihood: all[index], isGreedy: all[index + 1] == 1)
        }
        return requests.map { request in
            guard let score = scores[request] else { preconditionFailure("a request was computed by no rank") }
            return score
        }
    }

    /// The pair `[log-likelihood, 1 if greedy]` of every request of the batches, in order.
    private func compute(_ batches: [ArraySlice<TaskRequest>], _ progress: (Double) -> Void) -> [Double] {
        let total = Double(max(batches.joined().reduce(0) { $0 + $1.tokens.count }, 1))
        var done = 0
        var results: [Double] = []
        var transformer: Transformer?
        for batch in batches {
            let longest = batch.reduce(0) { max($0, $1.tokens.count - 1) }
            let T = min(
                (longest + Self.lengthStep - 1) / Self.lengthStep * Self.lengthStep, model.longestSequence)
            if transformer?.sequenceLength != T {
                // Frees the old transformer's memory before the new one is made.
                transformer = nil
                transformer = Transformer(
                    model, parameters: .fp32(parameters), sequenceLength: T, maximumSequences: batchSize,
                    forTraining: false, pool: pool)
            }
            guard let transformer else { preconditionFailure("made above") }
            for score in evaluate(batch, transformer) {
                results += [score.logLikelihood, score.isGreedy ? 1 : 0]
            }
            done += batch.reduce(0) { $0 + $1.tokens.count }
            progress(Double(done) / total)
        }
        return results
    }

    /// Sequences are filled up behind their end: with causal attention nothing before sees that.
    private func evaluate(_ requests: ArraySlice<TaskRequest>, _ transformer: Transformer) -> [TaskScore] {
        let T = transformer.sequenceLength
        var batch = TokenBatch(capacity: requests.count, sequenceLength: T)
        for request in requests {
            let length = request.tokens.count - 1
            batch.append(request.tokens, counting: (length - request.continuationCount)..<length)
        }
        let losses = transformer.evaluate(batch, weighting: .uniform)
        return requests.enumerated().map { index, request in
            let end = index * T + request.tokens.count - 1
            let continuation = (end - request.continuationCount)..<end
            return TaskScore(
                logLikelihood: -continuation.reduce(0) { $0 + Double(losses.crossEntropy[$1]) },
                isGreedy: continuation.allSatisfy { losses.isCorrect[$0] == 1 })
        }
    }
}
