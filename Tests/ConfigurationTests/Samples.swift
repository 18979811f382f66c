// Samples - a smallest valid configuration and helpers that change one thing in it.

import Testing

@testable import Configuration

/// The text that the tests start from; its lines are named in expectations.
enum Sample {
    static let text = """
        model:
          hidden_size: 128
          intermediate_size: 384
          num_hidden_layers: 2
          num_attention_heads: 4
          vocab_size: 257
          max_position_embeddings: 64
        data:
          train:
            - {name: one, path: one.txt}
          sequence_length: 64

        """

    static func load(
        _ text: String = Sample.text, _ overrides: String...
    ) throws(ConfigurationError) -> RunConfiguration {
        try RunConfiguration.load(text: text, file: "run.yaml", name: "run", overrides: overrides)
    }

    /// The message about `text`, or "" if it is accepted.
    static func message(_ text: String, overrides: [String] = []) -> String {
        do {
            _ = try RunConfiguration.load(text: text, file: "run.yaml", name: "run", overrides: overrides)
            return ""
        } catch {
            return error.description
        }
    }

    /// The message about the sample with lines added at its end.
    static func message(adding lines: String) -> String { message(text + lines) }
}
