// ModelTensorsTests - names, shapes and order of a model's tensors, and the positions where gradients become final.

import LlamaModel
import Tensors
import Testing

struct ModelTensorsTests {
    @Test func namesAndShapesAreHuggingFacesInForwardOrder() {
        let model = ModelConfiguration(
            hiddenSize: 24, intermediateSize: 40, hiddenLayerCount: 2, attentionHeadCount: 6, keyValueHeadCount: 2,
            vocabularySize: 50, maxPositionEmbeddings: 8)
        func layer(_ index: Int) -> [String] {
            [
                "input_layernorm.weight [24]", "self_attn.q_proj.weight [24, 24]", "self_attn.k_proj.weight [8, 24]",
                "self_attn.v_proj.weight [8, 24]", "self_attn.o_proj.weight [24, 24]",
                "post_attention_layernorm.weight [24]", "mlp.gate_proj.weight [40, 24]", "mlp.up_proj.weight [40, 24]",
                "mlp.down_proj.weight [24, 40]",
            ].map { "model.layers.\(index).\($0)" }
        }
        let expected =
            ["model.embed_tokens.weight [50, 24]"] + layer(0) + layer(1)
            + ["model.norm.weight [24]", "lm_head.weight [50, 24]"]
        #expect(model.tensorTable.entries.map { "\($0.name) \($0.shape)" } == expected)
        // 2 * V D + L (2 D + 2 D^2 + 2 * 8 D + 3 D F) + D
        #expect(model.tensorTable.count == 2 * 1200 + 2 * (48 + 1152 + 384 + 2880) + 24)
    }

    /// The tensors of one layer, with their shapes.
    private func layer(_ model: ModelConfiguration) -> [String] {
        let prefix = "model.layers.0."
        return model.tensorTable.entries.filter { $0.name.hasPrefix(prefix) }
            .map { "\($0.name.dropFirst(prefix.count)) \($0.shape)" }
    }

    @Test func biasesFollowTheMatricesOfOneMatmul() {
        #expect(
            layer(.biased) == [
                "input_layernorm.weight [36]", "self_attn.q_proj.weight [60, 36]", "self_attn.k_proj.weight [20, 36]",
                "self_attn.v_proj.weight [20, 36]", "self_attn.q_proj.bias [60]", "self_attn.k_proj.bias [20]",
                "self_attn.v_proj.bias [20]", "self_attn.o_proj.weight [36, 60]", "self_attn.o_proj.bias [36]",
                "post_attention_layernorm.weight [36]", "mlp.gate_proj.weight [50, 36]", "mlp.up_proj.weight [50, 36]",
                "mlp.gate_proj.bias [50]", "mlp.up_proj.bias [50]", "mlp.down_proj.bias [36]",
                "mlp.down_proj.weight [36, 50]",
            ])
        let kinds = ModelConfiguration.biased.tensorTable.entries.filter { $0.name.hasSuffix("bias") }.map(\.kind)
        #expect(kinds.count == 14 && kinds.allSatisfy { $0 == .bias })
    }

    @Test func architecturesHaveTheirTensors() {
        #expect(
            layer(.qwen2).filter { $0.contains("bias") }.map { $0.prefix(16) } == [
                "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
            ])
        #expect(
            layer(.qwen3)[4...] == [
                "self_attn.q_proj.bias [72]", "self_attn.k_proj.bias [36]", "self_attn.v_proj.bias [36]",
                "self_attn.q_norm.weight [18]", "self_attn.k_norm.weight [18]", "self_attn.o_proj.weight [24, 72]",
                "self_attn.o_proj.bias [24]", "post_attention_layernorm.weight [24]", "mlp.gate_proj.weight [40, 24]",
                "mlp.up_proj.weight [40, 24]", "mlp.down_proj.weight [24, 40]",
            ])
        #expect(layer(.mistral).count == 9 && !layer(.mistral).contains { $0.contains("bias") })
    }

    /// Parameters of published models, from their `config.json`: Llama 3.2 1B, Mistral 7B, Qwen2.5 0.5B, Qwen3 0.6B.
    @Test func publishedModelsOfOtherArchitecturesHaveTheirNumberOfParameters() {
        func count(
            _ architecture: ModelConfiguration.Architecture, _ D: Int, _ F: Int, _ layers: Int, _ heads: Int, _ K: Int,
            _ V: Int, headSize: Int? = nil, tied: Bool
        ) -> Int {
            ModelConfiguration(
                hiddenSize: D, intermediateSize: F, hiddenLayerCount: layers, attentionHeadCount: heads,
                keyValueHeadCount: K, vocabularySize: V, maxPositionEmbeddings: 2048, tieWordEmbeddings: tied,
                architecture: architecture, headSize: headSize
            ).tensorTable.count
        }
        #expect(count(.llama, 2048, 8192, 16, 32, 8, 128_256, headSize: 64, tied: true) == 1_235_814_400)
        #expect(count(.mistral, 4096, 14336, 32, 32, 8, 32768, tied: false) == 7_248_023_552)
        #expect(count(.qwen2, 896, 4864, 24, 14, 2, 151_936, tied: true) == 494_032_768)
        #expect(count(.qwen3, 1024, 3072, 28, 16, 8, 151_936, headSize: 128, tied: true) == 596_049_920)
    }

    @Test func aTiedModelHasNoHead() {
        var model = ModelConfiguration.grouped
        let untied = model.tensorTable
        model.tieWordEmbeddings = true
        #expect(model.tensorTable["lm_head.weight"] == nil)
        #expect(model.tensorTable.entries == untied.entries.dropLast())
        #expect(untied.count - model.tensorTable.count == 67 * 36)
    }

    @Test func onlyTheGradientOfAnEmbeddingThatIsNotTheHeadIsSparse() {
        var model = ModelConfiguration.grouped
        #expect(model.tensorTable.entries.filter(model.hasSparseGradient).map(\.name) == ["model.embed_tokens.weight"])
        model.tieWordEmbeddings = true
        #expect(!model.tensorTable.entries.contains(where: model.hasSparseGradient))
    }

    /// The three models of the paper (design section 3).
    @Test(arguments: [
        (24, 1024, 16, 4096, 468_239_360), (16, 2048, 8, 8192, 1_204_881_408), (32, 4096, 32, 11008, 6_738_415_616),
    ])
    func publishedModelsHaveTheirNumberOfParameters(_ sizes: (Int, Int, Int, Int, Int)) {
        let model = ModelConfiguration(
            hiddenSize: sizes.1, intermediateSize: sizes.3, hiddenLayerCount: sizes.0, attentionHeadCount: sizes.2,
            keyValueHeadCount: sizes.2, vocabularySize: 32000, maxPositionEmbeddings: 2048)
        #expect(model.tensorTable.count == sizes.4)
    }

    @Test func norms() {
        let gains = ModelConfiguration.tied.tensorTable.entries.filter { $0.kind == .gain }.map(\.name)
        let layers = (0..<2).flatMap { layer in
            ["input_layernorm", "post_attention_layernorm"].map { "model.layers.\(layer).\($0).weight" }
        }
        #expect(gains == layers + ["model.norm.weight"])
    }

    @Test(arguments: TransformerTests.models)
    func gradientsBecomeFinalFromTheBack(model: ModelConfiguration) {
        let table = model.tensorTable
        let names =
            ["model.norm.weight"]
            + (0..<model.hiddenLayerCount).reversed().map { "model.layers.\($0).input_layernorm.weight" }
            + ["model.embed_tokens.weight"]
        #expect(model.gradientFinalIndices == names.map { table[$0]?.range.lowerBound })
    }
}
