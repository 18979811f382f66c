// MetricsTests - the rows of metrics.jsonl (design section 5).

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct MetricsTests {
        static let trainingKeys: Set = [
            "step", "tokens", "loss", "ce", "entropy", "alpha", "lr", "grad_norm", "step_seconds", "tokens_per_second",
            "ranks",
        ]
        static let rankKeys: Set = ["sequences", "slowest", "slowest_seconds", "fastest", "fastest_seconds"]
        static let evaluationKeys: Set = [
            "step", "validation_ce", "domains", "uniform_mean", "worst_ce", "worst_domain", "frequency", "entropy",
            "entropy_share", "calibration_error", "bits_per_byte",
        ]
        static let saveKeys: Set = ["step", "saved", "stall_seconds", "write_seconds"]

        private static let twoDomains = [
            "data.validation=[{name: held-out, path: held-out.txt}, {name: seen, path: text.txt}]"
        ]

        @Test(arguments: [1, 3]) func rowsHaveExactlyTheirKeys(ranks: Int) throws {
            let place = try Workplace()
            let set = Self.twoDomains + ["evaluation.every=4", "loss.gamma=1.0", "logging.every=100"]
            let result = try place.train(set, ranks: ranks)
            #expect(result.status == 0, "\(result)")
            let metrics = try place.metrics()
            // Every step has a row, whatever logging.every says; evaluations follow step 4 and the last, then a save.
            #expect(metrics.rows.compactMap { $0.number("step") } == [1, 2, 3, 4, 4, 5, 6, 6, 6])
            #expect(metrics.steps.keys.sorted() == Array(1...6))
            #expect(metrics.evaluations.keys.sorted() == [4, 6])
            #expect(metrics.saves.keys.sorted() == [6])
            for row in metrics.steps.values {
                #expect(row.keys == Self.trainingKeys)
                let shares = try row.object("ranks")
                #expect(shares.keys == Self.rankKeys)
                #expect(shares.numbers("sequences") == (ranks == 1 ? [10] : [3, 3, 4]))
                #expect(try #require(shares.number("slowest_seconds")) >= #require(shares.number("fastest_seconds")))
                for key in Self.trainingKeys.subtracting(["ranks"]) {
                    #expect(row.number(key)?.isFinite == true, "\(key): \(row.text)")
                }
            }
            for row in metrics.evaluations.values {
                #expect(row.keys == Self.evaluationKeys)
                let domains = try row.object("domains")
                #expect(domains.keys == ["held-out", "seen"])
                // Equally many targets each: 8 sequences of 16.
                let mean = ((domains.number("held-out") ?? .nan) + (domains.number("seen") ?? .nan)) / 2
                #expect(abs(mean - (row.number("validation_ce") ?? .nan)) < 1e-12, "\(row.text)")
                try expectBuckets(row, domains)
            }
        }

        private func expectBuckets(_ row: JSONObject, _ domains: JSONObject) throws {
            let ce = try #require(row.number("validation_ce"))
            // As many targets in each domain: the two means are one.
            #expect(abs((row.number("uniform_mean") ?? .nan) - ce) < 1e-12, "\(row.text)")
            let values = domains.keys.map { ($0, domains.number($0) ?? .nan) }
            let worst = try #require(values.max { $0.1 < $1.1 })
            #expect(row.string("worst_domain") == worst.0 && row.number("worst_ce") == worst.1, "\(row.text)")
            let frequency = try row.object("frequency")
            #expect(frequency.keys == ["high", "medium", "low"])
            #expect(frequency.number("high")?.isFinite == true, "\(row.text)")
            let (entropy, share) = (try row.object("entropy"), try row.object("entropy_share"))
            #expect(entropy.keys == ["0-1", "1-2", "2-3", "3-4", "4-5", "5-6", "6+"] && share.keys == entropy.keys)
            // The mean over the buckets, weighted by their shares, is the mean; empty buckets have no CE.
            let parts = entropy.keys.map { (share.number($0) ?? .nan, entropy.number($0)) }
            #expect(parts.allSatisfy { ($0.0 == 0) == ($0.1 == nil) }, "\(row.text)")
            #expect(abs(parts.reduce(0) { $0 + $1.0 * ($1.1 ?? 0) } - ce) < 1e-9, "\(row.text)")
            let error = try #require(row.number("calibration_error"))
            #expect(error > 0 && error < 1, "\(row.text)")
            // A token is a byte here.
            #expect(abs((row.number("bits_per_byte") ?? .nan) / (ce / log(2)) - 1) < 1e-9, "\(row.text)")
        }

        @Test(arguments: [1, 3]) func everySaveHasARow(ranks: Int) throws {
            let place = try Workplace()
            let result = try place.train(["checkpoint.every=2", "checkpoint.initial=true"], ranks: ranks)
            #expect(result.status == 0, "\(result)")
            let metrics = try place.metrics()
            #expect(metrics.saves.keys.sorted() == [0, 2, 4, 6])
            for (step, row) in metrics.saves {
                #expect(row.keys == Self.saveKeys)
                #expect(row.string("saved") == "step-0000000\(step)")
                for key in ["stall_seconds", "write_seconds"] { #expect((row.number(key) ?? -1) >= 0, "\(row.text)") }
                let line = "saved runs/run/checkpoints/step-0000000\(step) (stalled "
                #expect(result.outputLines.filter { $0.hasPrefix(line) }.count == 1, "\(result)")
            }
            // The loop waits for the first and the last one.
            for step in [0, 6] {
                let row = try #require(metrics.saves[step])
                #expect((row.number("stall_seconds") ?? 0) > 0, "\(row.text)")
            }
        }

        @Test func valuesMeanWhatTheySay() throws {
            let place = try Workplace()
            #expect(try place.train(["data.ignored_targets=[32]"]).status == 0)
            let metrics = try place.metrics()
            let perStep = Workplace.batch * Workplace.sequenceLength
            #expect(try metrics.values("tokens", 1...6) == (1...6).map { (step: Int) in Double(step * perStep) })
            // Warm-up over 2 steps to 2e-3, then half a cosine over the other 4.
            let decay: [Double] = (0..<4).map { (step: Int) -> Double in 1e-3 * (1 + cos(Double.pi * Double(step) / 4))
            }
            let rates: [Double] = [1e-3, 2e-3] + decay
            #expect(difference(try metrics.values("lr", 1...6), rates, within: 1e-12) == nil)
            // Before anything is learnt every byte is equally likely, up to the small initial weights.
            let first = try #require(metrics.steps[1])
            for key in ["loss", "ce", "entropy"] {
                #expect(abs((first.number(key) ?? .nan) - log(257)) < 0.1, "\(key): \(first.text)")
            }
            // alpha = N / sum of (1 + H): the entropy hardly varies at the start.
            let alpha: Double = first.number("alpha") ?? .nan
            let meanWeight: Double = 1 + log(257)
            #expect(abs(alpha * meanWeight - 1) < 0.01, "\(first.text)")
            let seconds = try metrics.values("step_seconds", 1...6)
            let speeds = try metrics.values("tokens_per_second", 1...6)
            let positions = zip(seconds, speeds).map { $0 * $1 }
            #expect(difference(positions, [Double](repeating: Double(perStep), count: 6), within: 1e-9) == nil)
        }

        @Test func unweightedLossIsTheCrossEntropy() throws {
            for set in [["loss.kind=cross_entropy"], ["loss.gamma=0"], ["loss.kind=focal", "loss.gamma=0"]] {
                let place = try Workplace()
                #expect(try place.train(set).status == 0)
                let metrics = try place.metrics()
                #expect(difference(try metrics.losses(1...6), try metrics.values("ce", 1...6), within: 1e-7) == nil)
                #expect(try metrics.values("alpha", 1...6) == [Double](repeating: 1, count: 6))
            }
        }

        @Test func skippedStepsAreNullAndMarked() throws {
            let place = try Workplace()
            let result = try place.train(["loss.gamma=1.0e6", "schedule.total_steps=2"])
            // Nothing was learnt: the run is not done.
            expectOneMessage(
                result, status: 1,
                names: ["step 2 without a single update", "steps skipped, each with a warning: 2"])
            #expect(result.warnings.count == 2, "\(result)")
            for row in try place.metrics().steps.values {
                #expect(row.keys == Self.trainingKeys.union(["skipped"]))
                #expect(row.isTrue("skipped") && row.isNull("loss") && row.isNull("grad_norm"), "\(row.text)")
                #expect(row.number("ce")?.isFinite == true, "\(row.text)")
            }
        }

        /// The text has nothing but what is ignored, for three steps; then the weights of focal loss are all 0.
        @Test(arguments: [["data.ignored_targets=[32,256]"], ["loss.kind=focal", "loss.gamma=1.0e6"]])
        func stepsWithoutTargetsAreNullAndMarked(set: [String]) throws {
            let place = try Workplace()
            try place.folder.write(String(repeating: " ", count: 5000), to: "text.txt")
            let result = try place.train(
                set + ["schedule.total_steps=3", "training.maximum_skipped_steps=1"], ranks: 2)
            expectOneMessage(
                result, status: 1,
                names: ["step 3 without a single update", "steps without a target that counts: 3"])
            #expect(result.warnings.filter { $0.contains("step 1 has no target that counts") }.count == 1, "\(result)")
            let rows = try place.metrics().steps
            #expect(rows.keys.sorted() == [1, 2, 3])
            for row in rows.values {
                #expect(row.keys == Self.trainingKeys.union(["skipped", "no_targets"]))
                #expect(row.isTrue("skipped") && row.isTrue("no_targets"), "\(row.text)")
                #expect(row.isNull("loss") && row.isNull("alpha") && row.isNull("grad_norm"), "\(row.text)")
            }
            // The weights are those that the seed gave, without decay.
            let start = try Workplace()
            try start.folder.write(String(repeating: " ", count: 5000), to: "text.txt")
            #expect(try start.train(["checkpoint.initial=true", "checkpoint.keep=9"] + set).status == 1)
            let inspected = try ["step-00000000", "step-00000006"].map {
                try start.inspect("runs/run/checkpoints/\($0)").hashes("parameter")
            }
            #expect(inspected[0] == inspected[1] && !inspected[0].isEmpty)
        }

        /// Steps that are computed again have one row in the table, that of the last start.
        @Test func theTableHasEachStepOnce() throws {
            let place = try Workplace()
            let set = ["logging.sinks=[jsonl, csv]", "checkpoint.every=2", "evaluation.every=2"]
            #expect(try place.train(set + ["training.stop_at_step=5"], ranks: 2).status == 0)
            // The run goes on from step 4, after a row that a kill left unfinished.
            try place.folder.remove("runs/run/checkpoints/step-00000005")
            let table = try place.folder.text("runs/run/metrics.csv")
            try place.folder.write(table + "6,9", to: "runs/run/metrics.csv")
            let result = try place.train(set)
            #expect(result.status == 0 && result.output.contains(", step 4\n"), "\(result)")
            let lines = try place.folder.text("runs/run/metrics.csv").split(separator: "\n").map(String.init)
            #expect(lines.count == 7 && lines[...4] == table.split(separator: "\n").map(String.init)[...4])
            let metrics = try place.metrics()
            // Step 5 twice.
            #expect(metrics.rows.count { $0.number("tokens") != nil } == 7)
            let columns = lines[0].split(separator: ",").map(String.init)
            #expect(Set(columns) == Self.trainingKeys.subtracting(["ranks"]))
            for (step, line) in zip(1...6, lines.dropFirst()) {
                let row = try #require(metrics.steps[step])
                let cells = line.split(separator: ",", omittingEmptySubsequences: false)
                // The same digits.
                for (column, cell) in zip(columns, cells) {
                    #expect(row.text.contains("\"\(column)\": \(cell),"), "\(row.text)")
                }
                #expect(cells.count == columns.count)
            }
            // Another run in the same place begins another table, and a file of somebody else is not overwritten.
            try place.folder.remove("runs/run/checkpoints")
            try place.folder.write("a,b\n", to: "runs/run/metrics.csv")
            #expect(try place.train(set + ["training.stop_at_step=2"]).status == 0)
            #expect(try place.folder.text("runs/run/metrics.1.csv") == "a,b\n")
            #expect(try place.folder.text("runs/run/metrics.csv").split(separator: "\n").count == 3)
            try place.folder.write("a,b\n", to: "runs/run/metrics.csv")
            let refused = try place.train(set)
            expectOneMessage(refused, status: 2, names: ["runs/run/metrics.csv:1: found \"a,b\"", "logging.sinks"])
            #expect(try place.folder.text("runs/run/metrics.csv") == "a,b\n")
        }

        @Test func resumedRunAppendsAfterAnUnfinishedRow() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=3"]).status == 0)
            let rows = try place.folder.text("runs/run/metrics.jsonl")
            try place.folder.write(rows + #"{"step": 4, "tok"#, to: "runs/run/metrics.jsonl")
            #expect(try place.train().status == 0)
            #expect(try place.folder.text("runs/run/metrics.jsonl").hasPrefix(rows))
            #expect(try place.metrics().rows.compactMap { $0.number("step") } == [1, 2, 3, 3, 3, 4, 5, 6, 6, 6])
        }
    }
}
