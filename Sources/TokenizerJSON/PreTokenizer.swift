// PreTokenizer - the cuts that a tokenizer makes before its model.

internal import RegularExpressions

/// A pre-tokenizer of `tokenizer.json`.
indirect enum PreTokenizer: Sendable {
    /// When a character is put in front of a piece.
    enum Prepending: String, Sendable {
        case first
        case never
        case always
    }

    /// Cuts by a pattern, if there is one; then spells bytes by characters.
    case byteLevel(addsSpace: Bool, TextPattern?)
    case split(TextPattern, SplitBehavior, isInverted: Bool)
    case digits(areSingle: Bool)
    case punctuation(SplitBehavior)
    case whitespace
    case whitespaceSplit
    case metaspace(replacement: [UInt8], Prepending, splits: Bool)
    case sequence([PreTokenizer])

    /// GPT-2's pattern.
    static let gpt2Pattern =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Whether the last step spells bytes by characters.
    var endsWithByteLevel: Bool {
        switch self {
        case .byteLevel: true
        case .sequence(let steps): steps.last?.endsWithByteLevel ?? false
        default: false
        }
    }

    /// Cuts the pieces.
    ///
    /// - Parameter leavesBytes: whether a last step that spells bytes leaves that to the model.
    func apply(to list: inout PieceList, leavesBytes: Bool) throws(TokenizerFileError) {
        switch self {
        case .byteLevel(let addsSpace, let pattern):
            if addsSpace {
                try list.replaceTexts { text, _ in text.first == 0x20 ? Array(text) : [0x20] + text }
            }
            if let pattern { try Self.split(&list, by: pattern, .isolated, isInverted: false) }
            if !leavesBytes { try list.replaceTexts { text, _ in ByteAlphabet.spelled(text) } }
        case .split(let pattern, let behavior, let isInverted):
            try Self.split(&list, by: pattern, behavior, isInverted: isInverted)
        case .digits(let areSingle):
            try Self.split(&list, areSingle ? .isolated : .contiguous) { CharacterProperty.isNumeric($0) }
        case .punctuation(let behavior): try Self.split(&list, behavior) { CharacterProperty.isPunctuation($0) }
        case .whitespaceSplit: try Self.split(&list, .removed) { CharacterProperty.isSpace($0) }
        case .whitespace: try list.split { text, piece, target in Self.appendWords(text, piece, to: &target) }
        case .metaspace(let replacement, let prepending, let splits):
            try list.replaceTexts { text, piece in Self.metaspace(text, piece, replacement, prepending) }
            if splits {
                try Self.split(&list, by: .text(replacement), .mergedWithNext, isInverted: false)
            }
        case .sequence(let steps):
            for (index, step) in steps.enumerated() {
                try step.apply(to: &list, leavesBytes: leavesBytes && index == steps.count - 1)
            }
        }
    }

    private static func split(
        _ list: inout PieceList, by pattern: TextPattern, _ behavior: SplitBehavior, isInverted: Bool
    ) throws(TokenizerFileError) {
        try pattern.withMatcher { matcher throws(TokenizerFileError) in
            var parts: [SplitBehavior.Part] = []
            try list.split { text, piece, target throws(TokenizerFileError) in
                if behavior == .isolated {
                    try appendIsolated(text, piece, pattern, matcher, to: &target)
                    return
                }
                parts.removeAll(keepingCapacity: true)
                var last = piece.range.lowerBound
                try pattern.forEachMatch(in: text, piece.range, matcher) { match in
                    if match.lowerBound > last {
                        parts.append(SplitBehavior.Part(range: last..<match.lowerBound, isMatch: isInverted))
                    }
                    parts.append(SplitBehavior.Part(range: match, isMatch: !isInverted))
                    last = match.upperBound
                }
                if last < piece.range.upperBound {
                    parts.append(SplitBehavior.Part(range: last..<piece.range.upperBound, isMatch: isInverted))
                }
                behavior.append(parts, of: piece, to: &target)
            }
        }
    }

    /// ``SplitBehavior/isolated``, which most tokenizers have, without a list of parts.
    private static func appendIsolated(
        _ text: [UInt8], _ piece: Piece, _ pattern: TextPattern, _ matcher: RegularExpression.Matcher?,
        to target: inout [Piece]
    ) throws(TokenizerFileError) {
        let start = piece.range.lowerBound
        var last = start
        try pattern.forEachMatch(in: text, piece.range, matcher) { match in
            if match.lowerBound > last {
                target.append(Piece(range: last..<match.lowerBound, isStart: piece.isStart && last == start))
            }
            if !match.isEmpty {
                target.append(Piece(range: match, isStart: piece.isStart && match.lowerBound == start))
            }
            last = match.upperBound
        }
        if last < piece.range.upperBound {
            target.append(Piece(range: last..<piece.range.upperBound, isStart: piece.isStart && last == start))
        }
    }

    /// Cuts at characters that have a property.
    private static func split(
        _ list: inout PieceList, _ behavior: SplitBehavior, at isMatch: (UInt32) -> Bool
    ) throws(TokenizerFileError) {
        var parts: [SplitBehavior.Part] = []
        try list.split { text, piece, target in
            parts.removeAll(keepingCapacity: true)
            var last = piece.range.lowerBound
            var index = last
            while index < piece.range.upperBound {
                let (value, length) = ScalarReader.scalar(in: text, at: index)
                if isMatch(value) {
                    if last < index { parts.append(SplitBehavior.Part(range: last..<index, isMatch: false)) }
                    parts.append(SplitBehavior.Part(range: index..<index + length, isMatch: true))
                    last = index + length
                }
                index += length
            }
            if last < index { parts.append(SplitBehavior.Part(range: last..<index, isMatch: false)) }
            behavior.append(parts, of: piece, to: &target)
        }
    }

    /// Appends runs of characters of words, and runs of what is neither that nor blank.
    private static func appendWords(_ text: [UInt8], _ piece: Piece, to target: inout [Piece]) {
        enum Class { case word, blank, other }
        func add(_ range: Range<Int>, _ kind: Class) {
            guard kind != .blank, !range.isEmpty else { return }
            target.append(Piece(range: range, isStart: piece.isStart && range.lowerBound == piece.range.lowerBound))
        }
        var (last, kind) = (piece.range.lowerBound, Class.blank)
        var index = last
        while index < piece.range.upperBound {
            let (value, length) = ScalarReader.scalar(in: text, at: index)
            let found: Class =
                CharacterProperty.isWord(value) ? .word : CharacterProperty.isSpace(value) ? .blank : .other
            if found != kind {
                add(last..<index, kind)
                (last, kind) = (index, found)
            }
            index += length
        }
        add(last..<index, kind)
    }

    private static func metaspace(
        _ text: ArraySlice<UInt8>, _ piece: Piece, _ replacement: [UInt8], _ prepending: Prepending
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + text.count / 2)
        for byte in text { if byte == 0x20 { result += replacement } else { result.append(byte) } }
        guard !result.starts(with: replacement) else { return result }
        switch prepending {
        case .always: return replacement + result
        case .first: return piece.isStart ? replacement + result : result
        case .never: return result
        }
    }
}
