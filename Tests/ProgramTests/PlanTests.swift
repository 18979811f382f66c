// PlanTests - `plan` and `bench collectives` as a user runs them.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct PlanTests {
        private static let given = ["--gflops", "1", "--bandwidth", "1Gbit/s", "--latency", "50us"]

        private func object(_ result: ProgramResult) throws -> [String: Any] {
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            let last = try #require(result.outputLines.last { !$0.isEmpty })
            return try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
        }

        private func layouts(_ result: ProgramResult) throws -> [[String: Any]] {
            try #require(try object(result)["layouts"] as? [[String: Any]])
        }

        @Test func table() throws {
            let place = try Workplace()
            let before = place.folder.everything()
            // The text is not there: a plan needs none.
            let result = try place.run(
                ["plan", "run.yaml", "--ranks", "1-8", "--set", "data.train.0.path=absent.txt"] + Self.given)
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            for part in [
                "35,040 parameters", "1.0 GF/s per rank (as given)", "links of 1 Gbit/s", "tokens/s", "best: ",
            ] {
                #expect(result.output.contains(part), "\(part): \(result)")
            }
            #expect(result.outputLines.count { $0.contains("<- best") } == 1, "\(result)")
            #expect(place.folder.everything() == before)
        }

        @Test func numbers() throws {
            let place = try Workplace()
            let arguments = ["plan", "run.yaml", "--ranks", "1,2,4", "--nodes", "2", "--json"] + Self.given
            let alone = try place.run(arguments)
            let plan = try object(alone)
            #expect(plan["parameters"] as? Int == 35_040 && plan["gflops_measured"] as? Bool == false)
            #expect(plan["bandwidth_bytes_per_second"] as? Double == 1.25e8)
            let all = try layouts(alone)
            #expect(all.map { $0["ranks"] as? Int } == [1, 2, 4])
            #expect(all.map { $0["nodes"] as? Int } == [1, 2, 2])
            // Two nodes, whatever their ranks: 4 bytes a parameter for the gradients, 4 for the parameters.
            #expect(all.map { $0["wire_bytes"] as? Int } == [0, 280_320, 280_320])
            #expect(all.map { $0["checkpoint_bytes"] as? Int } == [420_480, 420_480, 420_480])
            #expect(all.count { $0["best"] as? Bool == true } == 1)
            for layout in all {
                let parts = ["compute_seconds", "optimizer_seconds", "exposed_seconds"].compactMap {
                    layout[$0] as? Double
                }
                let step = try #require(layout["step_seconds"] as? Double)
                // A sum of three doubles, printed to the last bit.
                #expect(parts.count == 3 && abs(parts.reduce(0, +) - step) < 1e-12 * step)
                #expect((layout["memory_rank_bytes"] as? Int ?? 0) > 35_040 * 16)
            }
            // One rank works, and speaks.
            let three = try place.run(arguments, ranks: 3)
            #expect(three.status == 0 && three.output == alone.output, "\(three)")
        }

        @Test func weakScalingAndMemory() throws {
            let place = try Workplace()
            let weak = try layouts(
                try place.run(["plan", "run.yaml", "--ranks", "2-8", "--weak", "--json"] + Self.given))
            #expect(weak.map { $0["global_batch_size"] as? Int } == [10, 20, 40])
            let seconds = weak.compactMap { $0["compute_seconds"] as? Double }
            #expect(seconds.count == 3 && seconds[0] == seconds[1] && seconds[1] == seconds[2])
            let small = try place.run(["plan", "run.yaml", "--ranks", "2", "--node-memory", "1MiB"] + Self.given)
            #expect(small.output.contains("does not fit"), "\(small)")
            #expect(small.output.contains("no layout fits"), "\(small)")
        }

        /// Without --gflops this machine is measured, in the formats that a run may have.
        @Test(arguments: [
            "training.precision=fp32", "training.precision=bf16", "training.activation_checkpointing=layer",
        ])
        func measures(override: String) throws {
            let place = try Workplace()
            let plan = try object(try place.run(["plan", "run.yaml", "--ranks", "2", "--json", "--set", override]))
            #expect(plan["gflops_measured"] as? Bool == true)
            // Eight ranks of a node have an eighth of it each, however many cores it has.
            let shared = try object(
                try place.run([
                    "plan", "run.yaml", "--ranks", "8", "--nodes", "1", "--json", "--set", override, "--set",
                    "training.threads=\(ProcessInfo.processInfo.activeProcessorCount)",
                ]))
            #expect((shared["gflops"] as? Double ?? .nan) < 0.5 * (plan["gflops"] as? Double ?? 0), "\(shared)")
            #expect((plan["gflops"] as? Double ?? 0) > 0 && (plan["memory_bytes_per_second"] as? Double ?? 0) > 0)
        }

        @Test func mistakesAreNamed() throws {
            let place = try Workplace()
            let cases: [([String], [String])] = [
                (["--ranks", "0"], ["--ranks", "\"0\"", "1 to 65536"]),
                (["--ranks", "2", "--bandwidth", "25Gb"], ["--bandwidth", "\"25Gb\"", "Gbit/s"]),
                (["--ranks", "2", "--latency", "slow"], ["--latency", "\"slow\"", "us"]),
                (["--ranks", "2", "--gflops", "0"], ["--gflops", "\"0\"", "above 0"]),
                (["--ranks", "2", "--node-memory", "lots"], ["--node-memory", "\"lots\"", "GiB"]),
                (["--ranks", "2", "--node-memory", "274877906944"], ["--node-memory", "274877906944", "GiB"]),
                (["--ranks", "2", "--nodes", "0"], ["--nodes", "0 found"]),
                (["--ranks", "2", "--nodes", "1", "--ranks-per-node", "2"], ["--nodes", "--ranks-per-node", "one"]),
                (
                    ["--ranks", "4", "--gflops", "1", "--set", "loss.normalization=reference"],
                    ["global_batch_size 10", "4 ranks", "reference_ranks"]
                ),
                ([], ["--ranks"]),
            ]
            for (options, names) in cases {
                expectOneMessage(try place.run(["plan", "run.yaml"] + options), status: 2, names: names)
            }
            expectOneMessage(
                try place.run(["plan", "run.yaml", "--ranks", "a"], ranks: 3), status: 2, names: ["--ranks", "\"a\""])
            expectOneMessage(
                try place.run(["plan", "absent.yaml", "--ranks", "2"]), status: 2, names: ["absent.yaml"])
        }

        @Test(arguments: [1, 2, 3, 4])
        func benchCollectives(ranks: Int) throws {
            let place = try Workplace()
            let result = try place.run(
                ["bench", "collectives", "--sizes", "4KiB,64KiB", "--threads", "1", "--json"], ranks: ranks)
            let report = try object(result)
            #expect(report["ranks"] as? Int == ranks && report["nodes"] as? Int == 1)
            #expect((report["memory_gb_per_second"] as? Double ?? 0) > 0)
            if ranks == 1 {
                #expect(report["ping_pong"] is NSNull)
            } else {
                let link = try #require(report["ping_pong"] as? [String: Any])
                #expect(link["rank"] as? Int == 1 && link["between_nodes"] as? Bool == false)
                #expect((link["latency_seconds"] as? Double ?? 0) > 0 && (link["bytes_per_second"] as? Double ?? 0) > 0)
            }
            let small = try #require(report["small"] as? [String: [String: Double]])
            #expect(Set(small.keys) == ["barrier", "scalar_sum"])
            #expect(small.values.allSatisfy { ($0["seconds"] ?? 0) > 0 })

            let rows = try #require(report["collectives"] as? [[String: Any]])
            // The window takes part wherever there is room for it; without it a run itself sends messages.
            let isShared = (report["algorithm"] as? String ?? "").contains("shared window of \(ranks) ranks")
            let paths = isShared ? ["training", "messages"] : ["training"]
            let names = ["reduce_scatter", "reduce_scatter_int64", "all_reduce", "all_gather", "all_gather_bf16"]
            #expect(rows.count == paths.count * names.count * 2)
            for path in paths {
                for name in names {
                    let own = rows.filter { $0["path"] as? String == path && $0["name"] as? String == name }
                    #expect(own.map { $0["bytes"] as? Int } == [4096, 65536], "\(path) \(name)")
                }
            }
            for row in rows {
                let seconds = try #require(row["seconds"] as? Double)
                let rate = try #require(row["algorithm_gb_per_second"] as? Double)
                let bytes = Double(try #require(row["bytes"] as? Int))
                #expect(seconds > 0 && (row["best_seconds"] as? Double ?? .nan) <= seconds)
                #expect(abs(rate * seconds * 1e9 / bytes - 1) < 1e-12)
                let factor = (row["name"] as? String == "all_reduce" ? 2.0 : 1) * Double(ranks - 1) / Double(ranks)
                let bus = try #require(row["bus_gb_per_second"] as? Double)
                #expect(abs(bus - factor * rate) <= 1e-12 * rate)
            }
        }

        @Test func benchCollectivesInWordsAndMistakes() throws {
            let place = try Workplace()
            let words = try place.run(["bench", "collectives", "--sizes", "4KiB", "--threads", "1"], ranks: 2)
            #expect(words.status == 0 && words.errors.isEmpty, "\(words)")
            for part in [
                "2 ranks on 1 nodes", "memory of a node", "rank 0 to rank 1", "barrier", "reduce_scatter_int64",
            ] {
                #expect(words.output.contains(part), "\(part): \(words)")
            }
            for sizes in ["big", "4B", "1MiB-4KiB"] {
                expectOneMessage(
                    try place.run(["bench", "collectives", "--sizes", sizes], ranks: 2), status: 2, names: ["--sizes"])
            }
            expectOneMessage(
                try place.run(["bench", "collectives", "--threads=-1"]), status: 2, names: ["--threads", "-1"])
        }
    }
}
