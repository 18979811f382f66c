// Plan - `mile-dist plan`: predicts memory, traffic and step time of a configuration on clusters.

internal import ArgumentParser
internal import BLASSelection
internal import Configuration
internal import Foundation
internal import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Planning
internal import Reporting
internal import Tensors
internal import TokenData

/// `mile-dist plan CONFIG`. Quantities are texts with units.
struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Predict memory, bytes and time of a run on a cluster.",
        discussion: """
            Prints for each number of ranks: memory per rank and node; size of a checkpoint and seconds to write it; \
            MB that the busiest node receives in a step; seconds of a step and its parts; tokens per second; days for \
            the tokens of CONFIG, without evaluations. No data is read. The layout that is done first, of those that \
            fit, is marked.

            --gflops is what `bench step` calls gflops_compute: GF/s of a rank while it computes. Without it, one rank \
            with the threads of CONFIG is measured here, for some seconds. --bandwidth and --latency are what `bench \
            collectives` says of two nodes; --memory-bandwidth is a node's, which its ranks share.

            Examples:
              mile-dist plan configs/llama-468m.yaml --ranks 1-64 --gflops 1500 --bandwidth 25Gbit/s --latency 20us
              mile-dist plan configs/llama-6.7b.yaml --ranks 64,128 --ranks-per-node 2 --node-memory 256GiB --gflops 2000
              mile-dist plan run.yaml --ranks 2 --nodes 2 --bandwidth 200Mbit/s --json
              mile-dist plan run.yaml --ranks 1-1024 --weak --set training.global_batch_size=16 --gflops 1500
            """)

    /// Memory bandwidth without measurement, in bytes per second: two memory channels, a low value for a server.
    private static let usualMemoryBandwidth = 20e9

    @OptionGroup var config: RequiredConfiguration

    @Option(help: ArgumentHelp("Ranks: 4, a list 1,2,4, or a range 1-64 that doubles.", valueName: "list"))
    var ranks: String

    @Option(help: ArgumentHelp("Nodes that the ranks are spread over.", valueName: "n"))
    var nodes: Int?

    @Option(help: ArgumentHelp("Ranks on each node instead. Without either: 1.", valueName: "k"))
    var ranksPerNode: Int?

    @Option(help: ArgumentHelp("Of a node's link, in each direction; Gbit/s without a unit.", valueName: "rate"))
    var bandwidth = "25Gbit/s"

    @Option(help: ArgumentHelp("Of a message between nodes; us without a unit.", valueName: "time"))
    var latency = "50us"

    @Option(help: ArgumentHelp("GF/s of a rank while it computes. Without it: measured.", valueName: "rate"))
    var gflops: String?

    @Option(
        help: ArgumentHelp(
            "Of a node's memory; GB/s. Without it: measured with the GF/s, otherwise 20.", valueName: "rate"))
    var memoryBandwidth: String?

    @Option(
        help: ArgumentHelp(
            "Of the checkpoints' file system, for all ranks together; MB/s without a unit.", valueName: "rate"))
    var diskBandwidth = "500MB/s"

    @Option(help: ArgumentHelp("Memory of a node; layouts that need more are marked.", valueName: "size"))
    var nodeMemory: String?

    @Flag(help: "Let the batch grow with the ranks; CONFIG's is that of the fewest.")
    var weak = false

    @OptionGroup var json: JSONFlag

    func run() throws {
        launch(.one) { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let layouts = try self.layouts()
        var hardware = try self.hardware()
        let configuration = try config.load(process)
        let configurations = try layouts.map { layout in
            let scaled = self.configuration(configuration, ranks: layout.ranks, fewest: layouts[0].ranks)
            try StepLayout(scaled, ranks: layout.ranks).requireWholeAccumulationSteps()
            return scaled
        }
        let training = configuration.training
        // The ranks of a node share its cores. The plan assumes this node's cores, and the fullest node of all layouts.
        let ranksOnNode = layouts.map(\.ranksPerNode).max() ?? 1
        let cores = try process.threadPlan(requested: 0).threads
        let threads = training.threads > 0 ? training.threads : max(cores / ranksOnNode, 1)
        if gflops == nil {
            let pool = try process.makePool(
                requested: threads, backends: process.gemmBackends(configuration))
            // Rank 0 speaks, so rank 0 measures.
            try process.communicator.agreed {
                guard process.communicator.rank == 0 else { return }
                hardware.rankOperations =
                    ComputeRate.measure(configuration, pool) * min(1, Double(cores) / Double(threads * ranksOnNode))
                if memoryBandwidth == nil { hardware.memoryBytes = 1e9 * PeakRates.memoryBandwidth(pool) }
            }
        }
        guard process.communicator.rank == 0 else { return .done }
        let tokens = Double(
            training.globalBatchSize * configuration.data.sequenceLength * configuration.schedule.totalSteps)
        let table = PlanTable(
            predictions: zip(layouts, configurations).map { layout, configuration in
                StepPrediction(
                    configuration, layout: layout, hardware: hardware, threads: threads, totalTokens: tokens)
            })
        show(table, configuration, hardware, tokens, threads, process.console)
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

    /// The configuration for `ranks` ranks. With `--weak` the global batch size is proportional to them.
    private func configuration(_ base: RunConfiguration, ranks: Int, fewest: Int) -> RunConfiguration {
        guard weak else { return base }
        var scaled = base
        scaled.training.globalBatchSize = max(base.training.globalBatchSize * ranks / fewest, 1)
        return scaled
    }

    private func show(
        _ table: PlanTable, _ configuration: RunConfiguration, _ hardware: Hardware, _ tokens: Double, _ threads: Int,
        _ console: Console
    ) {
        let parameters = configuration.model.tensorTable.count
        if json.isJSON {
            console.raw(
                JSONValue.object([
                    ("name", .string(configuration.name)), ("parameters", .integer(parameters)),
                    ("tokens", .number(tokens)), ("weak", .boolean(weak)), ("threads", .integer(threads)),
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
                + "\(weak ? "weak scaling: the batch grows with the ranks" : "the same batch for all")")
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
