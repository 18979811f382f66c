// WorkShare - which sequences of a step a rank computes, cut into micro-batches (design section 7, "who computes what").

/// Consecutive sequences of a step that one rank computes at once.
public struct MicroBatch: Sendable, Equatable {
    /// Sequences, counted from the step's first.
    public let sequences: Range<Int>
    /// With `normalization: reference`: the accumulation step of the authors' trainer that it belongs to; otherwise 0.
    public let accumulationStep: Int
    /// With `normalization: reference`: the rank of the authors' trainer that it plays; otherwise 0.
    public let part: Int
}

/// The micro-batches of each rank of a data parallel step.
public enum WorkShare {
    /// An ordinary step: shares differ by at most one sequence, each cut into as few micro-batches of at most
    /// `microBatchSize` as possible. A rank without a share gets no micro-batch.
    public static func microBatches(globalBatchSize: Int, microBatchSize: Int, rank: Int, rankCount: Int)
        -> [MicroBatch]
    {
        let share = (globalBatchSize * rank / rankCount)..<(globalBatchSize * (rank + 1) / rankCount)
        return stride(from: share.lowerBound, to: share.upperBound, by: microBatchSize).map { start in
            MicroBatch(sequences: start..<min(start + microBatchSize, share.upperBound), accumulationStep: 0, part: 0)
        }
    }

    /// A step with `training.reproducible`: micro-batches that do not depend on the ranks, which take consecutive ones.
    ///
    /// A rank without a share gets no micro-batch.
    public static func reproducibleMicroBatches(
        globalBatchSize: Int, microBatchSize: Int, rank: Int, rankCount: Int
    ) -> [MicroBatch] {
        let microBatchCount = (globalBatchSize + microBatchSize - 1) / microBatchSize
        return ((microBatchCount * rank / rankCount)..<(microBatchCount * (rank + 1) / rankCount)).map { microBatch in
            let start = microBatch * microBatchSize
            return MicroBatch(
                sequences: start..<min(start + microBatchSize, globalBatchSize), accumulationStep: 0, part: 0)
        }
    }

    /// A step with `normalization: reference`: `referenceRanks` consecutive micro-batches of exactly `microBatchSize` form
    /// an accumulation step, and the ranks share the micro-batches of each accumulation step.
    public static func referenceMicroBatches(
        globalBatchSize: Int, microBatchSize: Int, referenceRanks: Int, rank: Int, rankCount: Int
    ) -> [MicroBatch] {
        let microBatchCount = globalBatchSize / microBatchSize
        precondition(
            globalBatchSize % microBatchSize == 0 && microBatchCount % referenceRanks == 0,
            "\(globalBatchSize) sequences are not whole accumulation steps of \(referenceRanks) micro-batches of "
                + "\(microBatchSize)")
        let parts = (referenceRanks * rank / rankCount)..<(referenceRanks * (rank + 1) / rankCount)
        return (0..<(microBatchCount / referenceRanks)).flatMap { accumulationStep in
            parts.map { part in
                let start = (accumulationStep * referenceRanks + part) * microBatchSize
                return MicroBatch(
                    sequences: start..<(start + microBatchSize), accumulationStep: accumulationStep, part: part)
            }
        }
    }
}
