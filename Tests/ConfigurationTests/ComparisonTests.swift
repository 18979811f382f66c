// ComparisonTests - which differences bar a resume and which are logged (design section 5, "Resume").

import Testing

@testable import Configuration

@Suite struct ComparisonTests {
    private static let text =
        Sample.text + """
            loss: {gamma: 1.0}
            training: {seed: 3}

            """

    private func compare(_ overrides: [String]) throws -> (conflicts: [String], changes: [String]) {
        let now = try RunConfiguration.load(text: Self.text, file: "run.yaml", name: "run", overrides: overrides)
        return now.comparison(with: try Sample.load(Self.text))
    }

    @Test func equal() throws {
        let result = try compare([])
        #expect(result.conflicts.isEmpty)
        #expect(result.changes.isEmpty)
    }

    @Test(arguments: [
        "model.hidden_size=64", "model.intermediate_size=1", "model.num_hidden_layers=3", "model.num_attention_heads=8",
        "model.num_key_value_heads=1", "model.vocab_size=300", "model.max_position_embeddings=65",
        "model.rms_norm_eps=1e-6", "model.rope_theta=20000", "model.initializer_range=0.02",
        "model.tie_word_embeddings=true", "model.architecture=qwen2", "model.head_dim=10", "model.attention_bias=true",
        "model.mlp_bias=true", "model.rope_scaling=linear", "model.rope_low_freq_factor=0.5",
        "model.rope_high_freq_factor=5", "model.rope_original_max_position_embeddings=32",
        "data.sequence_length=32", "data.ignored_targets=[0]", "training.seed=4",
        "data.document_mask=true", "data.mask_document_starts=true",
        "data.train.0.name=two", "data.train.0.weight=2", "data.train=[{name: one, path: one.txt}, {name: b, path: b}]",
    ])
    func conflict(override: String) throws {
        let result = try compare([override])
        let key = override.prefix { $0 != "=" }.replacing(".0.name", with: "").replacing(".0.weight", with: "")
        // Fewer heads of keys follow from fewer heads: the derived default differs as well.
        #expect(result.conflicts.contains { $0.hasPrefix("\(key): the checkpoint has ") })
        #expect(result.changes.isEmpty)
    }

    @Test(arguments: [
        "data.train.0.path=elsewhere.txt", "data.validation=[{name: v, path: v.txt}]", "loss.kind=focal",
        "loss.gamma=0.5", "optimizer.learning_rate=1e-3", "schedule.total_steps=5000", "training.global_batch_size=12",
        "training.micro_batch_size=1", "training.gradient_reduction=all_reduce", "training.threads=2",
        "training.stop_at_step=20", "evaluation.every=5", "checkpoint.every=5", "logging.every=10",
    ])
    func change(override: String) throws {
        let result = try compare([override])
        let key = override.prefix { $0 != "=" }.replacing(".0.path", with: "")
        #expect(result.conflicts.isEmpty)
        #expect(result.changes.count == 1)
        #expect(result.changes.first?.hasPrefix("\(key): the checkpoint has ") == true)
    }

    /// The keys with which a stable run goes on into one of several decays.
    @Test func aStableRunMayDecay() throws {
        let now = try Sample.load(
            Self.text, "schedule.kind=wsd", "schedule.total_steps=3000", "schedule.decay_steps=500",
            "schedule.decay_shape=sqrt")
        let result = now.comparison(with: try Sample.load(Self.text, "schedule.kind=wsd"))
        #expect(result.conflicts.isEmpty)
        #expect(
            result.changes == [
                "schedule.total_steps: the checkpoint has 100000, the configuration 3000",
                "schedule.decay_steps: the checkpoint has 0, the configuration 500",
                "schedule.decay_shape: the checkpoint has linear, the configuration sqrt",
            ])
    }

    /// A domain that is switched off is as one that is not there.
    @Test func domainsOfWeightZero() throws {
        let off = "data.train=[{name: b, path: b, weight: 0}, {name: one, path: one.txt}]"
        let added = try compare([off])
        #expect(added.conflicts.isEmpty && added.changes.count == 1, "\(added)")
        let back = try Sample.load(Self.text).comparison(with: try Sample.load(Self.text, off))
        #expect(back.conflicts.isEmpty && back.changes.count == 1, "\(back)")
        let (with, without) = (try Sample.load(Self.text, off).values, try Sample.load(Self.text).values)
        #expect(with.map(\.text) == without.map(\.text))
        let on = try compare([off.replacing("weight: 0", with: "weight: 0.1")])
        #expect(on.conflicts.count == 1 && on.changes.isEmpty, "\(on)")
    }

    /// Weights of a model compute one function: what changes it is a conflict, and what does not is a change.
    @Test(arguments: [
        "model.hidden_size=64", "model.intermediate_size=1", "model.num_hidden_layers=3", "model.num_attention_heads=8",
        "model.num_key_value_heads=1", "model.vocab_size=300", "model.rms_norm_eps=1e-6", "model.rope_theta=20000",
        "model.tie_word_embeddings=true", "model.max_position_embeddings=65", "model.initializer_range=0.02",
        "model.architecture=qwen3", "model.head_dim=10", "model.attention_bias=true", "model.rope_scaling=llama3",
    ])
    func modelsOfTheSameFunction(override: String) throws {
        let model = try Sample.load(Self.text).model
        let result = try Sample.load(Self.text, override, "training.seed=9", "data.sequence_length=2")
            .modelComparison(with: model)
        let key = String(override.prefix { $0 != "=" })
        let isHarmless = ["model.max_position_embeddings", "model.initializer_range"].contains(key)
        let (with, without) = isHarmless ? (result.changes, result.conflicts) : (result.conflicts, result.changes)
        #expect(with.contains { $0.hasPrefix("\(key): the checkpoint has ") }, "\(result)")
        #expect(without.isEmpty, "\(result)")
    }

    /// A model may lie elsewhere, which the checkpoint's copy of it settles; another kind of tokenizer is another run.
    @Test func tokenizer() throws {
        let other = try compare(["data.tokenizer=a/t.model"])
        #expect(
            other.conflicts == ["data.tokenizer: the checkpoint has \"bytes\", the configuration \"a/t.model\""])
        #expect(other.changes.isEmpty)
        for (before, now) in [("bytes", "none"), ("none", "bytes"), ("none", "a/t.model"), ("a/t.model", "none")] {
            let lost = try Sample.load(Self.text, "data.tokenizer=\(now)")
                .comparison(with: try Sample.load(Self.text, "data.tokenizer=\(before)"))
            #expect(
                lost.conflicts == ["data.tokenizer: the checkpoint has \"\(before)\", the configuration \"\(now)\""])
        }
        let moved = try Sample.load(Self.text, "data.tokenizer=b/t.model")
            .comparison(with: try Sample.load(Self.text, "data.tokenizer=a/t.model"))
        #expect(moved.conflicts.isEmpty)
        #expect(
            moved.changes == ["data.tokenizer: the checkpoint has \"a/t.model\", the configuration \"b/t.model\""])
    }

    @Test func lines() throws {
        let result = try compare(["training.seed=4", "loss.gamma=0.5", "training.micro_batch_size=8"])
        #expect(result.conflicts == ["training.seed: the checkpoint has 3, the configuration 4"])
        #expect(
            result.changes == [
                "loss.gamma: the checkpoint has 1.0, the configuration 0.5",
                "training.micro_batch_size: the checkpoint has 4, the configuration 8",
            ])
    }
}
