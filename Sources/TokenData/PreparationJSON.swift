// PreparationJSON - JSON of the manifest and the summary of prepared data.

internal import Foundation

/// Writes and reads manifests and summaries.
package enum PreparationJSON {
    package static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }

    /// The value in the file at `path`; nil for a missing file and for other content.
    package static func read<Value: Decodable>(_ type: Value.Type, at path: String) -> Value? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try? decoder.decode(type, from: data)
    }
}
