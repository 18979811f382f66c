// SameRunTests - whether a checkpoint may be continued with a configuration.

import Checkpointing
import Configuration
import LlamaModel
import Testing
import TokenData
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

    @Test func anUnreadableFingerprintIsAnError() throws {
        let run = try configuration()
        let error = #expect(throws: DataError.self) {
            try index(run, fingerprint: "not json")
                .requireSameRun(as: run, tokenizer: tokenizer, fingerprint: fingerprint())
        }
        #expect(error?.problem.contains("fingerprint") == true)
    }
}
