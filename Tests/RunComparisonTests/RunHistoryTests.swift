// RunHistoryTests - the configuration of each step of a run, and its role in comparisons.

import Kernels
import Optimization
import Testing

@testable import Configuration
@testable import Reporting
@testable import RunComparison

@Suite struct RunHistoryTests {
    private typealias Samples = CompareSamples

    private static func start(
        _ step: Int, _ origin: StartRecord.Origin = .checkpoint, known: Bool = true, weights: String? = nil,
        _ change: (inout RunConfiguration) -> Void = { _ in }
    ) -> StartRecord {
        var configuration = Samples.configuration(Samples.crossEntropy, seed: 1, directory: "")
        change(&configuration)
        return StartRecord(
            fromStep: step, origin: origin, path: weights.map { "runs/\($0)" }, parameters: weights,
            isHistoryKnown: known,
            configuration: configuration)
    }

    /// The steps of each part with its global batch size, by which the tests tell the starts apart.
    private func parts(_ steps: [(from: Int, batch: Int)], reached: Int) -> [String] {
        let records = steps.enumerated().map { index, step in
            Self.start(step.from, index == 0 ? .new : .checkpoint) { $0.training.globalBatchSize = step.batch }
        }
        return RunHistory(records, reachedStep: reached).parts.map {
            "\($0.steps.lowerBound)-\($0.steps.upperBound): \($0.configuration.training.globalBatchSize)"
        }
    }

    @Test func aStartReplacesWhatCameAfterItsCheckpoint() {
        #expect(parts([(0, 1)], reached: 40) == ["1-40: 1"])
        #expect(parts([(0, 1), (10, 2), (25, 3)], reached: 40) == ["1-10: 1", "11-25: 2", "26-40: 3"])
        // The last start goes back to step 5, so the steps of the second and third are replaced.
        #expect(parts([(0, 1), (10, 2), (25, 3), (5, 4)], reached: 40) == ["1-5: 1", "6-40: 4"])
        // A start that was killed before its first save has no steps.
        #expect(parts([(0, 1), (10, 2), (10, 3)], reached: 40) == ["1-10: 1", "11-40: 3"])
        #expect(parts([(0, 1), (0, 2)], reached: 40) == ["1-40: 2"])
        // A start at the last step takes no step.
        #expect(parts([(0, 1), (40, 2)], reached: 40) == ["1-40: 1"])
        #expect(parts([(0, 1)], reached: 0) == [])
    }

    @Test func aBeginningEndsTheStoryBefore() {
        let story = RunHistory(
            [Self.start(0, .new), Self.start(10), Self.start(0, .weights, weights: "w"), Self.start(20)],
            reachedStep: 40)
        #expect(story.parts.map(\.steps) == [1...20, 21...40] && story.unknownSteps == 0)
        #expect(story.origin?.parameters == "w")
    }

    /// A start from a checkpoint of an early version has unknown steps before it.
    @Test func whatIsNotKnownIsKnownToBeSo() {
        var story = RunHistory([Self.start(10, known: false), Self.start(30)], reachedStep: 40)
        #expect(story.parts.map(\.steps) == [11...30, 31...40] && story.unknownSteps == 10)
        #expect(story.origin == nil)
        story = RunHistory([Self.start(0, .new), Self.start(10, known: false), Self.start(5)], reachedStep: 40)
        #expect(story.parts.map(\.steps) == [6...40] && story.unknownSteps == 5)
        #expect(story.origin == nil)
    }

    @Test func phasesInWords() {
        #expect(RunHistory.words([("a", 40)]) == "a")
        #expect(RunHistory.words([("a", 10), ("a", 40)]) == "a")
        #expect(
            RunHistory.words([("a", 10), ("b", 20), ("b", 30), ("a", 40)]) == "a up to step 10, b up to step 30, then a"
        )
    }

    // MARK: - Comparisons

    private func run(
        _ directory: String, _ loss: LossConfiguration, _ starts: [StartRecord], seed: UInt64 = 1
    ) -> RunRecord {
        let sample = Samples.run(directory, loss, seed: seed)
        return RunRecord(
            directory: directory, configuration: sample.configuration,
            rows: RunRows(
                curve: sample.curve, lastStep: 40,
                evaluations: [EvaluationRow(step: 40, values: [.validation: 1.5], entropyShares: [:])]),
            starts: starts)
    }

    private let plain = [start(0, .new)]
    private let mile = [start(0, .new) { $0.loss = CompareSamples.mile }]

    private func refusal(_ runs: [RunRecord]) -> String {
        let failure = #expect(throws: ProgramFailure.self) { try Study(runs: runs, baseline: "cross_entropy") }
        #expect(failure?.status == .badInput)
        return failure?.message ?? ""
    }

    /// The name of an arm has the losses of all its steps, not the last one only.
    @Test func anArmIsNamedByAllOfItsSteps() throws {
        let focal = LossConfiguration(kind: .focal, gamma: 2)
        let changed = run("b", focal, plain + [Self.start(39) { $0.loss = focal }])
        let study = try Study(runs: [run("a", Samples.crossEntropy, plain), changed], baseline: "cross_entropy")
        #expect(study.arms.map(\.name) == ["cross_entropy", "cross_entropy up to step 39, then focal 2"])
        // A changed key that the loss does not read does not matter.
        let unread = [Self.start(0, .new), Self.start(5) { $0.loss.gamma = 3 }]
        #expect(run("a", Samples.crossEntropy, unread).lossName == "cross_entropy")
    }

    @Test func aLearningRateThatWasChangedMakesAnArm() throws {
        let changed = run(
            "b", Samples.crossEntropy, [Self.start(0, .new) { $0.optimizer.learningRate = 0.5 }, Self.start(9)])
        let rate = changed.configuration.optimizer.learningRate
        let names = try Study(
            runs: [run("a", Samples.crossEntropy, plain), changed],
            baseline: "cross_entropy, optimizer.learning_rate \(rate)"
        ).arms.map(\.name)
        #expect(names.last == "cross_entropy, optimizer.learning_rate 0.5 up to step 9, then \(rate)")
    }

    @Test func batchesAndSchedulesOfAllStepsMustAgree() throws {
        let baseline = run("a", Samples.crossEntropy, plain)
        let batch = mile.map { start in
            var start = start
            start.configuration.training.globalBatchSize = 4
            return start
        }
        var message = refusal([baseline, run("b", Samples.mile, batch + [Self.start(10) { $0.loss = Samples.mile }])])
        #expect(
            message.contains("\n  training.global_batch_size: a has 8, b has 4 up to step 10, then 8"), "\(message)")
        let total = [Self.start(0, .new) { $0.schedule.totalSteps = 20 }, Self.start(20)]
        message = refusal([baseline, run("b", Samples.mile, total)])
        #expect(message.contains("\n  schedule.total_steps: a has 40, b has 20 up to step 20, then 40"), "\(message)")
        // Runs with equal changes are comparable.
        let two = [
            run("a", Samples.crossEntropy, total),
            run(
                "b", Samples.mile,
                total.map { start in
                    var start = start
                    start.configuration.loss = Samples.mile
                    return start
                }),
        ]
        #expect(try Study(runs: two, baseline: "cross_entropy").arms.count == 2)
    }

    /// Schedules with the same rates at all steps are equal, as a constant rate that was extended.
    @Test func schedulesWithTheSameRatesAreTheSame() throws {
        func constant(_ steps: Int) -> (inout RunConfiguration) -> Void {
            { $0.schedule = LearningRateSchedule(kind: .constant, warmupSteps: 2, totalSteps: steps) }
        }
        let (long, short) = (
            [Self.start(0, .new, constant(40))],
            [Self.start(0, .new, constant(20)), Self.start(20, .checkpoint, constant(40))]
        )
        let settings = [long, short].map { starts in
            var configuration = Samples.configuration(Samples.crossEntropy, seed: 1, directory: "")
            constant(40)(&configuration)
            return RunRecord.settings(configuration, RunHistory(starts, reachedStep: 40).unifyingSchedules()).map(
                \.text)
        }
        #expect(settings[0] == settings[1])
        let other = [Self.start(0, .new, constant(20)), Self.start(19) { $0.schedule.totalSteps = 40 }]
        #expect(RunHistory(other, reachedStep: 40).unifyingSchedules().parts[0].configuration.schedule.totalSteps == 20)
    }

    /// A stable run that continued into a decay equals a run that was configured with the decay.
    @Test func aStableRunIsTheBeginningOfItsDecay() throws {
        let decay = LearningRateSchedule(kind: .wsd, warmupSteps: 2, totalSteps: 40, decaySteps: 10, decayShape: .sqrt)
        let stable = LearningRateSchedule(kind: .wsd, warmupSteps: 2, totalSteps: 1000)
        func schedules(upTo step: Int) -> [LearningRateSchedule] {
            let starts = [
                Self.start(0, .new) { $0.schedule = stable }, Self.start(step, .checkpoint) { $0.schedule = decay },
            ]
            return RunHistory(starts, reachedStep: 40).unifyingSchedules().parts.map(\.configuration.schedule)
        }
        // Step 31 is the last one with the full rate.
        #expect(schedules(upTo: 31) == [decay, decay])
        #expect(schedules(upTo: 32) == [stable, decay])
    }

    @Test func pairsBeginWithTheSameWeights() throws {
        let (a, b) = (
            [Self.start(0, .weights, weights: "a")], [Self.start(0, .imported, weights: "b") { $0.loss = Samples.mile }]
        )
        let baseline = run("c", Samples.crossEntropy, plain)
        var message = refusal([baseline, run("m", Samples.mile, b)])
        #expect(
            message.contains("\n  seed 1: m began with those of runs/b, c with weights of its seed"), "\(message)")
        message = refusal([run("c", Samples.crossEntropy, a), run("m", Samples.mile, b)])
        #expect(message.contains("m began with those of runs/b, c with those of runs/a"), "\(message)")
        // Equal hashes are equal weights, whatever the path and the kind of start.
        let imported = [Self.start(0, .imported, weights: "a") { $0.loss = Samples.mile }]
        let study = try Study(
            runs: [run("c", Samples.crossEntropy, a), run("m", Samples.mile, imported)], baseline: "cross_entropy")
        #expect(study.originNotes == ["All runs began with those of runs/a."])
    }

    @Test func whatIsNotKnownIsSaid() throws {
        let old = Samples.run("old", Samples.mile, seed: 1)
        var notes = try Samples.comparison([run("c", Samples.crossEntropy, plain), old]).notes
        #expect(notes.contains { $0.hasPrefix("How old came about is not known") }, "\(notes)")
        let late = run("late", Samples.mile, [Self.start(10, known: false) { $0.loss = Samples.mile }])
        notes = try Samples.comparison([run("c", Samples.crossEntropy, plain), late]).notes
        #expect(notes.contains { $0.hasPrefix("How late up to step 10 came about is not known") }, "\(notes)")
        notes = try Samples.comparison([run("c", Samples.crossEntropy, plain), run("m", Samples.mile, mile)]).notes
        #expect(!notes.contains { $0.contains("came about") }, "\(notes)")
    }

    /// A run with `starts.jsonl` must have an evaluation at `training.stop_at_step`; an early version made none.
    @Test func aRunThatStoppedIsFinishedWithItsEvaluation() {
        func run(_ starts: [StartRecord]) -> RunRecord {
            var configuration = Samples.configuration(Samples.mile, seed: 1, directory: "")
            configuration.training.stopAtStep = 35
            configuration.evaluation.every = 10
            return RunRecord(
                directory: "a", configuration: configuration,
                rows: RunRows(
                    lastStep: 35, evaluations: [EvaluationRow(step: 30, values: [.validation: 1], entropyShares: [:])]),
                starts: starts)
        }
        #expect(run([]).isFinished)
        #expect(!run(mile).isFinished)
    }
}
