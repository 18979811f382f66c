// StepReports - what the ranks tell one another about a step: sums of every unit, and how each rank fared.

internal import Kernels
internal import MessagePassing
internal import Sharding

/// What one rank did in a step.
struct RankShare: Equatable {
    /// Sequences that it computed.
    var sequences = 0
    /// Seconds that it computed its units.
    var seconds = 0.0
    /// Asked to stop.
    var stops = false
    /// What the conversions of its gradients met.
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
    /// Every unit of all ranks, with the rank that computed it, in the order of the sequences: sums over them have one order
    /// whoever computed what.
    let units: [(unit: WorkUnit, rank: Int, sums: LossSums)]
    let ranks: [RankShare]

    /// Gathers; collective.
    ///
    /// - Parameters:
    ///   - units: of every rank, as all ranks know them.
    ///   - sums: of this rank's units.
    init(
        _ communicator: Communicator, units: [[WorkUnit]], sums: [LossSums], own: RankShare
    ) throws {
        precondition(sums.count == units[communicator.rank].count, "a report of other units")
        let counts = units.map { $0.count * LossSums.valueCount + RankShare.valueCount }
        let all = try communicator.allGather(sums.flatMap(\.values) + own.values, counts: counts)
        var next = 0
        var collected: [(unit: WorkUnit, rank: Int, sums: LossSums)] = []
        var reports: [RankShare] = []
        for (rank, list) in units.enumerated() {
            for unit in list {
                let end = next + LossSums.valueCount
                collected.append((unit, rank, LossSums(values: Array(all[next..<end]))))
                next = end
            }
            reports.append(RankShare(values: all[next..<(next + RankShare.valueCount)]))
            next += RankShare.valueCount
        }
        self.units = collected.sorted { $0.unit.sequences.lowerBound < $1.unit.sequences.lowerBound }
        ranks = reports
    }

    /// All units' sums, added in the units' order, so that it does not matter which rank computed which.
    var total: LossSums { units.reduce(LossSums()) { $0 + $1.sums } }

    /// Units whose loss is not finite, as people are told of them: rank and sequences, counted from `position`.
    func notFinite(position: Int) -> [String] {
        units.filter { !$0.sums.weightedCrossEntropy.isFinite || !$0.sums.weight.isFinite }
            .map { Self.place(rank: $0.rank, $0.unit.sequences, position) }
    }

    /// Ranks whose gradients could not be converted to fixed point, and why.
    func unconverted(position: Int) -> [String] {
        ranks.enumerated().filter { $0.element.overflow != .none }.map { rank, report in
            let why =
                report.overflow == .outOfRange
                ? "a gradient beyond the range of training.reproducible" : "a gradient that is not finite"
            return place(of: rank, position) + " (\(why))"
        }
    }

    /// A rank and all that it computed, from its first sequence to its last.
    func place(of rank: Int, _ position: Int) -> String {
        let own = units.filter { $0.rank == rank }.map(\.unit.sequences)
        let range = (own.first?.lowerBound ?? 0)..<(own.last?.upperBound ?? 0)
        return Self.place(rank: rank, range, position)
    }

    private static func place(rank: Int, _ sequences: Range<Int>, _ position: Int) -> String {
        "rank \(rank), sequences \(position + sequences.lowerBound) ..< \(position + sequences.upperBound)"
    }
}
