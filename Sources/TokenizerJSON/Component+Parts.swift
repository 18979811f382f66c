// Component+Parts - normalizers, pre-tokenizers, decoders and post-processors by their types.

internal import JSONReading
internal import RegularExpressions
internal import UnicodeText

extension Component {
    /// - Throws: ``TokenizerFileError`` for a type that is not supported, and for malformed fields.
    func normalizer() throws(TokenizerFileError) -> Normalizer {
        switch type {
        case "NFC", "NFD", "NFKC", "NFKD":
            try allow()
            let forms: [String: NormalizationForm] = ["NFC": .nfc, "NFD": .nfd, "NFKC": .nfkc]
            return .unicode(TextNormalizer(forms[type] ?? .nfkd, age: Normalizer.unicodeAge))
        case "Lowercase":
            try allow()
            return .lowercase
        case "ByteLevel":
            try allow()
            return .byteLevel
        case "Prepend":
            try allow("prepend")
            return .prepend(Array(try string("prepend").utf8))
        case "Replace":
            try allow("pattern", "content")
            return .replace(try pattern(), content: Array(try string("content").utf8))
        case "Strip":
            try allow("strip_left", "strip_right")
            return .strip(left: try boolean("strip_left"), right: try boolean("strip_right"))
        case "Precompiled":
            try allow("precompiled_charsmap")
            guard let table = Base64.decode(try string("precompiled_charsmap")) else {
                throw TokenizerFileError("\(path).precompiled_charsmap is no base64")
            }
            return .precompiled(try PrecompiledMap(table))
        case "Sequence":
            try allow("normalizers")
            var steps: [Normalizer] = []
            for part in try parts("normalizers") { steps.append(try part.normalizer()) }
            return .sequence(steps)
        default: throw .unsupported("the normalizer \(type)")
        }
    }

    /// - Throws: ``TokenizerFileError`` for a type that is not supported, and for malformed fields.
    func preTokenizer() throws(TokenizerFileError) -> PreTokenizer {
        switch type {
        case "ByteLevel":
            try allow("add_prefix_space", "trim_offsets", "use_regex")
            return .byteLevel(
                addsSpace: try boolean("add_prefix_space"),
                try boolean("use_regex", default: true) ? try Self.gpt2Pattern() : nil)
        case "Split":
            try allow("pattern", "behavior", "invert")
            return .split(try pattern(), try behavior("behavior"), isInverted: try boolean("invert"))
        case "Digits":
            try allow("individual_digits")
            return .digits(areSingle: try boolean("individual_digits"))
        case "Punctuation":
            try allow("behavior")
            return .punctuation(try behavior("behavior", default: .isolated))
        case "Whitespace":
            try allow()
            return .whitespace
        case "WhitespaceSplit":
            try allow()
            return .whitespaceSplit
        case "Metaspace":
            let (replacement, prepending) = try metaspace()
            return .metaspace(
                replacement: replacement, prepending, splits: try boolean("split", default: true))
        case "Sequence":
            try allow("pretokenizers")
            var steps: [PreTokenizer] = []
            for part in try parts("pretokenizers") { steps.append(try part.preTokenizer()) }
            return .sequence(steps)
        default: throw .unsupported("the pre-tokenizer \(type)")
        }
    }

    private static func gpt2Pattern() throws(TokenizerFileError) -> TextPattern {
        do { return .expression(try RegularExpression(oniguruma: PreTokenizer.gpt2Pattern)) } catch {
            throw TokenizerFileError(
                "GPT-2's pattern cannot be used: \(error.problem)", remedy: "install PCRE2 10.40 or later")
        }
    }

    /// The fields of `Metaspace`.
    private func metaspace() throws(TokenizerFileError) -> (replacement: [UInt8], PreTokenizer.Prepending) {
        try allow("replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep")
        var prepending = PreTokenizer.Prepending.always
        if value("prepend_scheme") != nil {
            guard let given = PreTokenizer.Prepending(rawValue: try string("prepend_scheme")) else {
                throw TokenizerFileError("\(path).prepend_scheme must be first, never or always")
            }
            prepending = given
        }
        guard try boolean("add_prefix_space", default: true) || prepending == .never else {
            throw TokenizerFileError("\(path).add_prefix_space is false, and prepend_scheme is not never")
        }
        return (try character("replacement"), prepending)
    }

    /// - Throws: ``TokenizerFileError`` for a type that is not supported, and for malformed fields.
    func decoder() throws(TokenizerFileError) -> TokenDecoder {
        switch type {
        case "ByteLevel":
            try allow("add_prefix_space", "trim_offsets", "use_regex")
            return .byteLevel
        case "ByteFallback":
            try allow()
            return .byteFallback
        case "Fuse":
            try allow()
            return .fuse
        case "Metaspace":
            let (replacement, prepending) = try metaspace()
            return .metaspace(replacement: replacement, prepends: prepending != .never)
        case "Replace":
            try allow("pattern", "content")
            return .replace(try pattern(), content: Array(try string("content").utf8))
        case "Strip":
            try allow("content", "start", "stop")
            return .strip(content: try character("content"), start: try size("start"), stop: try size("stop"))
        case "BPEDecoder":
            try allow("suffix")
            let suffix = Array(try string("suffix").utf8)
            guard !suffix.isEmpty else { throw .unsupported("the empty \(path).suffix") }
            return .endSuffix(suffix)
        case "Sequence":
            try allow("decoders")
            var steps: [TokenDecoder] = []
            for part in try parts("decoders") { steps.append(try part.decoder()) }
            return .sequence(steps)
        default: throw .unsupported("the decoder \(type)")
        }
    }

    /// - Throws: ``TokenizerFileError`` for a type that is not supported, and for malformed fields.
    func postProcessor() throws(TokenizerFileError) -> PostProcessor {
        switch type {
        case "ByteLevel":
            try allow("add_prefix_space", "trim_offsets", "use_regex")
            return .byteLevel
        case "TemplateProcessing":
            try allow("single", "pair", "special_tokens")
            return .template(try template())
        case "Sequence":
            try allow("processors")
            var steps: [PostProcessor] = []
            for part in try parts("processors") { steps.append(try part.postProcessor()) }
            return .sequence(steps)
        default: throw .unsupported("the post-processor \(type)")
        }
    }

    /// The parts of the template for one text.
    private func template() throws(TokenizerFileError) -> [PostProcessor.Part] {
        guard case .array(let single) = value("single"), single.count <= 1000 else {
            throw TokenizerFileError("\(path).single must be an array")
        }
        var parts: [PostProcessor.Part] = []
        for part in single {
            guard case .object(let members) = part, members.count == 1, let id = members[0].value["id"]?.string else {
                throw TokenizerFileError("\(path).single must hold SpecialToken and Sequence")
            }
            switch members[0].key {
            case "Sequence":
                guard id == "A" else { throw TokenizerFileError("\(path).single has another sequence than A") }
                parts.append(.text)
            case "SpecialToken":
                guard case .array(let trees) = value("special_tokens")?[id]?["ids"], trees.count <= 1000 else {
                    throw TokenizerFileError("\(path).special_tokens has no '\(id)', which single names")
                }
                let ids = trees.compactMap {
                    $0.integer.flatMap { (0..<TokenizerReader.mostIds).contains($0) ? $0 : nil }
                }
                guard ids.count == trees.count else {
                    throw TokenizerFileError("\(path).special_tokens['\(id)'].ids are no ids")
                }
                parts.append(.tokens(ids.map { Int32($0) }))
            default: throw .unsupported("\(path).single.\(members[0].key)")
            }
        }
        return parts
    }
}
