// ByteTokenizer - every byte is a token.

/// A tokenizer of bytes: ids 0 to 255 are the byte, id 256 ends a document.
public struct ByteTokenizer: Tokenizer {
    public init() {}

    public var name: String { "bytes" }
    public var size: Int { 257 }
    public var endToken: Int32 { 256 }
    public var modelBytes: [UInt8] { [] }
    public var splitsAnywhere: Bool { true }
    public var readsAnyBytes: Bool { true }

    public func encode(_ text: [UInt8]) -> [Int32] { text.map { Int32($0) } }

    public func decode(_ tokens: [Int32]) -> [UInt8] { tokens.compactMap { UInt8(exactly: $0) } }
}
