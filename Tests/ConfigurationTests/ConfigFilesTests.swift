// ConfigFilesTests - the shipped configurations say what the design says.

import Kernels
import LlamaModel
import Optimization
import Tensors
import TestSupport
import Testing
import TokenData

@testable import Configuration

@Suite struct ConfigFilesTests {
    /// The paper's models as design section 3 lists them.
    @Test(arguments: [
        (file: "llama-468m", parameters: 468_239_360, length: 1024, batch: 1024, steps: 100_000, warmup: 1000),
        (file: "llama-1.2b", parameters: 1_204_881_408, length: 1024, batch: 1024, steps: 100_000, warmup: 1000),
        (file: "llama-6.7b", parameters: 6_738_415_616, length: 2048, batch: 2048, steps: 25_000, warmup: 2000),
    ])
    func paperModel(file: String, parameters: Int, length: Int, batch: Int, steps: Int, warmup: Int) throws {
        let path = "\(SharedData.packageRoot)/configs/\(file).yaml"
        let run = try RunConfiguration.load(path: path, overrides: [])
        #expect(run.model.tensorTable.count == parameters)
        #expect(run.name == file)
        #expect(run.data.sequenceLength == length)
        #expect(run.model.maxPositionEmbeddings == length)
        #expect(run.training.globalBatchSize == batch)
        #expect(run.schedule == LearningRateSchedule(kind: .cosine, warmupSteps: warmup, totalSteps: steps))
        #expect(run.optimizer == OptimizerConfiguration())
        #expect(run.loss == LossConfiguration())
        #expect(run.model.vocabularySize == 32_000)
        #expect(run.model.initializerRange == 0.01)
        #expect(!run.model.tieWordEmbeddings)
        #expect(run.data.tokenizer == "data/tokenizer.model")
    }

    @Test func shakespeare() throws {
        let run = try RunConfiguration.load(path: "\(SharedData.packageRoot)/configs/shakespeare.yaml")
        let expected = RunConfiguration(
            name: "shakespeare",
            model: ModelConfiguration(
                hiddenSize: 128, intermediateSize: 384, hiddenLayerCount: 4, attentionHeadCount: 4,
                keyValueHeadCount: 4, vocabularySize: 257, maxPositionEmbeddings: 64, initializerRange: 0.02),
            data: DataConfiguration(
                train: [.init(name: "shakespeare", path: "../shared/data/tinyshakespeare-train.txt")],
                validation: [.init(name: "shakespeare", path: "../shared/data/tinyshakespeare-validation.txt")],
                sequenceLength: 64),
            loss: LossConfiguration(kind: .mile, gamma: 1),
            optimizer: OptimizerConfiguration(learningRate: 1e-3),
            schedule: LearningRateSchedule(kind: .cosine, warmupSteps: 100, totalSteps: 2000, minimumRatio: 0),
            training: TrainingConfiguration(globalBatchSize: 12, microBatchSize: 12, seed: 1337),
            evaluation: EvaluationConfiguration(every: 500, sequences: 0),
            checkpoint: CheckpointConfiguration(every: 500))
        #expect(run == expected)
        // 2 * 257 * 128 + 4 * (4 * 128^2 + 3 * 128 * 384 + 2 * 128) + 128, as the file's comment says.
        #expect(run.model.tensorTable.count == 918_912)
        #expect(run.logging.directory == "runs/shakespeare")
        #expect(run.checkpoint.directory == "runs/shakespeare/checkpoints")
    }

    /// A study of losses: the arms differ in nothing else, and not in the sizes that the files' comments count.
    @Test func studyArmsDifferInTheirLossOnly() throws {
        let losses: [(file: String, loss: LossConfiguration)] = [
            ("cross_entropy", .init(kind: .crossEntropy)), ("focal-1", .init(kind: .focal, gamma: 1)),
            ("mile-0.5", .init(gamma: 0.5)), ("mile-1", .init(gamma: 1)), ("mile-2", .init(gamma: 2)),
        ]
        let arms = try losses.map { arm in
            var run = try RunConfiguration.load(path: "\(SharedData.packageRoot)/configs/study/\(arm.file).yaml")
            #expect(run.loss == arm.loss)
            #expect(run.name == arm.file)
            run.loss = .init()
            run.name = ""
            run.logging.directory = ""
            run.checkpoint.directory = ""
            return run
        }
        for arm in arms { #expect(arm == arms[0]) }
        let arm = arms[0]
        #expect(arm.model.tensorTable.count == 1_377_408)
        #expect(arm.model.flopsPerToken(sequenceLength: arm.data.sequenceLength) == 7_087_872)
        #expect(arm.training.globalBatchSize * arm.data.sequenceLength == 2048)
        #expect(arm.schedule.totalSteps == 300)
        #expect(arm.data.train.map(\.name) == arm.data.validation.map(\.name))
        let weights: Double = arm.data.train.map(\.weight).reduce(0, +)
        #expect(abs(weights - 1) < 1e-12)
    }

    @Test func debugNeedsNoFile() throws {
        let run = try RunConfiguration.load(path: "\(SharedData.packageRoot)/configs/debug.yaml")
        #expect((run.data.train + run.data.validation).allSatisfy { $0.path.hasPrefix("synthetic:") })
        #expect(run.schedule.totalSteps == 10)
        #expect(run.model.tensorTable.count < 100_000)
    }

    @Test func selfTestJob() throws {
        let (text, name) = RunConfiguration.selfTestJob
        let run = try RunConfiguration.load(text: text, file: "the embedded job", name: name)
        #expect(run.logging.directory == "runs/embedded")
        #expect(run.data.train == [.init(name: "synthetic", path: "synthetic:train")])
        #expect(run.data.validation == [.init(name: "synthetic", path: "synthetic:validation")])
        #expect(run.evaluation.sequences == 0)
    }

    @Test func missingFile() {
        let error = #expect(throws: ConfigurationError.self) { try RunConfiguration.load(path: "no/such.yaml") }
        #expect(error?.description.hasPrefix("no/such.yaml: found no readable file (") == true)
    }
}
