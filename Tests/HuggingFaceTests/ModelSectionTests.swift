// ModelSectionTests - the section `model` that `import` prints.

import CheckpointFixtures
import LlamaModel
import Testing

@testable import HuggingFace

@Suite struct ModelSectionTests {
    @Test func textOfTheSection() {
        #expect(
            HuggingFaceImport.section(of: .small) == """
                model: {hidden_size: 8, intermediate_size: 12, num_hidden_layers: 3, num_attention_heads: 4,
                        num_key_value_heads: 2, vocab_size: 40, max_position_embeddings: 16, rms_norm_eps: 1e-06,
                        rope_theta: 500000.5, initializer_range: 0.1, tie_word_embeddings: true}
                """)
    }

    /// Keys that only some architectures need follow where they differ from a LLaMA's.
    @Test func keysOfOtherArchitectures() {
        var model = ModelConfiguration.small
        (model.architecture, model.headSize, model.attentionBias) = (.qwen3, 6, true)
        #expect(
            HuggingFaceImport.section(of: model).hasSuffix(
                "initializer_range: 0.1, tie_word_embeddings: true, architecture: qwen3,\n"
                    + "        head_dim: 6, attention_bias: true}"))
    }
}
