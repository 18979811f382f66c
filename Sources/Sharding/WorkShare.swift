// WorkShare - which sequences of a step a rank computes, cut into units (design section 7, "who computes what").

/// One unit of work: consecutive sequences of the step, run as one micro-batch.
public struct WorkUnit: Sendable, Equatable {
    /// Sequences, counted from the step's first.
    public let sequences: Range<Int>
    /// The micro-step of the authors' trainer that the unit belongs to (`normalization: reference`); otherwise 0.
    public let microStep: Int
    /// The part that it plays in its micro-step; otherwise 0.
    public let part: Int
}

public enum WorkShare {
    /// An ordinary step: shares differ by at most one sequence, each cut into as few units of at most
    /// `microBatchSize` as possible. A rank without a share gets no unit.
    public static func units(globalBatchSize: Int, microBatchSize: Int, rank: Int, rankCount: Int) -> [WorkUnit] {
        let share = (globalBatchSize * rank / rankCount)..<(globalBatchSize * (rank + 1) / rankCount)
        return stride(from: share.lowerBound, to: share.upperBound, by: microBatchSize).map { start in
            WorkUnit(sequences: start..<min(start + microBatchSize, share.upperBound), microStep: 0, part: 0)
        }
    }

    /// A step with `training.reproducible`: units that do not depend on the ranks, which take consecutive ones. A rank
    /// without a share gets no unit.
    public static func reproducibleUnits(
        globalBatchSize: Int, microBatchSize: Int, rank: Int, rankCount: Int
    ) -> [WorkUnit] {
        let unitCount = (globalBatchSize + microBatchSize - 1) / microBatchSize
        return ((unitCount * rank / rankCount)..<(unitCount * (rank + 1) / rankCount)).map { unit in
            let start = unit * microBatchSize
            return WorkUnit(
                sequences: start..<min(start + microBatchSize, globalBatchSize), microStep: 0, part: 0)
        }
    }

    /// A step with `normalization: reference`: `referenceRanks` consecutive units of exactly `microBatchSize` form a
    /// micro-step, and the ranks share the units of each micro-step.
    public static func referenceUnits(
        globalBatchSize: Int, microBatchSize: Int, referenceRanks: Int, rank: Int, rankCount: Int
    ) -> [WorkUnit] {
        let unitCount = globalBatchSize / microBatchSize
        precondition(
            globalBatchSize % microBatchSize == 0 && unitCount % referenceRanks == 0,
            "\(globalBatchSize) sequences are not whole micro-steps of \(referenceRanks) units of \(microBatchSize)")
        let parts = (referenceRanks * rank / rankCount)..<(referenceRanks * (rank + 1) / rankCount)
        return (0..<(unitCount / referenceRanks)).flatMap { microStep in
            parts.map { part in
                let start = (microStep * referenceRanks + part) * microBatchSize
                return WorkUnit(sequences: start..<(start + microBatchSize), microStep: microStep, part: part)
            }
        }
    }
}
