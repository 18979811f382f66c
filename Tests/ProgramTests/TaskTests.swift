// TaskTests - `eval --tasks` as its users meet it: one result on any number of ranks, and mistakes that name a line.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct TaskTests {
        private static let checkpoints = "runs/run/checkpoints"

        private static let lines = [
            #"{"task": "sea", "id": 11, "context": "the ship", "choices": ["sails over", "falls"], "label": 0}"#,
            #"{"task": "sea", "id": "b", "context": "a quiet ", "choices": ["night", "sea and", "the"], "label": 2}"#,
            #"{"task": "sea", "context": "", "choices": ["a quiet sea and the night", "zq"], "label": 1}"#,
            #"{"task": "last", "context": "the ship sails", "completion": " over"}"#,
            #"{"task": "last", "context": "a text of more than the thirty-two positions, a quiet", "completion": " sea"}"#,
            #"{"task": "order", "contexts": ["the ship", "xyz"], "completion": " sails", "label": 0}"#,
        ]

        private func trained() throws -> Workplace {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            try place.folder.write(Self.lines.joined(separator: "\n") + "\n", to: "tasks.jsonl")
            return place
        }

        @Test func sameOnAnyNumberOfRanks() throws {
            let place = try trained()
            var results: [JSONObject] = []
            for ranks in [1, 2, 3] {
                let result = try place.run(
                    [
                        "eval", Self.checkpoints, "--tasks", "tasks.jsonl", "--json", "--batch-size", "2",
                        "--per-document", "documents-\(ranks).jsonl",
                    ], ranks: ranks)
                #expect(result.status == 0 && result.outputLines.count == 1, "\(result)")
                results.append(try JSONObject(result.output))
            }
            let first = try results[0].object("tasks")
            #expect(results[0].keys == ["tasks"] && first.keys == ["sea", "last", "order"])
            #expect(
                try first.object("sea").keys == [
                    "documents", "truncated", "acc", "acc_stderr", "acc_norm", "acc_norm_stderr", "acc_bytes",
                    "acc_bytes_stderr",
                ])
            #expect(
                try first.object("last").keys == [
                    "documents", "truncated", "acc", "acc_stderr", "perplexity", "perplexity_stderr",
                ])
            #expect(try first.object("order").isNull("acc_stderr"))
            #expect(try first.object("last").number("truncated") == 1)
            let documents = try (1...3).map { ranks in
                try place.folder.text("documents-\(ranks).jsonl").split(separator: "\n").map {
                    try JSONObject(String($0))
                }
            }
            #expect(documents[0].map { $0.number("line") } == [1, 2, 3, 4, 5, 6])
            #expect(documents[0].compactMap { $0.number("id") } == [11])
            #expect(documents[0].compactMap { $0.string("id") } == ["b"])
            for other in 1...2 {
                #expect(documents[other].map(\.text) == documents[0].map(\.text))
                #expect(results[other].text == results[0].text)
            }
            // Another model is another result.
            #expect(try place.train(["training.stop_at_step=1", "logging.directory=runs/other"]).status == 0)
            let different = try place.run([
                "eval", "runs/other/checkpoints", "--tasks", "tasks.jsonl", "--json", "--batch-size", "2",
            ])
            #expect(different.status == 0, "\(different)")
            let perplexities = try [results[0], JSONObject(different.output)].map {
                log(try $0.object("tasks").object("last").number("perplexity") ?? .nan)
            }
            #expect(abs(perplexities[1] - perplexities[0]) > 0.01, "\(perplexities)")
        }

        /// A log-likelihood is the sum of `--per-token` over the last bytes of the text.
        @Test func logLikelihoodsAreThoseOfThePlainText() throws {
            let place = try trained()
            let pairs = [("the ship sails", " over"), ("a quiet", " sea and night")]
            try place.folder.write(
                pairs.map { #"{"task": "t", "context": "\#($0)", "completion": "\#($1)"}"# }.joined(separator: "\n"),
                to: "pairs.jsonl")
            let result = try place.run([
                "eval", Self.checkpoints, "--tasks", "pairs.jsonl", "--per-document", "documents.jsonl", "--json",
            ])
            #expect(result.status == 0, "\(result)")
            let documents = try place.folder.text("documents.jsonl").split(separator: "\n").map {
                try JSONObject(String($0))
            }
            var sums: [Double] = []
            for (pair, document) in zip(pairs, documents) {
                let text = pair.0 + pair.1
                try place.folder.write(text, to: "whole.txt")
                // The text is one sequence: every byte but the first is a target.
                let whole = try place.run([
                    "eval", Self.checkpoints, "--data", "whole.txt", "--sequence-length", "\(text.utf8.count - 1)",
                    "--per-token", "targets.jsonl",
                ])
                #expect(whole.status == 0, "\(whole)")
                let targets = try place.folder.text("targets.jsonl").split(separator: "\n").map {
                    try JSONObject(String($0))
                }
                #expect(targets.count == text.utf8.count - 1)
                let sum = targets.suffix(pair.1.utf8.count).reduce(0) { $0 - ($1.number("ce") ?? .nan) }
                let ll = try #require(document.numbers("ll"))
                // Sums of single-precision CE from matmuls of another size.
                #expect(ll.count == 1 && abs(ll[0] / sum - 1) < 1e-5, "\(ll) \(sum)")
                sums.append(sum)
            }
            let perplexity = try JSONObject(result.output).object("tasks").object("t").number("perplexity")
            #expect(abs((perplexity ?? .nan) / exp(-(sums[0] + sums[1]) / 2) - 1) < 1e-3)
        }

        @Test func besideDataAndForPeople() throws {
            let place = try trained()
            let both = ["eval", Self.checkpoints, "--tasks", "tasks.jsonl", "--data", "held-out.txt"]
            let json = try place.run(both + ["--json"])
            #expect(json.status == 0 && json.outputLines.count == 1, "\(json)")
            #expect(try JSONObject(json.output).keys.isSuperset(of: ["tokens", "ce", "domains", "tasks"]))
            let table = try place.run(both)
            #expect(table.status == 0, "\(table)")
            for start in ["held-out ", "task ", "sea ", "last ", "order ", "last: contexts that were cut"] {
                #expect(table.outputLines.contains { $0.hasPrefix(start) }, "\(start): \(table)")
            }
        }

        @Test func mistakesAreNamed() throws {
            let place = try trained()
            try place.folder.write(
                Self.lines[0] + "\n" + #"{"task": "sea", "context": "c", "choices": ["x", "y"], "label": 2}"#,
                to: "label.jsonl")
            try place.folder.write(
                #"{"task": "t", "context": "c", "completion": "\#(String(repeating: "x", count: 33))"}"#,
                to: "long.jsonl")
            let mistakes: [(arguments: [String], names: [String])] = [
                (["--tasks", "label.jsonl"], ["label.jsonl:2", "\"label\" is 2", "0 to 1"]),
                (
                    ["--tasks", "tasks.jsonl", "long.jsonl"],
                    ["long.jsonl:1", "33 tokens", "max_position_embeddings, 32"]
                ),
                (["--tasks", "absent.jsonl", "--data", "held-out.txt"], ["absent.jsonl", "there is no such file"]),
                (["--tasks", "tasks.jsonl", "--per-document", "absent/file"], ["--per-document", "absent/file"]),
            ]
            for mistake in mistakes {
                for ranks in [1, 3] {
                    let result = try place.run(["eval", Self.checkpoints] + mistake.arguments, ranks: ranks)
                    expectOneMessage(result, status: 2, names: mistake.names)
                }
            }
            for (arguments, name) in [
                ([], "--tasks"), (["--tasks", "tasks.jsonl", "--per-token", "f"], "--per-token needs --data"),
                (["--data", "held-out.txt", "--per-document", "f"], "--per-document needs --tasks"),
            ] {
                let result = try place.run(["eval", Self.checkpoints] + arguments)
                expectOneMessage(result, status: 2, names: [name])
            }
        }
    }
}
