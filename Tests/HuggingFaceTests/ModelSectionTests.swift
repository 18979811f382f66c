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
}
