// SameRunTests - whether a checkpoint may be continued with a configuration.

import Checkpointing
import Configuration
import Evaluation
import LlamaModel
import Testing
import TestSupport
import TokenData
import Tokenizers
import InputFiles

@testable import Reporting
@testable import Training

@Suite struct SameRunTests {
    private let tokenizer = ByteTokenizer()

    private func configuration(_ overrides: String...) throws -> RunConfiguration {
        try RunConfiguration.load(
            text: """
                model: {hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2,
                        vocab_size: 300, max_position_embeddings: 16}
                data:
                  train: [{name: books, path: a.txt}]
                  sequence_length: 8
                """, file: "a.yaml", name: "a", overrides: overrides)
    }

    private func fingerprint(hash: String = "abc", weight: Double = 1, tokens: Int = 1000) -> String {
        #"{"domains":[{"hash":"\#(hash)","name":"books","tokens":\#(tokens),"weight":\#(weight)}],"#
            + #""sequenceLength":8,"tokenizer":"bytes"}"#
    }

    private func index(
        _ configuration: RunConfiguration, json: String? = nil, bytes: [UInt8] = [], fingerprint: String
    ) -> CheckpointIndex {
        CheckpointIndex(
            step: 5, position: 60, tokens: 480, optimizerSteps: 5, configuration: json ?? configuration.json, seed: 111,
            model: configuration.model, tokenizer: .init(name: "bytes", bytes: bytes), dataFingerprint: fingerprint,
            processor: "p", blas: "b", ranksWritten: 1, shards: [])
    }

    private func conflict(
        _ index: CheckpointIndex, _ configuration: RunConfiguration, fingerprint: String
    ) -> String {
        let failure = #expect(throws: ProgramFailure.self) {
            try index.requireSameRun(as: configuration, tokenizer: tokenizer, fingerprint: fingerprint)
        }
        #expect(failure?.status == .badInput)
        return failure?.message ?? ""
    }

    @Test func theSameRunContinues() throws {
        let run = try configuration()
        let changes = try index(run, fingerprint: fingerprint())
            .requireSameRun(as: run, tokenizer: tokenizer, fingerprint: fingerprint())
        #expect(changes == [])
    }

    @Test func whatMayChangeIsNamed() throws {
        let before = try configuration()
        let now = try configuration(
            "optimizer.learning_rate=0.001", "training.global_batch_size=12", "schedule.total_steps=50",
            "schedule.warmup_steps=5", "data.train.0.path=elsewhere.txt")
        let changes = try index(before, fingerprint: fingerprint())
            .requireSameRun(as: now, tokenizer: tokenizer, fingerprint: fingerprint())
        for key in [
            "optimizer.learning_rate", "training.global_batch_size", "schedule.total_steps", "schedule.warmup_steps",
        ] {
            #expect(changes.filter { $0.hasPrefix(key + ":") }.count == 1, "\(key) in \(changes)")
        }
    }

    @Test func everyDifferenceThatBarsIsNamed() throws {
        let before = try configuration()
        let now = try configuration(
            "model.hidden_size=16", "model.num_hidden_layers=2", "training.seed=7", "optimizer.learning_rate=0.001")
        let message = conflict(index(before, fingerprint: fingerprint()), now, fingerprint: fingerprint(hash: "abd"))
        #expect(message.contains("model.hidden_size: the checkpoint has 8, the configuration 16"))
        #expect(message.contains("model.num_hidden_layers: the checkpoint has 1, the configuration 2"))
        #expect(message.contains("training.seed: the checkpoint has 111, the configuration 7"))
        #expect(message.contains("the tokens of \"books\" are others than the checkpoint's"))
        #expect(!message.contains("learning_rate"))
        #expect(message.contains("--initialize-from"))
    }

    @Test func differencesOfTheDataSayWhichSideIsWhich() throws {
        let run = try configuration()
        // Weights are the configuration's, which is compared key by key; the fingerprint's are not named a second time.
        let message = conflict(
            index(run, fingerprint: fingerprint(weight: 3, tokens: 1000)), run,
            fingerprint: fingerprint(weight: 2, tokens: 2000))
        #expect(message.contains("\"books\" has 2000 tokens, the checkpoint's has 1000"), "\(message)")
        #expect(!message.contains("weight of"), "\(message)")
    }

    @Test func anImportedCheckpointHasNoRunToConflictWith() throws {
        let run = try configuration("training.seed=9", "data.train.0.name=anything")
        for json in ["", "{}"] {
            let imported = index(try configuration(), json: json, fingerprint: "")
            #expect(imported.isImported)
            let changes = try imported.requireSameRun(as: run, tokenizer: tokenizer, fingerprint: fingerprint())
            #expect(changes == [])
        }
        #expect(!index(run, fingerprint: fingerprint()).isImported)
    }

    @Test func anImportedCheckpointOfAnotherModelIsRefusedKeyByKey() throws {
        let now = try configuration("model.hidden_size=16", "model.rope_theta=500000")
        let message = conflict(index(try configuration(), json: "{}", fingerprint: ""), now, fingerprint: fingerprint())
        #expect(message.contains("model.hidden_size: the checkpoint has 8, the configuration 16"), "\(message)")
        #expect(message.contains("model.rope_theta: the checkpoint has 10000"), "\(message)")
        #expect(!message.contains("ModelConfiguration("), "\(message)")
    }

    @Test func anotherTokenizersBytesAreRefused() throws {
        let run = try configuration()
        let message = conflict(
            index(run, bytes: [1, 2], fingerprint: fingerprint()), run, fingerprint: fingerprint())
        #expect(message.contains("tokenizer: the checkpoint has another bytes"), "\(message)")
    }

    @Test func anImportedCheckpointWithoutTokenizer() throws {
        let run = try configuration("data.tokenizer=none")
        var imported = index(run, json: "{}", fingerprint: "")
        imported.tokenizer = .init(name: "none")
        #expect(try imported.requireSameRun(as: run, tokenizer: nil, fingerprint: fingerprint()) == [])
        let message = conflict(imported, try configuration(), fingerprint: fingerprint())
        #expect(message.contains("data.tokenizer: the checkpoint has none, the configuration bytes"), "\(message)")
        // Also bytes are not another tokenizer.
        let model = try SentencePieceTokenizer(modelBytes: HandmadeModel().bytes, name: "my.model", origin: "")
        let failure = #expect(throws: ProgramFailure.self) {
            try index(run, json: "{}", fingerprint: "")
                .requireSameRun(as: run, tokenizer: model, fingerprint: fingerprint())
        }
        #expect(failure?.message.contains("tokenizer: the checkpoint has bytes, the configuration my.model") == true)
    }

    /// The run's tokenizer tells the ids that an import without one could not tell.
    @Test func idsAreWithheldUntilThereIsATokenizer() throws {
        var imported = index(try configuration(), json: "{}", fingerprint: "")
        imported.withheldTokens = [.end, .begin]
        #expect(imported.rolesWithheld(with: tokenizer) == [.end, .begin])
        imported.tokenizer = .init(name: "none")
        #expect(imported.rolesWithheld(with: nil) == [.end, .begin])
        #expect(imported.rolesWithheld(with: tokenizer).isEmpty)
    }

    @Test func anUnreadableFingerprintIsAnError() throws {
        let run = try configuration()
        let error = #expect(throws: DataError.self) {
            try index(run, fingerprint: "not json")
                .requireSameRun(as: run, tokenizer: tokenizer, fingerprint: fingerprint())
        }
        #expect(error?.problem.contains("fingerprint") == true)
    }

    // MARK: - Weights of another model

    private func otherFunction(
        _ index: CheckpointIndex, _ configuration: RunConfiguration, _ tokenizer: any Tokenizers.Tokenizer
    ) -> [String] {
        let failure = #expect(throws: ProgramFailure.self) {
            try index.requireSameFunction(as: configuration, tokenizer: tokenizer, path: "runs/a")
        }
        #expect(failure?.status == .badInput)
        return failure?.message.split(separator: "\n").map(String.init) ?? []
    }

    /// Heads, frequencies and epsilons change no shape; each difference has a line, those of shapes too.
    @Test func weightsOfAnotherFunctionAreRefusedKeyByKey() throws {
        let source = index(try configuration(), fingerprint: fingerprint())
        for overrides in [
            ["model.num_attention_heads=4"], ["model.rope_theta=500000"], ["model.rms_norm_eps=1e-6"],
            ["model.tie_word_embeddings=true"],
            ["model.hidden_size=16", "model.num_hidden_layers=2", "model.vocab_size=301", "model.rope_theta=20000"],
        ] {
            let now = try RunConfiguration.load(
                text: try configuration().yaml.replacing("num_key_value_heads: 2", with: "num_key_value_heads: 1"),
                file: "a.yaml", name: "a", overrides: overrides + ["model.num_key_value_heads=2"])
            let lines = otherFunction(source, now, tokenizer)
            #expect(lines.first == "--initialize-from runs/a: its weights are not those of the configured model:")
            #expect(lines.count == overrides.count + 2, "\(lines)")
            for override in overrides {
                let key = override.prefix { $0 != "=" }
                #expect(lines.filter { $0.hasPrefix("  \(key): the checkpoint has ") }.count == 1, "\(lines)")
            }
        }
    }

    @Test func whatLeavesTheFunctionMayDiffer() throws {
        let source = index(try configuration(), fingerprint: fingerprint())
        let same = try configuration(
            "training.seed=9", "data.sequence_length=16", "loss.kind=focal", "data.train.0.name=other")
        #expect(try source.requireSameFunction(as: same, tokenizer: tokenizer, path: "runs/a") == [])
        let longer = try configuration("model.max_position_embeddings=64")
        #expect(
            try source.requireSameFunction(as: longer, tokenizer: tokenizer, path: "runs/a")
                == ["--initialize-from: model.max_position_embeddings: the checkpoint has 16, the configuration 64"])
    }

    /// Its own is compared byte by byte; a checkpoint without one is not one of bytes.
    @Test func weightsForOtherTokenIdsAreRefused() throws {
        let run = try configuration()
        var source = index(run, bytes: [1, 2], fingerprint: fingerprint())
        source.tokenizer.name = "t.model"
        let lines = otherFunction(source, run, tokenizer)
        #expect(
            lines.contains("  data.tokenizer: the checkpoint has another t.model than the configuration's bytes"),
            "\(lines)")
        source.tokenizer = .init(name: CheckpointIndex.Tokenizer.noneName)
        let none = otherFunction(source, run, tokenizer)
        #expect(
            none.contains { $0.hasPrefix("  data.tokenizer: the checkpoint has none, the configuration bytes") },
            "\(none)")
        #expect(try source.requireSameFunction(as: run, tokenizer: nil, path: "runs/a") == [])
        // Bytes are the default of who names nothing; a model without end token was not trained with them.
        var endless = HandmadeModel()
        endless.pieces[2].text = "</x>"
        source.tokenizer = .init(name: "tokenizer.model", bytes: endless.bytes)
        let ended = otherFunction(source, run, tokenizer)
        #expect(
            ended.contains {
                $0.hasPrefix("  data.tokenizer: the checkpoint has tokenizer.model, which has no end token (eos, ")
            }, "\(ended)")
        #expect(try source.requireSameFunction(as: run, tokenizer: nil, path: "runs/a") == [])
    }
}
