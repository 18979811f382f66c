// CompareSamples - runs for the tests of comparisons, made without training.

import Configuration
import Kernels
import LlamaModel
import Optimization
import TokenData

@testable import RunComparison

enum CompareSamples {
    static let crossEntropy = LossConfiguration(kind: .crossEntropy)
    static let mile = LossConfiguration(kind: .mile, gamma: 1)

    static func configuration(_ loss: LossConfiguration, seed: UInt64, directory: String) -> RunConfiguration {
        RunConfiguration(
            name: "run",
            model: ModelConfiguration(
                hiddenSize: 32, intermediateSize: 64, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
                vocabularySize: 257, maxPositionEmbeddings: 32),
            data: DataConfiguration(
                train: [.init(name: "books", path: "books.txt")],
                validation: [.init(name: "prose", path: "prose.txt"), .init(name: "code", path: "code.txt")],
                sequenceLength: 32),
            loss: loss, schedule: LearningRateSchedule(warmupSteps: 2, totalSteps: 40),
            training: TrainingConfiguration(globalBatchSize: 8, seed: seed),
            logging: LoggingConfiguration(directory: directory))
    }

    /// A run that was last evaluated after `step`. Its curve falls by 0.01 per step.
    ///
    /// - Parameters:
    ///   - trained: last step of the run; nil for `step`.
    ///   - data: JSON of the data fingerprint.
    static func run(
        _ directory: String, _ loss: LossConfiguration, seed: UInt64, step: Int = 40, trained: Int? = nil,
        values: [MeasuredColumn: Double] = [.validation: 1.5], shares: [String: Double] = [:],
        data: String? = nil, change: (inout RunConfiguration) -> Void = { _ in }
    ) -> RunRecord {
        var configuration = configuration(loss, seed: seed, directory: directory)
        change(&configuration)
        let curve = Dictionary(uniqueKeysWithValues: (1...40).map { ($0, 2 - Double($0) / 100) })
        return RunRecord(
            directory: directory, configuration: configuration,
            rows: RunRows(
                curve: curve, lastStep: trained ?? step,
                evaluations: [EvaluationRow(step: step, values: values, entropyShares: shares)]),
            data: data.map { try! DataFingerprint(json: $0) })
    }

    /// Two losses with two seeds each: differences -0.03 and -0.01 in validation_ce.
    static func four() -> [RunRecord] {
        func values(_ ce: Double, _ prose: Double) -> [MeasuredColumn: Double] {
            [.validation: ce, .domain("prose"): prose, .bitsPerByte: 2 * ce, .entropy("0-1"): 0.5]
        }
        let shares = ["0-1": 0.75, "1-2": 0.25]
        return [
            run("runs/m1", mile, seed: 1, values: values(1.47, 2.25), shares: shares),
            run("runs/m2", mile, seed: 2, values: values(1.59, 2.5), shares: shares),
            run("runs/c2", crossEntropy, seed: 2, values: values(1.6, 2.25), shares: shares),
            run("runs/c1", crossEntropy, seed: 1, values: values(1.5, 2), shares: shares),
        ]
    }

    static func comparison(_ runs: [RunRecord], baseline: String = "cross_entropy") throws -> StudyComparison {
        StudyComparison(try Study(runs: runs, baseline: baseline), demands: .init())
    }
}
