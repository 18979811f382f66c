// ModelRecordTests - the model in checkpoint.h5, byte for byte, and the checks of its sizes.

import CheckpointFixtures
import LlamaModel
import Testing

@testable import Checkpointing

struct ModelRecordTests {
    /// The record of `ModelConfiguration.small` by the first version. It reads for ever: a new key is not added here.
    private static let first =
        #"{"hidden_size":8,"initializer_range":0.1,"intermediate_size":12,"max_position_embeddings":16,"#
        + #""num_attention_heads":4,"num_hidden_layers":3,"num_key_value_heads":2,"rms_norm_eps":1e-06,"#
        + #""rope_theta":500000.5,"tie_word_embeddings":true,"vocab_size":40}"#

    private func read(_ text: String) throws -> ModelConfiguration {
        try JSONText.decode(ModelRecord.self, from: Array(text.utf8), of: "index").model
    }

    @Test func `the first record reads`() throws {
        #expect(try read(Self.first) == .small)
    }

    @Test func `the bytes of a record`() throws {
        let text = try JSONText.text(ModelRecord(.small))
        #expect(
            text == #"{"hidden_size":8,"initializer_range":0.1,"intermediate_size":12,"max_position_embeddings":16,"#
                + #""num_attention_heads":4,"num_hidden_layers":3,"num_key_value_heads":2,"rms_norm_eps":1e-06,"#
                + #""rope_theta":500000.5,"tie_word_embeddings":true,"vocab_size":40}"#)
        #expect(try read(text) == .small)
        // A whole number is written without a point.
        #expect(try JSONText.text(ModelRecord(.tiny)).contains(#""rope_theta":10000,"#))
        #expect(try read(JSONText.text(ModelRecord(.tiny))) == .tiny)
    }

    @Test func `a record without a key is corrupt`() throws {
        let text = Self.first.replacing(#""rope_theta":500000.5,"#, with: "")
        let error = try #require(throws: CheckpointError.self) { try read(text) }
        #expect(error.kind == .corrupt && error.file == "index")
        #expect(error.message.hasPrefix("malformed ModelRecord: ") && error.message.contains("rope_theta"))
    }

    @Test func `other keys are ignored`() throws {
        #expect(try read(Self.first.replacing("{", with: #"{"no_such_key":true,"#)) == .small)
    }

    @Test func `sizes are checked`() throws {
        func problem(_ change: (inout ModelConfiguration) -> Void) throws -> String {
            var model = ModelConfiguration.small
            change(&model)
            let error = try #require(throws: CheckpointError.self) {
                try ModelRecord.elementCount(of: model, file: "index")
            }
            return error.message
        }
        #expect(try ModelRecord.elementCount(of: .small, file: "index") == 1816)
        #expect(try problem { $0.hiddenSize = 0 } == "model: hidden_size is 0, not in 1...4194304")
        #expect(try problem { $0.vocabularySize = 4_194_305 } == "model: vocab_size is 4194305, not in 1...4194304")
        #expect(try problem { $0.hiddenLayerCount = -1 } == "model: num_hidden_layers is -1, not in 0...8192")
        #expect(try problem { $0.hiddenLayerCount = 8193 } == "model: num_hidden_layers is 8193, not in 0...8192")
        #expect(
            try problem { $0.keyValueHeadCount = 3 }
                == "model: 4 heads do not divide hidden_size 8, or 3 key-value heads do not divide the heads")
        #expect(
            try problem { ($0.hiddenSize, $0.headSize) = (12, 3) }
                == "model: heads have 3 features; allowed: an even number")
        #expect(
            try problem { $0.headSize = 3 }
                == "model: head_dim is 3; rotary embeddings turn pairs of features; allowed: an even number")
        #expect(
            try problem { ($0.ropeScaling, $0.ropeFactor) = (.linear, 0) }
                == "model: rope_factor is 0.0; allowed: finite numbers above 0")
        #expect(
            try problem { $0.rmsNormEpsilon = .infinity }
                == "model: rms_norm_eps is inf; allowed: finite numbers above 0")
    }
}
