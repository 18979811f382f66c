// StudyTests - arms, pairs, and runs that are not comparable.

import Configuration
import Kernels
import LlamaModel
import Optimization
import Testing
import TokenData

@testable import Reporting
@testable import RunComparison

@Suite struct StudyTests {
    private typealias Samples = CompareSamples

    private func failure(_ runs: [RunRecord], baseline: String = "cross_entropy") -> ProgramFailure? {
        #expect(throws: ProgramFailure.self) { try Study(runs: runs, baseline: baseline) }
    }

    private func expect(_ failure: ProgramFailure?, names: String..., location: SourceLocation = #_sourceLocation) {
        #expect(failure?.status == .badInput, sourceLocation: location)
        for name in names {
            #expect(
                failure?.message.contains(name) == true, "\(name): \(failure?.message ?? "")", sourceLocation: location)
        }
    }

    @Test func armsBySeedWithTheBaselineFirst() throws {
        let study = try Study(runs: Samples.four(), baseline: "cross_entropy")
        #expect(study.arms.map(\.name) == ["cross_entropy", "mile 1"])
        #expect(study.arms.map { $0.runs.map(\.directory) } == [["runs/c1", "runs/c2"], ["runs/m1", "runs/m2"]])
        #expect(study.seeds == [1, 2])
        #expect(study.step == 40)
        #expect(study.executionKeys.isEmpty)
        #expect(try Study(runs: Samples.four(), baseline: "mile 1").arms.map(\.name) == ["mile 1", "cross_entropy"])
    }

    /// A key that the loss does not read is no part of its name.
    @Test(arguments: [
        (LossConfiguration(kind: .crossEntropy, gamma: 3, sigma: 2), "cross_entropy"),
        (LossConfiguration(kind: .focal, gamma: 2, sigma: 2), "focal 2"),
        (LossConfiguration(kind: .mile, gamma: 0.5), "mile 0.5"),
        (LossConfiguration(kind: .mile, gamma: 1, sigma: 2, probabilityFloor: 1e-8), "mile 1 sigma 2 floor 1e-08"),
        (LossConfiguration(kind: .mile, normalization: .reference), "mile 1 reference"),
        (
            LossConfiguration(kind: .crossEntropy, normalization: .reference, referenceRanks: 4),
            "cross_entropy reference 4"
        ),
    ])
    func names(_ loss: LossConfiguration, _ name: String) { #expect(Study.name(of: loss) == name) }

    /// The keys of a loss that ``Study/name(of:)`` knows. Why: arms that differ in another key would become one arm.
    @Test func namesKnowEveryKey() {
        let keys = Mirror(reflecting: LossConfiguration()).children.compactMap(\.label)
        #expect(keys == ["kind", "gamma", "sigma", "normalization", "referenceRanks", "probabilityFloor"])
    }

    @Test func otherKeysMakeArmsOrAreShown() throws {
        var runs = Samples.four()
        runs[0] = Samples.run("runs/m1", Samples.mile, seed: 1) { $0.optimizer.learningRate = 0.5 }
        runs[1] = Samples.run("runs/m2", Samples.mile, seed: 2) { $0.optimizer.learningRate = 0.5 }
        let rate = Samples.configuration(Samples.mile, seed: 1, directory: "").optimizer.learningRate
        #expect(
            try Study(runs: runs, baseline: "cross_entropy, optimizer.learning_rate \(rate)").arms.map(\.name)
                == ["cross_entropy, optimizer.learning_rate \(rate)", "mile 1, optimizer.learning_rate 0.5"])
        runs = Samples.four()
        runs[0] = Samples.run("runs/m1", Samples.mile, seed: 1) { $0.training.threads = 3 }
        let study = try Study(runs: runs, baseline: "cross_entropy")
        #expect(study.arms.count == 2)
        #expect(study.executionKeys == ["training.threads"])
    }

    @Test(arguments: [
        ("model.num_hidden_layers", "2", "3"), ("data.train", "books.txt", "web.txt"),
        ("schedule.total_steps", "40", "41"), ("training.global_batch_size", "8", "9"),
        ("evaluation.sequences", "256", "7"),
    ])
    func differencesThatSpoilAComparison(_ key: String, _ before: String, _ after: String) {
        var runs = Samples.four()
        runs[2] = Samples.run("runs/c2", Samples.crossEntropy, seed: 2) { run in
            switch key {
            case "model.num_hidden_layers": run.model.hiddenLayerCount = 3
            case "data.train": run.data.train[0].path = "web.txt"
            case "schedule.total_steps": run.schedule.totalSteps = 41
            case "training.global_batch_size": run.training.globalBatchSize = 9
            default: run.evaluation.sequences = 7
            }
        }
        let failure = failure(runs)
        expect(failure, names: "\n  \(key): runs/m1 has ", "runs/c2 has ", before, after)
        #expect(failure?.message.split(separator: "\n").count == 2)
    }

    @Test func pairsMustBeComplete() {
        expect(
            failure(Array(Samples.four().dropLast())), names: "cross_entropy has no run with training.seed 1", "mile 1",
            "runs/m1")
        expect(
            failure(Samples.four() + [Samples.run("runs/again", Samples.mile, seed: 2)]), names: "runs/m2",
            "runs/again", "training.seed 2")
    }

    @Test func unfinishedRunsAreNamed() throws {
        var runs = Samples.four()
        runs[1] = Samples.run("runs/m2", Samples.mile, seed: 2, step: 30, trained: 35)
        let failure = failure(runs)
        expect(
            failure, names: "unfinished",
            "\n  runs/m2: step 35 of 40 (schedule.total_steps), last evaluated after step 30")
        #expect(failure?.message.contains("\n  runs/m1") == false)
        // The run trained to its last step, but stopped before the last evaluation.
        runs[1] = Samples.run("runs/m2", Samples.mile, seed: 2, step: 30, trained: 40)
        expect(self.failure(runs), names: "unfinished", "\n  runs/m2: step 40 of 40 (schedule.total_steps), last")
        // The last training row is missing. The evaluation shows that the step was taken.
        runs[1] = Samples.run("runs/m2", Samples.mile, seed: 2, step: 40, trained: 39)
        #expect(try Study(runs: runs, baseline: "cross_entropy").step == 40)
        runs = runs.map { RunRecord(directory: $0.directory, configuration: $0.configuration, rows: RunRows()) }
        expect(self.failure(runs), names: "runs/m1/metrics.jsonl", "no evaluation")
    }

    /// Runs that all stopped early at one evaluation are unfinished.
    @Test func equallyFarIsNotFarEnough() throws {
        func two(trained: Int = 30, stop: Int, every: Int = 10) -> [RunRecord] {
            [("a", Samples.mile), ("b", Samples.crossEntropy)].map { directory, loss in
                Samples.run(directory, loss, seed: 1, step: 30, trained: trained) {
                    $0.training.stopAtStep = stop
                    $0.evaluation.every = every
                }
            }
        }
        expect(
            failure(two(stop: 0)), names: "unfinished",
            "\n  a: step 30 of 40 (schedule.total_steps), last evaluated after "
                + "step 30", "\n  b: step 30 of 40")
        // Runs that were configured to stop there are finished. A note names the step.
        for stop in [30, 35, 39] {
            let comparison = try Samples.comparison(two(trained: stop, stop: stop))
            #expect(comparison.study.step == 30)
            #expect(comparison.notes.first == "All runs were last evaluated after step 30 of 40.")
        }
        // A run without its last step or its last evaluation is unfinished.
        expect(failure(two(trained: 34, stop: 35)), names: "unfinished", "\n  a: step 34 of 35 (training.stop_at_step)")
        expect(failure(two(trained: 35, stop: 35, every: 5)), names: "unfinished", "\n  a: step 35 of 35")
        // All runs are finished, at different steps.
        var runs = Samples.four()
        runs[1] = Samples.run("runs/m2", Samples.mile, seed: 2, step: 30) {
            $0.training.stopAtStep = 30
            $0.evaluation.every = 10
        }
        let different = failure(runs)
        expect(
            different, names: "runs/m1 was last evaluated after step 40",
            "\n  runs/m2: step 30 of 30 (training.stop_at_step), last evaluated after step 30")
        #expect(different?.message.contains("unfinished") == false)
    }

    private static func data(books: (tokens: String, hash: String), tokenizer: String = "bytes") -> String {
        #"{"domains": [{"name": "web", "weight": 1, "hash": "w"}, {"name": "books", "weight": 1, "tokens": "#
            + "\(books.tokens), \"hash\": \"\(books.hash)\"}], \"sequenceLength\": 32, \"tokenizer\": \"\(tokenizer)\"}"
    }

    private func four(_ data: [String?]) -> [RunRecord] {
        zip([("m1", Samples.mile, 1), ("m2", Samples.mile, 2), ("c1", Samples.crossEntropy, 1)], data).map {
            Samples.run($0.0, $0.1, seed: $0.2, data: $1)
        } + [Samples.run("c2", Samples.crossEntropy, seed: 2, data: data[3])]
    }

    /// Runs with equal paths in `data.train` may have read different texts.
    @Test func otherTokensUnderTheSamePathAreNamed() throws {
        let hash = "0123456789abcdef" + String(repeating: "0", count: 48)
        let usual = Self.data(books: ("801", hash))
        for other in [("802", hash), ("801", "f" + hash)] {
            let failure = failure(four([nil, usual, usual, Self.data(books: other)]))
            expect(
                failure, names: "other data under the same paths",
                "\n  data.train books: m2 has 801 tokens with the hash 0123456789abcdef, c2 has \(other.0) tokens with the "
                    + "hash \(other.1.prefix(16))")
            #expect(failure?.message.split(separator: "\n").count == 2)
        }
        expect(
            failure(four([usual, usual, usual, Self.data(books: ("801", hash), tokenizer: "sentencepiece")])),
            names: "c2 has {", "sentencepiece")
    }

    @Test func whatWasJudgedIsSaid() throws {
        let usual = Self.data(books: ("801", "h"))
        func note(_ data: [String?]) throws -> String? { try Samples.comparison(four(data)).notes.last }
        #expect(
            try note([usual, usual, usual, usual])
                == "The training data are the same by the fingerprints in the checkpoints of all runs; validation data are "
                + "judged by their paths alone.")
        #expect(
            try note([nil, nil, nil, nil])
                == "That the data are the same is judged by their paths alone: no run has a checkpoint that can be read."
        )
        for (data, words) in [
            ([usual, usual, nil, usual], "3 of 4 runs, and by their paths alone for the rest (c1 has no"),
            ([nil, usual, nil, nil], "1 of 4 runs, and by their paths alone for the rest (c1 and 2 more have no"),
        ] {
            let note = try note(data) ?? ""
            #expect(note.contains(words), "\(note)")
        }
    }

    @Test func aBaselineAndAnotherArm() {
        expect(failure(Samples.four(), baseline: "focal 1"), names: "--baseline", "focal 1", "\"mile 1\"")
        expect(failure(Array(Samples.four().prefix(2))), names: "mile 1", "at least two losses")
        expect(failure([]), names: "no run")
    }
}
