// UnusedSettings - settings of tokens that a checkpoint carries and that nothing here follows.

internal import Checkpointing
internal import JSONReading
internal import SentencePieceText
internal import Tokenizers

/// Compares a directory's small files with the tokenizer of its checkpoint, and notes the settings that differ.
///
/// Why: training and evaluation here know the tokenizer only. An export writes the files as they are.
struct UnusedSettings {
    /// A sentence for each setting.
    private(set) var notes: [String] = []
    /// Roles whose declared id differs from the tokenizer's. Files that an export makes leave their ids out.
    private(set) var withheld: Set<TokenRole> = []

    private enum Name {
        static let addedTokens = "added_tokens.json"
        static let specialTokens = "special_tokens_map.json"
    }

    /// Largest of the small files that is read; a chat template has some kilobytes.
    static let largestByteCount = 16 << 20
    /// Most names in a sentence.
    private static let mostNamed = 8

    private let directory: String
    private let tokenizer: KnownTokens

    /// - Parameters:
    ///   - configuration: the content of `config.json`.
    ///   - tokenizer: the tokenizer of the checkpoint.
    /// - Throws: ``HuggingFaceError``, ``CheckpointError`` for files that cannot be read. Malformed files are noted.
    init(directory: String, configuration: JSONTree, tokenizer: CheckpointIndex.Tokenizer) throws {
        self.directory = directory
        self.tokenizer = try KnownTokens(tokenizer)
        let generation = try tree(ModelFiles.generation)
        let settings = try tree(HuggingFaceTokenizer.settingsName)
        let map = try tree(Name.specialTokens)
        compareRoles(configuration, generation, settings ?? map, settings == nil ? Name.specialTokens : nil)
        if self.tokenizer.isPresent { try compareAddedTokens(settings, map) }
        for role in ["bos", "eos"] where settings?["add_\(role)_token"] == .boolean(true) {
            let place = role == "bos" ? "before" : "behind"
            notes.append(
                "\(HuggingFaceTokenizer.settingsName): add_\(role)_token is true; texts get no token \(place) them here"
            )
        }
        if let sentence = self.tokenizer.limits { notes.append(sentence) }
    }

    /// The content of a file; nil for a file that is absent, or that is no JSON. The latter is noted.
    private mutating func tree(_ name: String) throws -> JSONTree? {
        let path = directory + "/" + name
        do {
            return try HuggingFaceImport.contents(path, limit: Self.largestByteCount).map {
                try JSONTree($0, file: path)
            }
        } catch let error as HuggingFaceError where error.kind != .io {
            notes.append("\(error); it is passed over")
            return nil
        }
    }

    // MARK: - Begin, end, padding

    private mutating func compareRoles(
        _ configuration: JSONTree, _ generation: JSONTree?, _ texts: JSONTree?, _ textsName: String?
    ) {
        for role in TokenRole.allCases {
            var found: [String] = []
            for (tree, name) in [
                (configuration, ModelFiles.configuration), (generation ?? .null, ModelFiles.generation),
            ] {
                guard let value = tree[role.idKey], !tokenizer.agrees(role, id: value) else { continue }
                found.append("\(ConfigurationKeys.shown(value)) in \(name)")
            }
            if let value = texts?[role.textKey], !tokenizer.agrees(role, text: value) {
                let shown = Self.content(value).map(quoted) ?? ConfigurationKeys.shown(value)
                found.append("\(shown) in \(textsName ?? HuggingFaceTokenizer.settingsName)")
            }
            guard !found.isEmpty else { continue }
            withheld.insert(role)
            notes.append(
                "\(role.idKey) is \(found.joined(separator: ", ")), \(tokenizer.described(role))"
                    + (role == .end ? tokenizer.endNote : "") + "; an export keeps what the files say")
        }
    }

    /// The text of a token, which is a string or an object that holds it.
    private static func content(_ value: JSONTree) -> String? { value.string ?? value["content"]?.string }

    // MARK: - Added tokens

    private mutating func compareAddedTokens(_ settings: JSONTree?, _ map: JSONTree?) throws {
        var added: [(id: Int?, text: String)] = []
        if case .object(let members) = try tree(Name.addedTokens) {
            added += members.map { ($0.value.integer, $0.key) }
        }
        if case .object(let members) = settings?["added_tokens_decoder"] {
            added += members.compactMap { member in Self.content(member.value).map { (Int(member.key), $0) } }
        }
        added += try addedTokensOfFastTokenizer()
        for value in [settings, map].flatMap({ [$0?["additional_special_tokens"], $0?["extra_special_tokens"]] }) {
            switch value {
            case .array(let tokens): added += tokens.compactMap(Self.content).map { (nil, $0) }
            case .object(let tokens): added += tokens.compactMap { Self.content($0.value) }.map { (nil, $0) }
            default: break
            }
        }
        var lost: [(id: Int?, text: String)] = []
        // Why a table and a set: files from elsewhere may have millions of added tokens.
        var places: [String: Int] = [:]
        let known = tokenizer.textSet
        for token in added where !tokenizer.has(token.text, id: token.id, among: known) {
            if let place = places[token.text] {
                lost[place].id = lost[place].id ?? token.id
            } else {
                places[token.text] = lost.count
                lost.append(token)
            }
        }
        guard !lost.isEmpty else { return }
        let names = lost.prefix(Self.mostNamed).map { quoted($0.text) + ($0.id.map { " (\($0))" } ?? "") }
        let rest = lost.count > names.count ? " and \(lost.count - names.count) more" : ""
        notes.append(
            "\(lost.count) added \(lost.count == 1 ? "token is" : "tokens are") not known to the tokenizer, and texts"
                + " with them get other ids here: \(names.joined(separator: ", "))\(rest)")
    }

    /// The added tokens of `tokenizer.json`, read without keeping the vocabulary.
    private mutating func addedTokensOfFastTokenizer() throws -> [(id: Int?, text: String)] {
        let path = directory + "/" + HuggingFaceTokenizer.fastName
        var added: [(id: Int?, text: String)] = []
        do {
            guard let bytes = try HuggingFaceImport.contents(path, limit: HuggingFaceTokenizer.largestByteCount) else {
                return []
            }
            var scanner = JSONScanner(bytes, file: path)
            try scanner.object("the tokenizer") { scanner, key throws(HuggingFaceError) in
                guard key == "added_tokens" else { return try scanner.skip() }
                guard case .array(let tokens) = try JSONTree(&scanner) else { return }
                added = tokens.compactMap { token in token["content"]?.string.map { (token["id"]?.integer, $0) } }
            }
            try scanner.finish()
        } catch let error as HuggingFaceError where error.kind != .io {
            notes.append("\(error); it is passed over")
        }
        return added
    }
}

/// The tokens of a checkpoint's tokenizer.
private struct KnownTokens {
    let special: SpecialTokens
    /// By id; empty without a tokenizer.
    private let texts: [[UInt8]]
    /// Whether the tokenizer tells begin and padding. A `tokenizer.json` does not.
    private let hasRoles: Bool
    /// A note about a tokenizer that cannot encode here; nil for one that can, and for none.
    let limits: String?

    var isPresent: Bool { !texts.isEmpty }

    init(_ tokenizer: CheckpointIndex.Tokenizer) throws(HuggingFaceError) {
        hasRoles = !tokenizer.name.hasSuffix(JSONTokenizer.suffix)
        if !hasRoles {
            let model = try JSONTokenizer(tokenizer)
            special = SpecialTokens(end: tokenizer.endToken)
            texts = (0..<Int32(model.size)).map { model.piece($0) ?? [] }
            limits =
                tokenizer.endToken == nil
                ? "nothing says which token of \(tokenizer.name) ends documents (eos): a run names it with data.end_token"
                : nil
            return
        }
        limits = tokenizer.bytes.isEmpty ? nil : Self.limits(of: tokenizer)
        if !tokenizer.bytes.isEmpty {
            let model = try SentencePieceModel(tokenizer.bytes, file: tokenizer.name)
            (special, texts) = (model.special, model.pieces.map(\.text))
        } else if tokenizer.name == CheckpointIndex.Tokenizer.bytesName {
            special = SpecialTokens(end: ByteLevel.endToken)
            texts = (0..<256).map { [UInt8($0)] } + [Array(ByteLevel.endText.utf8)]
        } else {
            (special, texts) = (SpecialTokens(), [])
        }
    }

    /// The note about a model that SentencePiece refuses, or that has no end token.
    private static func limits(of tokenizer: CheckpointIndex.Tokenizer) -> String? {
        let problem: String
        do throws(SentencePieceError) {
            guard try SentencePieceProcessor(modelBytes: tokenizer.bytes).endId == nil else { return nil }
            problem = "has no end token (eos, \"</s>\"), with which each document ends here"
        } catch {
            problem = "cannot be used here (\(error))"
        }
        return
            "\(tokenizer.name) \(problem): the checkpoint keeps it for export, but text cannot be trained on or"
            + " evaluated with it, only prepared token files"
    }

    /// Whether an id of a configuration file, or the first of a list, is the tokenizer's; null says that there is none.
    ///
    /// Any token agrees with a role that the tokenizer does not tell.
    func agrees(_ role: TokenRole, id value: JSONTree) -> Bool {
        if role != .end, !hasRoles {
            return value == .null || value.integer.map { texts.indices.contains($0) && !texts[$0].isEmpty } ?? false
        }
        return switch value {
        case .null: special[role] == nil
        // Of several ends the first is the end of a document.
        case .array(let ids): ids.first.map { agrees(role, id: $0) } ?? false
        default: value.integer != nil && value.integer == special[role]
        }
    }

    /// Whether the text of a token is the tokenizer's.
    func agrees(_ role: TokenRole, text value: JSONTree) -> Bool {
        guard let text = value.string ?? value["content"]?.string else { return value == .null && special[role] == nil }
        if role != .end, !hasRoles { return texts.contains(Array(text.utf8)) }
        return special[role].map { texts[$0] == Array(text.utf8) } ?? false
    }

    /// The texts of all tokens.
    var textSet: Set<[UInt8]> { Set(texts) }

    /// Whether the tokenizer has a token; an added token's id counts where it is stated.
    ///
    /// - Parameter known: ``textSet``.
    func has(_ text: String, id: Int?, among known: Set<[UInt8]>) -> Bool {
        let bytes = Array(text.utf8)
        guard let id else { return known.contains(bytes) }
        return texts.indices.contains(id) && texts[id] == bytes
    }

    func described(_ role: TokenRole) -> String {
        guard isPresent else { return "and the checkpoint has no tokenizer" }
        guard let id = special[role] else { return "and the tokenizer has none" }
        return "and \(id) (\(quoted(String(decoding: texts[id], as: UTF8.self)))) in the tokenizer"
    }

    /// The end of a note: the token that ends documents here.
    var endNote: String { special.end.map { ": documents end with \($0) here" } ?? "" }
}
