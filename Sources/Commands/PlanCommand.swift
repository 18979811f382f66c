// PlanCommand - `mile-dist plan`: memory, bytes and seconds of a configuration on clusters that need not exist.

internal import BLASSelection
internal import Configuration
internal import Foundation
public import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Planning
public import Reporting
internal import Tensors
internal import TokenData

/// `mile-dist plan CONFIG`; quantities as they are written, with their units.
public struct PlanCommand: Sendable {
    public var config: String
    public var overrides: [String]
    public var ranks: String
    /// At most one of the two.
    public var nodes: Int?
    public var ranksPerNode: Int?
    public var bandwidth: String
    public var latency: String
    /// Nil: measured here.
    public var gflops: String?
    /// Nil: measured here where `gflops` is, otherwise ``usualMemoryBandwidth``.
    public var memoryBandwidth: String?
    public var diskBandwidth: String
    public var nodeMemory: String?
    /// Whether the batch grows with the ranks: it is that of the fewest.
    public var isWeak: Bool
    public var isJSON: Bool

    /// Bytes per second of two memory channels: little for a server.
    private static let usualMemoryBandwidth = 20e9

    public init(
        config: String, overrides: [String] = [], ranks: String, nodes: Int? = nil, ranksPerNode: Int? = nil,
        bandwidth: String, latency: String, gflops: String? = nil, memoryBandwidth: String? = nil,
        diskBandwidth: String, nodeMemory: String? = nil, isWeak: Bool = false, isJSON: Bool = false
    ) {
        self.config = config
        self.overrides = overrides
        self.ranks = ranks
        self.nodes = nodes
        self.ranksPerNode = ranksPerNode
        self.bandwidth = bandwidth
        self.latency = latency
        self.gflops = gflops
        self.memoryBandwidth = memoryBandwidth
        self.diskBandwidth = diskBandwidth
        self.nodeMemory = nodeMemory
        self.isWeak = isWeak
        self.isJSON = isJSON
    }

    public func run(_ session: Session) throws -> ExitStatus {
        let layouts = try self.layouts()
        var hardware = try self.hardware()
        let configuration = try ConfigurationSource(session, path: config).load(overrides: overrides)
        let configurations = try layouts.map { layout in
            let scaled = self.configuration(configuration, ranks: layout.ranks, fewest: layouts[0].ranks)
            try StepLayout(scaled, ranks: layout.ranks).requireWholeAccumulationSteps()
            return scaled
        }
        let training = configuration.training
        // The ranks of a node share its cores, taken for those of this one: the fullest node decides for all layouts.
        let ranksOnNode = layouts.map(\.ranksPerNode).max() ?? 1
        let cores = try session.threadPlan(requested: 0).threads
        let threads = training.threads > 0 ? training.threads : max(cores / ranksOnNode, 1)
        if gflops == nil {
            let pool = try session.makePool(
                requested: threads, libraries: session.productLibraries(configuration))
            // Rank 0 speaks, so rank 0 measures.
            try session.communicator.agreed {
                guard session.communicator.rank == 0 else { return }
                hardware.rankOperations =
                    ComputeRate.measure(configuration, pool) * min(1, Double(cores) / Double(threads * ranksOnNode))
                if memoryBandwidth == nil { hardware.memoryBytes = 1e9 * Ceilings.memoryBandwidth(pool) }
            }
        }
        guard session.communicator.rank == 0 else { return .done }
        let tokens = Double(
            training.globalBatchSize * configuration.data.sequenceLength * configuration.schedule.totalSteps)
        let table = PlanTable(
            predictions: zip(layouts, configurations).map { layout, configuration in
                StepPrediction(
                    configuration, layout: layout, hardware: hardware, threads: threads, totalTokens: tokens)
            })
        show(table, configuration, hardware, tokens, threads, session.console)
        return .done
    }

    private func layouts() throws -> [ClusterLayout] {
        for (name, value) in [("--nodes", nodes), ("--ranks-per-node", ranksPerNode)] {
            if let value, value < 1 || value > Quantity.mostRanks {
                throw ProgramFailure(
                    .badInput, "\(name): \(value) found; allowed: 1 to \(Quantity.mostRanks)", isShared: true)
            }
        }
        guard nodes == nil || ranksPerNode == nil else {
            throw ProgramFailure(
                .badInput, "--nodes and --ranks-per-node: only one of them may be given", isShared: true)
        }
        return try Quantity.ranks(ranks).map { ranks in
            if let nodes { return ClusterLayout(ranks: ranks, nodes: nodes) }
            return ClusterLayout(ranks: ranks, ranksPerNode: ranksPerNode ?? 1)
        }
    }

    private func hardware() throws -> Hardware {
        Hardware(
            rankOperations: try gflops.map { try Quantity.computeRate.parse($0, option: "--gflops") } ?? .nan,
            networkBytes: try Quantity.networkRate.parse(bandwidth, option: "--bandwidth"),
            latency: try Quantity.latency.parse(latency, option: "--latency"),
            memoryBytes: try memoryBandwidth.map {
                try Quantity.memoryRate.parse($0, option: "--memory-bandwidth")
            } ?? Self.usualMemoryBandwidth,
            diskBytes: try Quantity.diskRate.parse(diskBandwidth, option: "--disk-bandwidth"),
            nodeMemory: try nodeMemory.map { Int(try Quantity.memory.parse($0, option: "--node-memory")) })
    }

    /// The configuration with the batch that so many ranks get.
    private func configuration(_ base: RunConfiguration, ranks: Int, fewest: Int) -> RunConfiguration {
        guard isWeak else { return base }
        var scaled = base
        scaled.training.globalBatchSize = max(base.training.globalBatchSize * ranks / fewest, 1)
        return scaled
    }

    private func show(
        _ table: PlanTable, _ configuration: RunConfiguration, _ hardware: Hardware, _ tokens: Double, _ threads: Int,
        _ console: Console
    ) {
        let parameters = configuration.model.tensorTable.count
        if isJSON {
            console.raw(
                JSONValue.object([
                    ("name", .string(configuration.name)), ("parameters", .integer(parameters)),
                    ("tokens", .number(tokens)), ("weak", .boolean(isWeak)), ("threads", .integer(threads)),
                    ("gflops", .number(hardware.rankOperations / 1e9)),
                    ("gflops_measured", .boolean(gflops == nil)),
                    ("bandwidth_bytes_per_second", .number(hardware.networkBytes)),
                    ("latency_seconds", .number(hardware.latency)),
                    ("memory_bytes_per_second", .number(hardware.memoryBytes)),
                    ("disk_bytes_per_second", .number(hardware.diskBytes)), ("layouts", table.json),
                ]).text + "\n")
            return
        }
        console.line(
            "\(configuration.name): \(GroupedNumber.text(parameters)) parameters, "
                + String(format: "%.3g", tokens) + " tokens, "
                + "\(isWeak ? "weak scaling: the batch grows with the ranks" : "the same batch for all")")
        console.line(
            String(
                format:
                    "predicted with %.1f GF/s per rank (%@), links of %.3g Gbit/s and %.3g us, memory %.3g GB/s per "
                    + "node, disk %.3g MB/s", hardware.rankOperations / 1e9,
                gflops == nil ? "measured here, \(threads) thread\(threads == 1 ? "" : "s")" : "as given",
                8 * hardware.networkBytes / 1e9, 1e6 * hardware.latency, hardware.memoryBytes / 1e9,
                hardware.diskBytes / 1e6))
        console.line("MB/step: received by the busiest node; effic.: share of a step in which ranks compute")
        for line in table.lines { console.line(line) }
    }
}
