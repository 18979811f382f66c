// TokenizerTextCommand - `mile-dist tokenizer encode|decode`: lines of text to lines of ids, and back.

internal import MessagePassing
internal import TokenData

/// `mile-dist tokenizer encode|decode --tokenizer T [FILES...]`
public struct TokenizerTextCommand: Sendable {
    public enum Direction: Sendable {
        /// Text to ids.
        case encode
        /// Text to pieces.
        case encodeAsPieces
        /// Ids to text.
        case decode
    }

    public var direction: Direction
    /// As `data.tokenizer`.
    public var tokenizer: String
    /// Empty: standard input.
    public var files: [String]

    public init(_ direction: Direction, tokenizer: String, files: [String]) {
        self.direction = direction
        self.tokenizer = tokenizer
        self.files = files
    }

    public func run(_ session: Session) throws -> ExitStatus {
        // One rank reads and writes; an error is everybody's.
        try session.communicator.agreed {
            if session.communicator.rank == 0 { try convert() }
        }
        return .done
    }

    private func convert() throws {
        let tokenizer = try makeTokenizer(tokenizer, key: "--tokenizer")
        var output = StandardOutput()
        let inputs = files.isEmpty ? [LineInput.standard()] : try files.map { try LineInput(path: $0) }
        do {
            for input in inputs {
                try input.forEachLine { line, number in
                    let result =
                        switch direction {
                        case .encode: Array(try tokenizer.encode(line).map { String($0) }.joined(separator: " ").utf8)
                        case .encodeAsPieces: try pieces(line, tokenizer)
                        case .decode: tokenizer.decode(try ids(line, tokenizer, place: "\(input.name):\(number)"))
                        }
                    try output.append(result + [UInt8(ascii: "\n")])
                } atPause: {
                    try output.flush()
                }
            }
            try output.flush()
        } catch is StandardOutput.ReaderHasGone {
            // As with `| head`: nobody wants the rest.
        }
    }

    private func pieces(_ line: [UInt8], _ tokenizer: any TokenData.Tokenizer) throws -> [UInt8] {
        guard let tokenizer = tokenizer as? SentencePieceTokenizer else {
            throw ProgramFailure(
                .badInput, "--format piece: the tokenizer \(tokenizer.name) has no pieces; allowed: id")
        }
        return Array(try tokenizer.pieces(line).joined(separator: [UInt8(ascii: " ")]))
    }

    /// The ids of a line of decimal numbers.
    private func ids(_ line: [UInt8], _ tokenizer: any TokenData.Tokenizer, place: String) throws -> [Int32] {
        try String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).map { word in
            guard let id = Int32(word), id >= 0, Int(id) < tokenizer.size else {
                throw ProgramFailure(
                    .badInput,
                    "\(place): \"\(word)\" is no id of \(tokenizer.name); allowed: 0 to \(tokenizer.size - 1)")
            }
            return id
        }
    }
}
