// EvaluationTests - `eval` and the evaluation in training give one result, on any number of ranks.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct EvaluationTests {
        private static let checkpoints = "runs/run/checkpoints"

        @Test func sameAsInTrainingAndOnAnyNumberOfRanks() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let row = try #require(try place.metrics().evaluations[6])
            let arguments = ["eval", Self.checkpoints, "--data", "held-out.txt", "--sequences", "8", "--json"]
            let alone = try place.run(arguments)
            #expect(alone.status == 0, "\(alone)")
            let object = try JSONObject(alone.output)
            let ce = try #require(object.number("ce"))
            #expect(abs(ce - (row.number("validation_ce") ?? .nan)) < 1e-6, "\(row.text) \(object.text)")
            // The buckets of the run, with its counts from the checkpoint.
            for key in ["frequency", "entropy"] {
                let (trained, evaluated) = (try row.object(key), try object.object(key))
                #expect(trained.keys == evaluated.keys)
                for name in trained.keys {
                    let bucket = try evaluated.object(name)
                    #expect(abs((trained.number(name) ?? 0) - (bucket.number("ce") ?? 0)) < 1e-5, "\(name)")
                    #expect(trained.isNull(name) == (bucket.number("tokens") == 0), "\(name)")
                }
            }
            for key in ["calibration_error", "bits_per_byte", "uniform_mean"] {
                #expect(abs((row.number(key) ?? .nan) - (object.number(key) ?? .nan)) < 1e-5, "\(key)")
            }
            // Sums are added in the order of the sequences: not a bit changes.
            let three = try place.run(arguments, ranks: 3)
            #expect(three.output == alone.output, "\(three)")
            #expect(three.status == 0, "\(three)")
            // Another text is not the same.
            let other = try place.run(["eval", Self.checkpoints, "--data", "text.txt", "--sequences", "8", "--json"])
            #expect(abs((try JSONObject(other.output).number("ce") ?? .nan) - ce) > 1e-4)
        }

        @Test func trainingEvaluatesAlikeOnAnyNumberOfRanks() throws {
            func evaluation(ranks: Int) throws -> Double {
                let place = try Workplace()
                let result = try place.train(["schedule.total_steps=2", "evaluation.sequences=0"], ranks: ranks)
                #expect(result.status == 0, "\(result)")
                return try #require(try place.metrics().evaluations[2]?.number("validation_ce"))
            }
            #expect(abs(try evaluation(ranks: 3) / evaluation(ranks: 1) - 1) < 1e-5)
        }

        @Test func jsonKeys() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let result = try place.run([
                "eval", "\(Self.checkpoints)/step-00000006", "--data", "held-out.txt", "prose=text.txt", "--sequences",
                "3", "--json", "--per-token", "targets.jsonl",
            ])
            #expect(result.status == 0, "\(result)")
            #expect(result.outputLines.count == 1, "\(result)")
            let object = try JSONObject(result.output)
            #expect(
                object.keys == [
                    "tokens", "ce", "perplexity", "bits_per_byte", "uniform_mean", "worst", "calibration_error",
                    "domains", "frequency", "entropy",
                ])
            let targets = 3 * Workplace.sequenceLength
            #expect(object.number("tokens") == Double(2 * targets))
            let ce = try #require(object.number("ce"))
            #expect(abs((object.number("perplexity") ?? .nan) / exp(ce) - 1) < 1e-12)
            // A token is a byte here.
            #expect(abs((object.number("bits_per_byte") ?? .nan) / (ce / log(2)) - 1) < 1e-12)
            let domains = try object.object("domains")
            #expect(domains.keys == ["held-out", "prose"])
            for name in domains.keys {
                let domain = try domains.object(name)
                #expect(domain.keys == ["tokens", "ce"])
                #expect(domain.number("tokens") == Double(targets))
            }
            let lines = try place.folder.text("targets.jsonl").split(separator: "\n").map { try JSONObject(String($0)) }
            #expect(lines.count == 2 * targets)
            #expect(lines.allSatisfy { $0.keys == ["position", "token", "ce", "entropy"] })
            let mean = lines.reduce(0) { $0 + ($1.number("ce") ?? .nan) } / Double(lines.count)
            #expect(abs(mean / ce - 1) < 1e-9)
            let text = try place.folder.bytes("held-out.txt")
            #expect(lines.prefix(targets).map { $0.number("token") } == text[1...targets].map { Double($0) })
        }

        /// The buckets against the lines of single targets, and counts by hand.
        @Test func bucketsAreThoseOfTheTrainingCounts() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let arguments = [
                "eval", Self.checkpoints, "--data", "held-out.txt", "--per-token", "targets.jsonl", "--json",
            ]
            let result = try place.run(arguments, ranks: 2)
            #expect(result.status == 0 && result.warnings == [], "\(result)")
            let object = try JSONObject(result.output)
            let lines = try place.folder.text("targets.jsonl").split(separator: "\n").map { try JSONObject(String($0)) }
            let targets = try lines.map { line in
                (
                    token: Int(try #require(line.number("token"))), ce: try #require(line.number("ce")),
                    entropy: try #require(line.number("entropy"))
                )
            }
            // Bytes of the training text and its end token, sorted by count.
            var counts = [Int](repeating: 0, count: 257)
            for byte in try place.folder.bytes("text.txt") { counts[Int(byte)] += 1 }
            counts[256] = 1
            let total = Double(counts.reduce(0, +))
            var (names, before) = ([Int: String](), 0.0)
            for id in (0..<257).sorted(by: { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1 }) {
                names[id] =
                    counts[id] == 0 || before / total >= 0.95 ? "low" : before / total >= 0.8 ? "medium" : "high"
                before += Double(counts[id])
            }
            for name in ["high", "medium", "low"] {
                try expect(
                    object.object("frequency").object(name), targets.filter { names[$0.token] == name }.map(\.ce))
            }
            for k in 0..<6 {
                let part = targets.filter { Int($0.entropy) == k }.map(\.ce)
                try expect(object.object("entropy").object("\(k)-\(k + 1)"), part)
            }
            try expect(object.object("entropy").object("6+"), targets.filter { $0.entropy >= 6 }.map(\.ce))
            let worst = try object.object("worst")
            #expect(worst.string("name") == "held-out" && worst.number("ce") == object.number("ce"))
            // Counting the same text again changes nothing; another one changes the buckets alone.
            let again = try place.run(arguments + ["--counts", "text.txt"])
            #expect(again.output == result.output, "\(again)")
            try place.folder.write("zzzz zz", to: "other.txt")
            let other = try JSONObject(try place.run(arguments + ["--counts", "other.txt"]).output)
            #expect(other.number("ce") == object.number("ce"))
            #expect(
                try other.object("frequency").object("low").number("tokens")
                    != object.object("frequency").object("low").number("tokens"))
        }

        private func expect(_ bucket: JSONObject, _ ce: [Double]) throws {
            #expect(bucket.keys == ["tokens", "ce"])
            #expect(bucket.number("tokens") == Double(ce.count))
            guard !ce.isEmpty else { return #expect(bucket.isNull("ce")) }
            let mean = ce.reduce(0, +) / Double(ce.count)
            #expect(abs((bucket.number("ce") ?? .nan) / mean - 1) < 1e-9)
        }

        /// An imported model has never seen any counts: that is said, and the rest is there.
        @Test func withoutCountsThereAreNoFrequencies() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            #expect(try place.run(["export", Self.checkpoints, "--output", "hf"]).status == 0)
            #expect(try place.run(["import", "hf", "--output", "imported"]).status == 0)
            let arguments = ["eval", "imported", "--data", "held-out.txt", "--sequence-length", "16"]
            let result = try place.run(arguments + ["--json"], ranks: 2)
            #expect(result.status == 0, "\(result)")
            #expect(result.warnings.count == 1 && result.warnings.first?.contains("--counts") == true, "\(result)")
            let line = try #require(result.outputLines.first { $0.hasPrefix("{") })
            let object = try JSONObject(line)
            #expect(object.isNull("frequency") && object.number("ce")?.isFinite == true)
            #expect(try object.object("entropy").keys.count == 7)
            let table = try place.run(arguments + ["--counts", "text.txt"])
            #expect(table.status == 0 && table.warnings == [], "\(table)")
            for start in ["domain ", "held-out ", "all ", "high ", "low ", "0-1 ", "6+ ", "expected calibration error"]
            {
                #expect(table.outputLines.contains { $0.hasPrefix(start) }, "\(start): \(table)")
            }
        }

        /// A second pool's threads would take the first one's cores.
        @Test func threadsAreStartedOnce() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            // No text: that is encoded on threads of its own.
            try place.folder.writePrepared((0..<4000).map { $0 * 7 % 250 }, to: "p")
            let program = try place.start(["eval", Self.checkpoints, "--data", "p", "--threads", "33"])
            var most = 0
            while program.isRunning {
                let tasks = "/proc/\(program.processIdentifier)/task"
                most = max(most, (try? FileManager.default.contentsOfDirectory(atPath: tasks).count) ?? 0)
                Thread.sleep(forTimeInterval: 0.001)
            }
            let result = program.wait()
            #expect(result.status == 0, "\(result)")
            // The libraries have a few.
            #expect(most < 33 + 16, "\(most) threads: \(result)")
        }

        @Test func mistakesAreNamed() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            for ranks in [1, 3] {
                var result = try place.run(["eval", Self.checkpoints, "--data", "absent.txt"], ranks: ranks)
                expectOneMessage(result, status: 2, names: ["--data: absent.txt: there is no such file"])
                #expect(!result.errors.contains("data.validation"), "\(result)")
                result = try place.run(["eval", "absent", "--data", "held-out.txt"], ranks: ranks)
                expectOneMessage(result, status: 3, names: ["absent", "no such directory"])
            }
            var result = try place.run(
                ["eval", Self.checkpoints, "--data", "held-out.txt", "--sequence-length", "64"])
            expectOneMessage(result, status: 2, names: ["--sequence-length 64", "max_position_embeddings, 32"])
            result = try place.run(["eval", Self.checkpoints])
            expectOneMessage(result, status: 2, names: ["--data"])
            result = try place.run(["eval", Self.checkpoints, "--data", "x=text.txt", "x=held-out.txt"])
            expectOneMessage(result, status: 2, names: ["--data: \"x\" names text.txt and held-out.txt"])
            try place.folder.write("short", to: "short.txt")
            result = try place.run(["eval", Self.checkpoints, "--data", "short.txt"])
            expectOneMessage(
                result, status: 2, names: ["--data: short.txt: the file holds 6 tokens", "--sequence-length 16 needs"])
            // A run directory is a likely mistake; the message says where its checkpoints are.
            result = try place.run(["eval", "runs/run", "--data", "held-out.txt"])
            expectOneMessage(result, status: 3, names: ["runs/run", "runs/run/checkpoints"])
        }
    }
}
