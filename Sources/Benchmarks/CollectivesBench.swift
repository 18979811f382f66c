// CollectivesBench - `mile-dist bench collectives`: the exchange of a training step, with and without shared memory.

internal import BLASSelection
internal import Foundation
package import JobRuntime
internal import Kernels
internal import LinearAlgebra
internal import MessagePassing
internal import Reporting
internal import Sharding
internal import Tensors

/// `mile-dist bench collectives`
package struct CollectivesBench {
    package init() {}

    /// The collectives of a training step.
    enum Collective: String, CaseIterable {
        case reduceScatter = "reduce_scatter"
        /// Reduce-scatter of 64-bit integers, as `training.reproducible` does it.
        case reduceScatterInteger = "reduce_scatter_int64"
        case allReduce = "all_reduce"
        case allGather = "all_gather"
        case allGatherBFloat16 = "all_gather_bf16"

        /// Bytes of an element.
        var stride: Int {
            switch self {
            case .reduceScatter, .allReduce, .allGather: 4
            case .reduceScatterInteger: 8
            case .allGatherBFloat16: 2
            }
        }

        /// Bytes that each rank must send, and receive, per byte of the buffer: the bus bandwidth of nccl-tests.
        func busFactor(ranks: Int) -> Double {
            let share = Double(ranks - 1) / Double(ranks)
            return self == .allReduce ? 2 * share : share
        }
    }

    /// One collective at one size.
    struct Row {
        let collective: Collective
        /// `training`: the way of a run; `messages`: between all ranks, without shared memory.
        let path: String
        let bytes: Int
        /// Seconds until the last rank had its result.
        let median: Double
        let best: Double
        let ranks: Int

        var algorithmBandwidth: Double { Double(bytes) / median / 1e9 }
        var busBandwidth: Double { collective.busFactor(ranks: ranks) * algorithmBandwidth }
    }

    /// Seconds of all repetitions of one size together, roughly.
    private static let secondsPerRow = 0.1
    private static let repetitions = 3...50
    private static let smallRepetitions = 200
    /// Floats of each of the two arrays that measure memory bandwidth: more than all caches hold.
    private static let bandwidthCount = 16 << 20

    /// - Parameters:
    ///   - sizes: bytes of the buffers.
    ///   - threads: threads of each rank; 0: the cores bound to it.
    package func run(_ process: ProcessContext, sizes: [Int], threads: Int, isJSON: Bool) throws {
        let communicator = process.communicator
        let pool = try process.makePool(requested: threads)
        try communicator.barrier()
        // All ranks measure at once. Why: the ranks of a node share its memory.
        let memory = try communicator.sumInRankOrder([PeakRates.memoryBandwidth(pool, count: Self.bandwidthCount)])[0]
        let nodes = try communicator.sum([communicator.nodeRank == 0 ? 1 : 0])[0]
        let link = try PingPong.measure(communicator)
        let small = try smallMessages(communicator)
        let shape = communicator.nodeShape
        var rows = try measure(sizes, path: "training", communicator, pool)
        if shape != nil {
            var messages = NodeSettings()
            messages.freeBytes = 0
            try communicator.regroup(messages)
            rows += try measure(sizes, path: "messages", communicator, pool)
            try communicator.regroup(NodeSettings())
        }
        let report = Report(
            ranks: communicator.size, nodes: nodes, threads: pool.threadCount, algorithm: Self.algorithm(shape),
            memory: memory / Double(nodes), link: link, small: small, rows: rows)
        if isJSON {
            process.console.raw(report.json.text + "\n")
        } else {
            for line in report.lines { process.console.line(line) }
        }
    }

    private static func algorithm(_ shape: (nodes: Int, ranksPerNode: Int)?) -> String {
        guard let shape else { return "messages between all ranks" }
        let window = "shared window of \(shape.ranksPerNode) ranks of a node"
        // On one node, gathers go by messages on either path.
        return shape.nodes == 1 ? window : window + ", then messages between \(shape.nodes) nodes, one rank of each"
    }

    private func measure(
        _ sizes: [Int], path: String, _ communicator: Communicator, _ pool: ThreadPool
    ) throws -> [Row] {
        try Collective.allCases.flatMap { collective in
            let memory = Buffers(collective, bytes: sizes.max() ?? 0, communicator)
            return try sizes.map { bytes in
                let times = try time(communicator) { try memory.run(bytes: bytes, communicator, pool.parallelLoop) }
                return Row(
                    collective: collective, path: path, bytes: bytes / collective.stride * collective.stride,
                    median: Stopwatch.median(times), best: times.min() ?? .nan, ranks: communicator.size)
            }
        }
    }

    /// Seconds of each repetition on the slowest rank. All ranks get equal numbers.
    private func time(_ communicator: Communicator, _ body: () throws -> Void) throws -> [Double] {
        try communicator.barrier()
        let once = try Stopwatch.seconds(body)
        let slowest = Double(try communicator.maximum(Int(1e9 * once) + 1)) / 1e9
        let fitting = Int(min(Self.secondsPerRow / slowest, Double(Self.repetitions.upperBound)))
        let count = max(fitting, Self.repetitions.lowerBound)
        let own = try (0..<count).map { _ in
            try communicator.barrier()
            return try Stopwatch.seconds(body)
        }
        let all = try communicator.allGather(own, counts: [Int](repeating: count, count: communicator.size))
        return (0..<count).map { index in
            (0..<communicator.size).map { all[$0 * count + index] }.max() ?? .nan
        }
    }

    /// Median and best seconds of a barrier and of the sum of one number.
    private func smallMessages(_ communicator: Communicator) throws -> [(name: String, median: Double, best: Double)] {
        func times(_ body: () throws -> Void) throws -> (Double, Double) {
            try body()
            let times = try (0..<Self.smallRepetitions).map { _ in try Stopwatch.seconds(body) }
            return (Stopwatch.median(times), times.min() ?? .nan)
        }
        let barrier = try times { try communicator.barrier() }
        let sum = try times { _ = try communicator.sum([1]) }
        return [("barrier", barrier.0, barrier.1), ("scalar_sum", sum.0, sum.1)]
    }
}

extension CollectivesBench {
    /// The buffers of one collective, shared by all sizes.
    private struct Buffers {
        private let collective: Collective
        private let floats: FloatSlice
        private let integers: Int64Slice
        private let bfloat16s: BFloat16Slice
        private let floatShard: FloatSlice
        private let integerShard: Int64Slice

        init(_ collective: Collective, bytes: Int, _ communicator: Communicator) {
            self.collective = collective
            let count = bytes / collective.stride
            let share = (count + communicator.size - 1) / communicator.size
            func needed(_ size: Int, by users: Collective...) -> Int { users.contains(collective) ? size : 0 }
            floats = Arena(count: needed(count, by: .reduceScatter, .allReduce, .allGather)).all
            floatShard = Arena(count: needed(share, by: .reduceScatter)).all
            integers = Int64Slice(count: needed(count, by: .reduceScatterInteger))
            integerShard = Int64Slice(count: needed(share, by: .reduceScatterInteger))
            bfloat16s = BFloat16Slice(count: needed(count, by: .allGatherBFloat16))
            floats.fill(0)
        }

        /// Runs the collective on the first `bytes` bytes and waits for its end.
        func run(bytes: Int, _ communicator: Communicator, _ parallel: ParallelLoop?) throws {
            let (count, size) = (bytes / collective.stride, communicator.size)
            let counts = (0..<size).map { count * ($0 + 1) / size - count * $0 / size }
            let own = counts[communicator.rank]
            switch collective {
            case .reduceScatter:
                try communicator.startReduceScatterSum(
                    floats[0..<count], counts: counts, into: floatShard[0..<own], parallel: parallel
                ).wait()
            case .reduceScatterInteger:
                try communicator.startReduceScatterSum(
                    integers[0..<count], counts: counts, into: integerShard[0..<own], parallel: parallel
                ).wait()
            case .allReduce: try communicator.startAllReduceSum(floats[0..<count], parallel: parallel).wait()
            case .allGather:
                try communicator.startAllGather(inPlace: floats[0..<count], counts: counts, parallel: parallel).wait()
            case .allGatherBFloat16:
                try communicator.startAllGather(inPlace: bfloat16s[0..<count], counts: counts, parallel: parallel)
                    .wait()
            }
        }
    }

    /// All measurements of a run of the benchmark.
    private struct Report {
        let ranks: Int
        let nodes: Int
        let threads: Int
        let algorithm: String
        /// Memory bandwidth of a node, GB/s.
        let memory: Double
        let link: PingPong?
        let small: [(name: String, median: Double, best: Double)]
        let rows: [Row]

        var json: JSONValue {
            let pingPong = link.map { link in
                JSONValue.object([
                    ("rank", .integer(link.partner)), ("between_nodes", .boolean(link.isBetweenNodes)),
                    ("latency_seconds", .number(link.latency)), ("bytes_per_second", .number(link.bandwidth)),
                ])
            }
            return .object([
                ("ranks", .integer(ranks)), ("nodes", .integer(nodes)), ("threads", .integer(threads)),
                ("algorithm", .string(algorithm)), ("memory_gb_per_second", .number(memory)),
                ("ping_pong", pingPong ?? .null),
                (
                    "small",
                    .object(
                        small.map { name, median, best in
                            (name, .object([("seconds", .number(median)), ("best_seconds", .number(best))]))
                        })
                ),
                (
                    "collectives",
                    .array(
                        rows.map { row in
                            .object([
                                ("name", .string(row.collective.rawValue)), ("path", .string(row.path)),
                                ("bytes", .integer(row.bytes)), ("seconds", .number(row.median)),
                                ("best_seconds", .number(row.best)),
                                ("algorithm_gb_per_second", .number(row.algorithmBandwidth)),
                                ("bus_gb_per_second", .number(row.busBandwidth)),
                                ("share_of_memory", .number(row.busBandwidth / memory)),
                            ])
                        })
                ),
            ])
        }

        var lines: [String] {
            var lines = [
                "\(ranks) ranks on \(nodes) nodes, \(threads) threads each; training: \(algorithm)",
                String(format: "memory of a node %.1f GB/s, all its ranks at once", memory),
            ]
            if let link {
                lines.append(
                    String(
                        format: "rank 0 to rank %d, %@: latency %.1f us, bandwidth %.2f Gbit/s", link.partner,
                        link.isBetweenNodes
                            ? "on another node (plan --latency, --bandwidth)" : "on the same node",
                        1e6 * link.latency, 8 * link.bandwidth / 1e9))
            }
            for (name, median, best) in small {
                lines.append(String(format: "%@: median %.1f us, best %.1f us", name, 1e6 * median, 1e6 * best))
            }
            lines.append(
                "messages: without shared memory; bus GB/s: what each rank must send and receive, per second")
            let header = ["collective", "path", "KiB", "median ms", "best ms", "GB/s", "bus GB/s", "of memory"]
            lines += TextTable.lines(
                [header]
                    + rows.map { row in
                        [
                            row.collective.rawValue, row.path, "\(row.bytes >> 10)",
                            String(format: "%.3f", 1e3 * row.median), String(format: "%.3f", 1e3 * row.best),
                            String(format: "%.2f", row.algorithmBandwidth), String(format: "%.2f", row.busBandwidth),
                            String(format: "%.2f", row.busBandwidth / memory),
                        ]
                    })
            return lines
        }
    }
}
