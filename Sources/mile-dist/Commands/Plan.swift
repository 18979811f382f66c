// Plan - `mile-dist plan CONFIG --ranks R`.

import ArgumentParser
import Commands
import JobRuntime
import Training

struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Predict memory, bytes and time of a run on a cluster.",
        discussion: """
            Prints for each number of ranks: memory per rank and node; size of a checkpoint and seconds to write it; MB that
            the busiest node receives in a step; seconds of a step and its parts; tokens per second; days for the tokens of
            CONFIG, without evaluations. No data is read. The layout that is done first, of those that fit, is marked.

            --gflops is what `bench step` calls gflops_compute: GF/s of a rank while it computes. Without it, one rank with
            the threads of CONFIG is measured here, for some seconds. --bandwidth and --latency are what `bench collectives`
            says of two nodes; --memory-bandwidth is a node's, which its ranks share.

            Examples:
              mile-dist plan configs/llama-468m.yaml --ranks 1-64 --gflops 1500 --bandwidth 25Gbit/s --latency 20us
              mile-dist plan configs/llama-6.7b.yaml --ranks 64,128 --ranks-per-node 2 --node-memory 256GiB --gflops 2000
              mile-dist plan run.yaml --ranks 2 --nodes 2 --bandwidth 200Mbit/s --json
              mile-dist plan run.yaml --ranks 1-1024 --weak --set training.global_batch_size=16 --gflops 1500
            """)

    @Argument(help: "The configuration (YAML).")
    var config: String

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override a key of the configuration. May be repeated.", valueName: "key.path=value"))
    var overrides: [String] = []

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

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        launch(.one) { session in
            try PlanCommand(
                config: config, overrides: overrides, ranks: ranks, nodes: nodes, ranksPerNode: ranksPerNode,
                bandwidth: bandwidth, latency: latency, gflops: gflops, memoryBandwidth: memoryBandwidth,
                diskBandwidth: diskBandwidth, nodeMemory: nodeMemory, isWeak: weak, isJSON: json
            ).run(session)
        }
    }
}
