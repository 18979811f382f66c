// ModelReader - the model of tokenizer.json: vocabulary, merges, scores.

internal import JSONReading

/// Reads the object `model` in one pass, and builds the model when all of the file is known.
struct ModelReader {
    enum Failure: Error {
        case json(JSONReader.Failure)
        case file(TokenizerFileError)
    }

    private var type: String?
    private var settings = BytePairModel.Settings()
    private var unknownId: Int?
    private var vocabulary = TextTable()
    private var scores: [Double] = []
    private var hasScores = false
    private var hasVocabulary = false
    /// Texts of all merges, and for each merge the ends of its two parts.
    private var mergeTexts: [UInt8] = []
    private var mergeEnds: [(left: Int, right: Int)] = []
    private var hasMerges = false

    private static let mostMerges = 1 << 25
    /// Longest prefix or suffix of a character in bytes. Real ones are `##` and `</w>`.
    private static let longestAffix = 32

    /// Whether the model is `BPE`. Older files do not say so.
    var isBytePairs: Bool { type.map { $0 == "BPE" } ?? hasMerges }

    mutating func read(_ reader: inout JSONReader) throws(Failure) {
        do {
            try readMembers(&reader)
        } catch let failure as JSONReader.Failure {
            throw .json(failure)
        } catch let failure as TokenizerFileError {
            throw .file(failure)
        } catch {
            preconditionFailure("another error: \(error)")
        }
    }

    private mutating func readMembers(_ reader: inout JSONReader) throws {
        try reader.beginObject("model")
        var keys: Set<[UInt8]> = []
        while let bytes = try reader.nextKey() {
            let key = String(decoding: bytes, as: UTF8.self)
            guard keys.insert(bytes).inserted else { throw TokenizerFileError("model has the key \(key) twice") }
            if try key != "type" && reader.peek() == .null {
                try reader.null(key)
                continue
            }
            switch key {
            case "type": type = try reader.string("model.type")
            case "dropout":
                guard Double(try reader.number("model.dropout")) == 0 else {
                    throw TokenizerFileError.unsupported("model.dropout other than 0")
                }
            case "unk_token": try reader.string("model.unk_token", into: &settings.unknownToken.orEmpty)
            case "continuing_subword_prefix":
                try reader.string("model.continuing_subword_prefix", into: &settings.continuingPrefix)
            case "end_of_word_suffix": try reader.string("model.end_of_word_suffix", into: &settings.endSuffix)
            case "fuse_unk": settings.fusesUnknown = try reader.boolean("model.fuse_unk")
            case "byte_fallback": settings.fallsBackToBytes = try reader.boolean("model.byte_fallback")
            case "ignore_merges": settings.ignoresMerges = try reader.boolean("model.ignore_merges")
            case "unk_id":
                guard let id = try reader.size("model.unk_id"), id < TokenizerReader.mostIds else {
                    throw TokenizerFileError("model.unk_id is no id")
                }
                unknownId = id
            case "vocab":
                hasVocabulary = true
                if try reader.peek() == .array { try readScores(&reader) } else { try readVocabulary(&reader) }
            case "merges": try readMerges(&reader)
            default: throw TokenizerFileError.unsupported("model.\(key)")
            }
        }
        guard settings.continuingPrefix.count <= Self.longestAffix, settings.endSuffix.count <= Self.longestAffix else {
            throw TokenizerFileError(
                "model.continuing_subword_prefix or model.end_of_word_suffix has more than \(Self.longestAffix) bytes")
        }
        let allowed: Set<String>
        switch type {
        case "BPE":
            allowed = [
                "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                "byte_fallback", "ignore_merges", "vocab", "merges",
            ]
        case "Unigram": allowed = ["type", "unk_id", "vocab", "byte_fallback"]
        case nil: return
        case let type?: throw TokenizerFileError.unsupported("the model \(type)")
        }
        if let key = keys.map({ String(decoding: $0, as: UTF8.self) }).sorted().first(where: { !allowed.contains($0) })
        {
            throw TokenizerFileError.unsupported("model.\(key) of \(type ?? "")")
        }
    }

    /// Reads `{"token": id, ...}`.
    private mutating func readVocabulary(_ reader: inout JSONReader) throws {
        try reader.beginObject("model.vocab")
        var token: [UInt8] = []
        while try reader.nextKey(into: &token) {
            guard let id = try reader.size("an id of model.vocab"), id < TokenizerReader.mostIds else {
                throw TokenizerFileError("the id of \(Self.quoted(token)) in model.vocab is no id")
            }
            guard vocabulary.add(token, id: Int32(id)) else {
                throw TokenizerFileError("the token \(Self.quoted(token)), or its id \(id), is in model.vocab twice")
            }
            token.removeAll(keepingCapacity: true)
        }
    }

    /// Reads `[["token", score], ...]`.
    private mutating func readScores(_ reader: inout JSONReader) throws {
        hasScores = true
        try reader.beginArray("model.vocab")
        var token: [UInt8] = []
        while try reader.nextElement() {
            try reader.beginArray("an entry of model.vocab")
            guard try reader.nextElement() else { throw TokenizerFileError("an entry of model.vocab is empty") }
            try reader.string("a token of model.vocab", into: &token)
            guard try reader.nextElement() else {
                throw TokenizerFileError("the token \(Self.quoted(token)) in model.vocab has no score")
            }
            let score = DecimalNumber.double(try reader.number("a score of model.vocab"))
            guard try !reader.nextElement(), score.isFinite, scores.count < TokenizerReader.mostIds else {
                throw TokenizerFileError("the entry of \(Self.quoted(token)) in model.vocab is no token with a score")
            }
            guard !token.isEmpty, vocabulary.add(token, id: Int32(scores.count)) else {
                throw TokenizerFileError("the token \(Self.quoted(token)) in model.vocab is empty, or there twice")
            }
            scores.append(score)
            token.removeAll(keepingCapacity: true)
        }
    }

    /// Reads `["a b", ...]` or `[["a", "b"], ...]`.
    private mutating func readMerges(_ reader: inout JSONReader) throws {
        hasMerges = true
        try reader.beginArray("model.merges")
        while try reader.nextElement() {
            guard mergeEnds.count < Self.mostMerges, mergeTexts.count < TextTable.mostBytes else {
                throw TokenizerFileError("model.merges has too many entries")
            }
            let start = mergeTexts.count
            if try reader.peek() == .array {
                try reader.beginArray("an entry of model.merges")
                var ends: [Int] = []
                while try reader.nextElement() {
                    try reader.string("a part of model.merges", into: &mergeTexts)
                    ends.append(mergeTexts.count)
                }
                guard ends.count == 2 else { throw TokenizerFileError("a merge has \(ends.count) parts, not 2") }
                mergeEnds.append((ends[0], ends[1]))
                continue
            }
            try reader.string("an entry of model.merges", into: &mergeTexts)
            let text = mergeTexts[start...]
            // A comment of the older file merges.txt.
            if text.starts(with: "#version".utf8) {
                mergeTexts.removeSubrange(start...)
                continue
            }
            guard let blank = text.firstIndex(of: 0x20), text.lastIndex(of: 0x20) == blank else {
                throw TokenizerFileError("the merge \(Self.quoted(text)) is not two parts with a blank between")
            }
            mergeTexts.remove(at: blank)
            mergeEnds.append((blank, mergeTexts.count))
        }
    }

    /// A token or merge of the file for a message.
    private static func quoted(_ text: some Collection<UInt8>) -> String {
        JSONReading.quoted(String(decoding: text, as: UTF8.self))
    }

    // MARK: - Model

    /// The model.
    ///
    /// - Parameter isByteLevel: whether it gets bytes where the pre-tokenizer would spell them.
    /// - Throws: ``TokenizerFileError`` for references to tokens that are not in the vocabulary.
    func model(isByteLevel: Bool) throws(TokenizerFileError) -> TokenizerPipeline.Model {
        guard hasVocabulary else { throw TokenizerFileError("model.vocab is missing") }
        if isBytePairs {
            guard !hasScores, hasMerges else {
                throw TokenizerFileError("the model BPE needs model.vocab as an object, and model.merges")
            }
            return .bytePairs(try bytePairs(isByteLevel: isByteLevel))
        }
        guard type == "Unigram" else { throw TokenizerFileError("model.type is missing") }
        guard hasScores else { throw TokenizerFileError("the model Unigram needs model.vocab as an array") }
        if let unknownId, unknownId >= scores.count {
            throw TokenizerFileError("model.unk_id is \(unknownId), and model.vocab has \(scores.count) tokens")
        }
        return .unigram(
            UnigramModel(
                vocabulary: vocabulary, scores: scores, unknownId: unknownId.map { Int32($0) },
                fallsBackToBytes: settings.fallsBackToBytes))
    }

    private func bytePairs(isByteLevel: Bool) throws(TokenizerFileError) -> BytePairModel {
        var ranks = PairTable(capacity: mergeEnds.count)
        var results: [Int32] = []
        results.reserveCapacity(mergeEnds.count)
        let prefix = settings.continuingPrefix
        var start = 0
        for (rank, ends) in mergeEnds.enumerated() {
            defer { start = ends.right }
            guard let left = vocabulary.id(of: mergeTexts, start..<ends.left),
                let right = vocabulary.id(of: mergeTexts, ends.left..<ends.right)
            else {
                let parts = [mergeTexts[start..<ends.left], mergeTexts[ends.left..<ends.right]].map {
                    Self.quoted($0)
                }
                throw TokenizerFileError(
                    "the merge \(rank) of \(parts[0]) and \(parts[1]) has a part that is no token of model.vocab")
            }
            let result: Int32?
            if prefix.isEmpty {
                result = vocabulary.id(of: mergeTexts, start..<ends.right)
            } else {
                let text = mergeTexts[start..<ends.left] + mergeTexts[ends.left..<ends.right].dropFirst(prefix.count)
                result = vocabulary.id(of: Array(text))
            }
            guard let result else {
                throw TokenizerFileError(
                    "the merge \(rank) makes \(Self.quoted(mergeTexts[start..<ends.right])), which is no token of "
                        + "model.vocab")
            }
            ranks.set(left, right, Int32(rank))
            results.append(result)
        }
        return try BytePairModel(
            vocabulary: vocabulary, ranks: ranks, results: results, settings: settings, isByteLevel: isByteLevel)
    }
}

extension Optional where Wrapped == [UInt8] {
    /// The bytes; empty for none, which becomes some when it is changed.
    fileprivate var orEmpty: [UInt8] {
        get { self ?? [] }
        set { self = newValue }
    }
}

/// Decimal numbers as the library reads them: two roundings at most, where the nearest double takes one.
enum DecimalNumber {
    /// The double that `text`, a number of JSON, is read as.
    static func double(_ text: String) -> Double {
        var (significand, exponent): (UInt64, Int) = (0, 0)
        var (isNegative, isFraction, isFull) = (false, false, false)
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "-") {
            isNegative = true
            rest = rest.dropFirst()
        }
        while let byte = rest.first, byte | 0x20 != UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if byte == UInt8(ascii: ".") {
                // Digits behind a point count again only where those in front of it fit.
                isFraction = true
                continue
            }
            let (tenfold, overflow) = significand.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tenfold.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if isFull || overflow || carry {
                isFull = true
                if !isFraction { exponent += 1 }
                continue
            }
            significand = sum
            if isFraction { exponent -= 1 }
        }
        if !rest.isEmpty { exponent += Int(String(rest.dropFirst()) ?? "") ?? 0 }
        var value = Double(significand)
        if exponent < -308 {
            value /= 1e308
            exponent += 308
        }
        if exponent < 0 {
            value = exponent < -308 ? 0 : value / power(-exponent)
        } else {
            value = exponent > 308 && value != 0 ? .infinity : value * power(min(exponent, 308))
        }
        return isNegative ? -value : value
    }

    /// The double nearest to a power of ten.
    private static func power(_ exponent: Int) -> Double { Double("1e\(exponent)") ?? .infinity }
}
