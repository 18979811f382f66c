// JSONText - Codable values as JSON bytes, and back.

internal import FoundationEssentials

/// JSON with sorted keys: equal values give equal bytes.
enum JSONText {
    static func encode<Value: Encodable>(_ value: Value) throws(CheckpointError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(value))
        } catch {
            throw CheckpointError(.io, file: "\(Value.self)", "the value cannot be written as JSON: \(error)")
        }
    }

    static func text<Value: Encodable>(_ value: Value) throws(CheckpointError) -> String {
        String(decoding: try encode(value), as: UTF8.self)
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], of file: String
    ) throws(CheckpointError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw CheckpointError(.corrupt, file: file, "malformed \(Value.self): \(error)")
        }
    }
}
