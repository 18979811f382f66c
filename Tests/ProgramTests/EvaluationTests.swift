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
            #expect(object.keys.isSuperset(of: ["tokens", "ce", "perplexity", "bits_per_byte", "domains"]))
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

        @Test func mistakesAreNamed() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            for ranks in [1, 3] {
                var result = try place.run(["eval", Self.checkpoints, "--data", "absent.txt"], ranks: ranks)
                expectOneMessage(result, status: 2, names: ["absent.txt", "no such file"])
                result = try place.run(["eval", "absent", "--data", "held-out.txt"], ranks: ranks)
                expectOneMessage(result, status: 3, names: ["absent", "no such directory"])
            }
            var result = try place.run(
                ["eval", Self.checkpoints, "--data", "held-out.txt", "--sequence-length", "64"])
            expectOneMessage(result, status: 2, names: ["--sequence-length 64", "max_position_embeddings, 32"])
            result = try place.run(["eval", Self.checkpoints])
            expectOneMessage(result, status: 2, names: ["--data"])
            // A run directory is a likely mistake; the message says where its checkpoints are.
            result = try place.run(["eval", "runs/run", "--data", "held-out.txt"])
            expectOneMessage(result, status: 3, names: ["runs/run", "runs/run/checkpoints"])
        }
    }
}
