// OutputTests - what is written reads back as the same configuration.

import Foundation
import Kernels
import LinearAlgebra
import LlamaModel
import Optimization
import Testing
import TokenData

@testable import Configuration

@Suite struct OutputTests {
    /// Every key away from its default, with numbers that have no short decimal and text that needs escapes.
    static let unusual: RunConfiguration = {
        var run = RunConfiguration(
            name: "odd \"name\" \\ \u{E9}",
            model: ModelConfiguration(
                hiddenSize: 96, intermediateSize: 33, hiddenLayerCount: 3, attentionHeadCount: 6, keyValueHeadCount: 2,
                vocabularySize: 300, maxPositionEmbeddings: 512, rmsNormEpsilon: 1e-6, ropeTheta: 5e5 / 3,
                initializerRange: 0.1 + 0.2, tieWordEmbeddings: true, architecture: .smollm3, headSize: 18,
                attentionBias: true, mlpBias: true, ropeScaling: .llama3, ropeFactor: 25.0 / 3,
                ropeLowFrequencyFactor: 1.5, ropeHighFrequencyFactor: 5, ropeOriginalPositions: 4096,
                unrotatedLayerInterval: 2),
            data: DataConfiguration(
                train: [
                    .init(name: "a: {b}", path: "C:\\a b#.txt", weight: 1.0 / 3),
                    .init(name: "true", path: "12", weight: 1e-300),
                ],
                validation: [.init(name: "~", path: "\u{2028}\u{FEFF}\u{1F600}")], sequenceLength: 100,
                ignoredTargets: [0, 299], documentMask: true, maskDocumentStarts: true))
        run.loss = LossConfiguration(
            kind: .focal, gamma: 2.0 / 3, sigma: 1e22, normalization: .reference, referenceRanks: 2,
            probabilityFloor: 1e-8)
        run.optimizer = OptimizerConfiguration(
            learningRate: 1e-5, beta1: 0.85, beta2: 0.999, epsilon: 1e-10, weightDecay: 0, gradientClip: 0.5)
        run.schedule = LearningRateSchedule(
            kind: .wsd, warmupSteps: 7, totalSteps: 70, minimumRatio: 0.1, decaySteps: 63, decayShape: .sqrt)
        run.training = TrainingConfiguration(
            globalBatchSize: 12, microBatchSize: 3, seed: UInt64(Int.max), blas: .backend(.openBLAS),
            gradientReduction: .allReduce, threads: 3, stopAtStep: 60, timeLimit: "1-02:03:04", bucketMiB: 8,
            maximumSkippedSteps: 0)
        run.evaluation = EvaluationConfiguration(every: 9, sequences: 0)
        run.checkpoint = CheckpointConfiguration(directory: "a/b", every: 11, keep: 1, keepEvery: 22, initial: true)
        run.logging = LoggingConfiguration(directory: "c d", every: 13, sinks: [.csv, .jsonl])
        return run
    }()

    @Test func yamlReadsBack() throws {
        for run in [Self.unusual, try Sample.load()] {
            let again = try RunConfiguration.load(text: run.yaml, file: "out.yaml", name: run.name)
            #expect(again == run)
            #expect(again.yaml == run.yaml)
        }
    }

    /// Several paths of a domain, and how its files are read; the keys are written only where they are not standard.
    @Test func pathsAndReadingOfADomain() throws {
        let text = Sample.text.replacing(
            "{name: one, path: one.txt}",
            with:
                "{name: one, path: [a.txt, 'b/*.gz'], text_key: a.b, document_separator: \"\\n\\n\", encoding: utf-16}")
        let run = try Sample.load(text)
        var domain = DataConfiguration.Domain(name: "one", path: "")
        domain.paths = ["a.txt", "b/*.gz"]
        domain.reading = TextReading(textKey: "a.b", separator: "\n\n", encoding: .utf16)
        #expect(run.data.train == [domain])
        #expect(try RunConfiguration.load(text: run.yaml, file: "out.yaml", name: run.name) == run)
        #expect(try RunConfiguration.fromJSON(run.json, file: "index") == run)
        #expect(run.yaml.contains("path: [\"a.txt\", \"b/*.gz\"], weight: 1.0, text_key: \"a.b\", "))
        let standard = try Sample.load()
        #expect(standard.yaml.contains("    - {name: \"one\", path: \"one.txt\", weight: 1.0}\n"))
        for (value, words) in [
            ("path: []", "which is empty"), ("path: [a, 3]", "data.train[0].path[1]: found 3 (integer)"),
            ("path: [a, '']", "which is no path"), ("path: a, encoding: latin1", "one of utf-8, latin-1, utf-16"),
            ("path: a, text_key: ''", "which names nothing"),
        ] {
            let message = Sample.message(Sample.text.replacing("path: one.txt", with: value))
            #expect(message.contains("run.yaml:10: ") && message.contains(words), "\(message)")
        }
    }

    @Test func jsonReadsBack() throws {
        for run in [Self.unusual, try Sample.load()] {
            let again = try RunConfiguration.fromJSON(run.json, file: "index")
            #expect(again == run)
            #expect(again.json == run.json)
        }
    }

    /// Another reader of JSON sees the same values, and the keys are sorted.
    @Test func jsonIsJSON() throws {
        let json = Self.unusual.json
        let parsed = try JSONSerialization.jsonObject(with: Data(json.utf8))
        let object = try #require(parsed as? [String: Any])
        #expect(
            object.keys.sorted() == [
                "checkpoint", "data", "evaluation", "logging", "loss", "model", "name", "optimizer", "schedule",
                "training",
            ])
        #expect(object["name"] as? String == Self.unusual.name)
        let model = try #require(object["model"] as? [String: Any])
        #expect(model["hidden_size"] as? Int == 96)
        // Foundation's parser reads the shortest decimal of a number up to two units in the last place off.
        let range = try #require(model["initializer_range"] as? Double)
        #expect(abs(range - (0.1 + 0.2)) <= 2 * (0.1 + 0.2).ulp)
        #expect(model["tie_word_embeddings"] as? Bool == true)
        let data = try #require(object["data"] as? [String: Any])
        let train = try #require(data["train"] as? [[String: Any]])
        #expect(train[0]["path"] as? String == "C:\\a b#.txt")
        #expect(train[0]["weight"] as? Double == 1.0 / 3)
        let validation = try #require(data["validation"] as? [[String: Any]])
        #expect(validation[0]["path"] as? String == "\u{2028}\u{FEFF}\u{1F600}")
        #expect(validation[0].keys.sorted() == ["name", "path"])
        #expect(
            json.hasPrefix("{\"checkpoint\": {\"directory\": \"a/b\", \"every\": 11, \"initial\": true, \"keep\": 1"))
        #expect(!json.contains("\n"))
    }

    /// A changed value must show: equality of what is read back proves nothing for a key that is not written.
    @Test func everyKeyIsWritten() throws {
        for field in Schema.fields {
            let parts = field.name.split(separator: ".")
            #expect(Self.unusual.json.contains("\"\(parts[1])\": "))
            #expect(Self.unusual.yaml.contains("\n  \(parts[1]):"))
        }
        #expect(Schema.fields.count == 75)
        #expect(Set(Schema.fields.map(\.name)).count == 75)
    }

    @Test func fromJSONRefusesOtherText() {
        #expect(throws: ConfigurationError.self) { try RunConfiguration.fromJSON("", file: "index") }
        #expect(throws: ConfigurationError.self) { try RunConfiguration.fromJSON("{\"model\": {}}", file: "index") }
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.fromJSON(
                Self.unusual.json.replacing("\"seed\"", with: "\"sead\""), file: "checkpoint.h5")
        }
        #expect(error?.key == "training.sead")
        #expect(error?.file == "checkpoint.h5")
    }

    @Test(arguments: [
        (1e-5, "1.0e-05"), (1e22, "1.0e+22"), (0.1, "0.1"), (10_000.0, "10000.0"), (1.0 / 3.0, "0.3333333333333333"),
        (1.5e-9, "1.5e-09"), (0.0, "0.0"), (Double.leastNonzeroMagnitude, "5.0e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
    ])
    func exactNumbers(value: Double, text: String) {
        #expect(OutputValue.exact(value) == text)
        #expect(YAMLNode.Scalar.interpret(text) == .number(value))
    }

    /// The help says which schedules read the key, and which do not.
    @Test func helpOfMinimumRatioNamesEverySchedule() throws {
        let field = try #require(Schema.fields.first { $0.name == "schedule.minimum_ratio" })
        for kind in LearningRateSchedule.Kind.allCases { #expect(field.help.contains(kind.rawValue), "\(kind)") }
    }

    @Test func referenceNamesEveryKey() {
        let reference = RunConfiguration.reference
        #expect(reference.contains("training:\n  global_batch_size (default 1024): an integer from 1 to 1048576\n"))
        #expect(reference.contains("  hidden_size (required): an integer from 1 to 1048576\n"))
        #expect(reference.contains("  num_key_value_heads (default num_attention_heads): "))
        #expect(reference.contains("  train (required): a list of mappings"))
        #expect(reference.contains("      weight (default 1.0): a finite number of at least 0\n"))
        #expect(reference.contains("  kind (default mile): one of mile, focal, cross_entropy\n"))
        for field in Schema.fields {
            #expect(reference.contains("  \(field.name.split(separator: ".")[1]) ("))
            #expect(reference.contains(field.help))
        }
    }
}
