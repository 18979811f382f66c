// MixtureTests - several domains: fractions, epochs, order, on any number of ranks and after a resume.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct MixtureTests {
        /// 1,024 sequences a step, of two domains in the ratio 7 to 3.
        private static let mixture = [
            "data.train=[{name: prose, path: text.txt, weight: 0.7}, {name: verse, path: held-out.txt, weight: 0.3}]",
            "training.global_batch_size=1024", "training.micro_batch_size=64", "schedule.total_steps=3",
            "model.num_hidden_layers=1",
        ]

        private func fractions(_ place: Workplace) throws -> [Int: [Double]] {
            try place.metrics().steps.mapValues { row in
                let mixture = try row.object("mixture")
                #expect(mixture.keys == ["prose", "verse"])
                return [try #require(mixture.number("prose")), try #require(mixture.number("verse"))]
            }
        }

        @Test func fractionsAreTheWeights() throws {
            let place = try Workplace()
            let result = try place.train(Self.mixture + ["training.stop_at_step=2"])
            #expect(result.status == 0, "\(result)")
            let first = try fractions(place)
            // Largest remainders: 717 and 307 of each 1,024.
            let quotas: [Double] = [717, 307].map { $0 / 1024 }
            #expect(first == [1: quotas, 2: quotas])
            // A resume with another batch goes on from the position, which no count of this process could know.
            let resumed = try place.train(Self.mixture + ["training.global_batch_size=1000"], ranks: 3)
            #expect(resumed.status == 0, "\(resumed)")
            let last = try #require(try fractions(place)[3])
            let uses = try order(place, 3048).reduce(into: 0) { $0 += $1.hasPrefix("prose") ? 1 : 0 }
            #expect(last == [Double(uses) / 3048, Double(3048 - uses) / 3048])
            // The plan at the start counts what was taken with the other batch, which 3 steps of 1,000 would not be.
            let plan = try #require(
                resumed.output.firstMatch(of: /domain prose: .* 3 steps take ([0-9.]+) epochs of its (\d+) tokens/))
            let sequences = (try #require(Int(plan.2)) - 1) / Workplace.sequenceLength
            #expect(plan.1 == String(format: "%.2f", Double(uses) / Double(sequences)), "\(resumed)")
            // The table at the end.
            let lines = resumed.outputLines.map { $0.split(separator: " ") }
            #expect(lines.contains { $0 == ["domain", "weight", "achieved", "tokens", "epochs"] }, "\(resumed)")
            let row = try #require(lines.first { $0.first == "prose" }, "\(resumed)")
            #expect(row[1] == "70.000" && row[5] == "\(uses * Workplace.sequenceLength)", "\(resumed)")
            #expect(resumed.outputLines.last?.hasPrefix("done: step 3 of 3") == true, "\(resumed)")
        }

        /// Places as `domain epoch sequence`.
        private func order(_ place: Workplace, _ count: Int, ranks: Int = 1, _ overrides: [String] = []) throws
            -> [String]
        {
            let result = try place.train(
                Self.mixture + overrides, options: ["--print-order", "\(count)"], ranks: ranks)
            #expect(result.status == 0 && result.errorLines == [], "\(result)")
            return try result.outputLines.enumerated().map { position, line in
                let object = try JSONObject(line)
                #expect(object.keys == ["position", "domain", "epoch", "sequence"])
                #expect(object.number("position") == Double(position))
                let numbers = try ["epoch", "sequence"].map { Int(try #require(object.number($0))) }
                return "\(object.string("domain") ?? "") \(numbers[0]) \(numbers[1])"
            }
        }

        @Test func theOrderIsThatOfTheConfiguration() throws {
            let place = try Workplace()
            let before = place.folder.everything()
            let alone = try order(place, 1500)
            #expect(alone.count == 1500)
            #expect(try order(place, 1500, ranks: 5) == alone)
            #expect(place.folder.everything() == before)
            // In the middle of a run it is still the same.
            #expect(try place.train(Self.mixture + ["training.stop_at_step=1"]).status == 0)
            #expect(try order(place, 1500, ["training.global_batch_size=64"]) == alone)
            #expect(alone.prefix(1024).count { $0.hasPrefix("prose") } == 717)
            // Each sequence once in each epoch.
            #expect(Set(alone).count == 1500)
            #expect(try order(place, 1500, ["training.seed=6"]) != alone)
            let bad = try place.train(options: ["--print-order", "0"])
            expectOneMessage(bad, status: 2, names: ["--print-order", "1 or more"])
        }

        /// What is trained on is that order: one and three ranks, stopped in between, see the same sequences.
        @Test func ranksAndStopsLeaveTheMixtureAlone() throws {
            let set =
                Self.mixture + [
                    "training.global_batch_size=30", "training.micro_batch_size=4", "schedule.total_steps=12",
                ]
            let straight = try Workplace()
            #expect(try straight.train(set).status == 0)
            let place = try Workplace()
            #expect(try place.train(set + ["training.stop_at_step=5"], ranks: 3).status == 0)
            #expect(try place.train(set, ranks: 2).status == 0)
            let expected = try straight.metrics().losses(1...12)
            #expect(difference(try place.metrics().losses(1...12), expected, within: 1e-4) == nil)
            #expect(try fractions(place) == fractions(straight))
            let other = try Workplace()
            #expect(try other.train(set + ["data.train.0.weight=0.5"]).status == 0)
            #expect(difference(try other.metrics().losses(1...12), expected, within: 1e-4) != nil)
        }

        @Test func epochsAreSaidAndTooManyWarnedOf() throws {
            let place = try Workplace()
            for options in [["--dry-run"], []] {
                let result = try place.train(Self.mixture, options: options)
                #expect(result.status == 0, "\(result)")
                #expect(result.outputLines.contains { $0.hasPrefix("domain prose: 70.00 % of the sequences; 3 steps") })
                // The short text is repeated some thirty times, the long one three or four.
                #expect(result.warnings.count == 1, "\(result)")
                for part in ["domain verse", "epochs", "2305.16264"] {
                    #expect(result.warnings.first?.contains(part) == true, "\(result)")
                }
            }
            // A run of one domain has no mixture in its rows.
            let single = try Workplace()
            #expect(try single.train().status == 0)
            #expect(try single.metrics().steps.values.allSatisfy { !$0.keys.contains("mixture") })
        }

        /// Counts are kept by a run that resumes, and formed anew where a checkpoint has none.
        @Test func countsSurviveAResumeAndCanBeFormedAnew() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=3"]).status == 0)
            #expect(try place.train(ranks: 2).status == 0)
            let resumed = try place.metrics().evaluations[6]
            let straight = try Workplace()
            #expect(try straight.train().status == 0)
            let expected = try #require(try straight.metrics().evaluations[6])
            let frequency = try #require(try resumed?.object("frequency"))
            for name in ["high", "medium", "low"] {
                let (ours, theirs) = (frequency.number(name), try expected.object("frequency").number(name))
                #expect((ours == nil) == (theirs == nil), "\(name)")
                #expect(abs((ours ?? 0) - (theirs ?? 0)) < 1e-4, "\(name)")
            }
            // An import has none, and the run that continues it counts.
            #expect(try place.run(["export", "runs/run/checkpoints", "--output", "hf"]).status == 0)
            #expect(try place.run(["import", "hf", "--output", "runs/next/checkpoints"]).status == 0)
            let next = try place.train(["logging.directory=runs/next", "schedule.total_steps=2"])
            #expect(next.status == 0, "\(next)")
            let row = try #require(try place.metrics("runs/next").evaluations[2])
            #expect(try row.object("frequency").number("high")?.isFinite == true, "\(row.text)")
        }
    }
}
