// StepReports - the ranks' reports on a step: sums of every micro-batch, and how each rank fared.

internal import Kernels
internal import MessagePassing
internal import Sharding

/// One rank's report on itself.
struct RankShare: Equatable {
    /// Sequences that it computed.
    var sequences = 0
    /// Seconds that it computed its micro-batches.
    var seconds = 0.0
    /// Asked to stop.
    var stops = false
    /// The worst overflow of its gradients' conversions to fixed point.
    var overflow = FixedPoint.Overflow.none

    fileprivate static let valueCount = 4

    fileprivate var values: [Double] { [Double(sequences), seconds, stops ? 1 : 0, Double(overflow.rawValue)] }

    init() {}

    fileprivate init(values: ArraySlice<Double>) {
        let list = Array(values)
        sequences = Int(list[0])
        seconds = list[1]
        stops = list[2] != 0
        overflow = FixedPoint.Overflow(rawValue: Int(list[3])) ?? .notFinite
    }
}

/// The reports of all ranks, the same on every rank.
struct StepReports {
    /// Every micro-batch of all ranks, with the rank that computed it, in the order of the sequences.
    ///
    /// Why: sums over them have one order, whichever rank computed which.
    let microBatches: [(microBatch: MicroBatch, rank: Int, sums: LossSums)]
    let ranks: [RankShare]

    /// Gathers; collective.
    ///
    /// - Parameters:
    ///   - microBatches: of every rank, as all ranks know them.
    ///   - sums: of this rank's micro-batches.
    /// - Throws: `MPIError`.
    init(
        _ communicator: Communicator, microBatches lists: [[MicroBatch]], sums: [LossSums], own: RankShare
    ) throws {
        precondition(sums.count == lists[communicator.rank].count, "a report of other micro-batches")
        let counts = lists.map { $0.count * LossSums.valueCount + RankShare.valueCount }
        let all = try communicator.allGather(sums.flatMap(\.values) + own.values, counts: counts)
        var next = 0
        var collected: [(microBatch: MicroBatch, rank: Int, sums: LossSums)] = []
        var reports: [RankShare] = []
        for (rank, list) in lists.enumerated() {
            for microBatch in list {
                let end = next + LossSums.valueCount
                collected.append((microBatch, rank, LossSums(values: Array(all[next..<end]))))
                next = end
            }
            reports.append(RankShare(values: all[next..<(next + RankShare.valueCount)]))
            next += RankShare.valueCount
        }
        microBatches = collected.sorted {
            $0.microBatch.sequences.lowerBound < $1.microBatch.sequences.lowerBound
        }
        ranks = reports
    }

    /// The sums of all micro-batches, added in their order, whichever rank computed which.
    var total: LossSums { microBatches.reduce(LossSums()) { $0 + $1.sums } }

    /// Ranks and sequences of micro-batches whose loss is not finite, for people.
    ///
    /// - Parameter firstSequence: number in the stream of the step's first sequence.
    func notFinite(from firstSequence: Int) -> [String] {
        microBatches.filter { !$0.sums.weightedCrossEntropy.isFinite || !$0.sums.weight.isFinite }
            .map { Self.location(rank: $0.rank, $0.microBatch.sequences, firstSequence) }
    }

    /// Ranks whose gradients could not be converted to fixed point, and why.
    func unconverted(from firstSequence: Int) -> [String] {
        ranks.enumerated().filter { $0.element.overflow != .none }.map { rank, report in
            let why =
                report.overflow == .outOfRange
                ? "a gradient beyond the range of training.reproducible" : "a gradient that is not finite"
            return location(of: rank, firstSequence) + " (\(why))"
        }
    }

    /// A rank and its sequences, from the first to the last.
    func location(of rank: Int, _ firstSequence: Int) -> String {
        let own = microBatches.filter { $0.rank == rank }.map(\.microBatch.sequences)
        let range = (own.first?.lowerBound ?? 0)..<(own.last?.upperBound ?? 0)
        return Self.location(rank: rank, range, firstSequence)
    }

    private static func location(rank: Int, _ sequences: Range<Int>, _ firstSequence: Int) -> String {
        "rank \(rank), sequences \(firstSequence + sequences.lowerBound) ..< \(firstSequence + sequences.upperBound)"
    }
}
