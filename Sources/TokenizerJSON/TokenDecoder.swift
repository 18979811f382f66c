// TokenDecoder - how tokens become a text again.

/// A decoder of `tokenizer.json`.
indirect enum TokenDecoder: Sendable {
    case byteLevel
    case byteFallback
    case fuse
    case metaspace(replacement: [UInt8], prepends: Bool)
    case replace(TextPattern, content: [UInt8])
    case strip(content: [UInt8], start: Int, stop: Int)
    case endSuffix([UInt8])
    case sequence([TokenDecoder])

    /// The texts that the tokens' texts become.
    func decode(_ tokens: [[UInt8]]) throws(TokenizerFileError) -> [[UInt8]] {
        switch self {
        case .byteLevel:
            let bytes = tokens.flatMap { ByteAlphabet.bytes(of: $0[...]) ?? $0 }
            return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
        case .byteFallback: return Self.withBytes(tokens)
        case .fuse: return [Array(tokens.joined())]
        case .metaspace(let replacement, let prepends):
            var result: [[UInt8]] = []
            for (index, token) in tokens.enumerated() {
                let content: [UInt8] = index == 0 && prepends ? [] : [0x20]
                result.append(try TextPattern.text(replacement).replacing(token, with: content).text)
            }
            return result
        case .replace(let pattern, let content):
            var result: [[UInt8]] = []
            var size = 0
            for token in tokens {
                result.append(try pattern.replacing(token, with: content, longest: PieceList.longestText - size).text)
                size += result[result.count - 1].count
            }
            return result
        case .strip(let content, let start, let stop):
            return tokens.map { Self.stripped($0, content, start: start, stop: stop) }
        case .endSuffix(let suffix):
            var result: [[UInt8]] = []
            for (index, token) in tokens.enumerated() {
                let content: [UInt8] = index == tokens.count - 1 ? [] : [0x20]
                result.append(try TextPattern.text(suffix).replacing(token, with: content).text)
            }
            return result
        case .sequence(let decoders):
            var tokens = tokens
            for decoder in decoders { tokens = try decoder.decode(tokens) }
            return tokens
        }
    }

    /// Whether bytes are spelled by the characters of ``ByteAlphabet``.
    var isByteLevel: Bool {
        switch self {
        case .byteLevel: true
        case .sequence(let decoders): decoders.count == 1 && decoders[0].isByteLevel
        default: false
        }
    }

    /// Whether tokens such as `<0x0A>` are bytes.
    var hasByteTokens: Bool {
        switch self {
        case .byteFallback: true
        case .sequence(let decoders): decoders.contains(where: \.hasByteTokens)
        default: false
        }
    }

    /// The byte of a token such as `<0x0A>`; nil for another token.
    static func byte(of token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.starts(with: "<0x".utf8), token[5] == UInt8(ascii: ">") else { return nil }
        var value: UInt8 = 0
        // A plus sign before one digit is a number, as the library has it.
        var digits = token[3...4]
        if digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | (digit - UInt8(ascii: "0"))
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | (digit - UInt8(ascii: "A") + 10)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | (digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// Runs of byte tokens as one text; U+FFFD for each of a run that is no UTF-8.
    private static func withBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        func finish() {
            guard !run.isEmpty else { return }
            if (try? UTF8Span(validating: run.span)) != nil {
                result.append(run)
            } else {
                result += repeatElement([0xEF, 0xBF, 0xBD], count: run.count)
            }
            run.removeAll()
        }
        for token in tokens {
            if let byte = byte(of: token) {
                run.append(byte)
            } else {
                finish()
                result.append(token)
            }
        }
        finish()
        return result
    }

    /// `token` without up to `start` characters `content` in front, and `stop` at the end.
    private static func stripped(_ token: [UInt8], _ content: [UInt8], start: Int, stop: Int) -> [UInt8] {
        var token = token[...]
        var count = 0
        while count < start, token.starts(with: content) {
            token = token.dropFirst(content.count)
            count += 1
        }
        count = 0
        while count < stop, token.count >= content.count, token.suffix(content.count).elementsEqual(content) {
            token = token.dropLast(content.count)
            count += 1
        }
        return Array(token)
    }
}
