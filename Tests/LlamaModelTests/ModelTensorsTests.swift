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

    @Test(arguments: [ModelConfiguration.grouped, .tied])
    func gradientsBecomeFinalFromTheBack(model: ModelConfiguration) {
        let table = model.tensorTable
        let names =
            ["model.norm.weight"]
            + (0..<model.hiddenLayerCount).reversed().map { "model.layers.\($0).input_layernorm.weight" }
            + ["model.embed_tokens.weight"]
        #expect(model.gradientFinalIndices == names.map { table[$0]?.range.lowerBound })
    }
}
