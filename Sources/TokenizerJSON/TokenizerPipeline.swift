// TokenizerPipeline - a tokenizer.json, executed: text to ids and back.

internal import Synchronization

/// What cuts pieces into tokens.
protocol PieceModel {
    /// The memory of encoding, for one thread at a time.
    associatedtype Workspace

    /// Appends the ids of the piece `text[range]` to `target`.
    ///
    /// - Throws: ``TokenizerFileError`` for a character without token where there is no unknown token.
    func encode(
        _ text: [UInt8], _ range: Range<Int>, _ workspace: inout Workspace, to target: inout [Int32]
    ) throws(TokenizerFileError)
}

/// The tokenizer of a `tokenizer.json`. Several threads may use it.
///
/// Ids and texts are those of the library `tokenizers`.
package final class TokenizerPipeline: Sendable {
    enum Model: Sendable {
        case bytePairs(BytePairModel)
        case unigram(UnigramModel)

        var vocabulary: TextTable {
            switch self {
            case .bytePairs(let model): model.vocabulary
            case .unigram(let model): model.vocabulary
            }
        }
    }

    private let addedTokens: AddedTokens
    private let normalizer: Normalizer?
    private let preTokenizer: PreTokenizer?
    private let model: Model
    private let postProcessor: PostProcessor?
    private let decoder: TokenDecoder?
    /// Whether the model gets bytes where the pre-tokenizer would spell them.
    private let leavesBytes: Bool

    /// The memory of encoding. A thread takes one for a text.
    private struct Memory {
        var cache = WordCache()
        var bytePairs = BytePairModel.Workspace()
        var unigram = UnigramModel.Workspace()
    }

    private let pool = Mutex<[Memory]>([])

    /// What a file describes.
    struct Parts {
        var addedTokens: AddedTokens
        var normalizer: Normalizer?
        var preTokenizer: PreTokenizer?
        var model: Model
        var leavesBytes: Bool
        var postProcessor: PostProcessor?
        var decoder: TokenDecoder?
    }

    /// Reads a `tokenizer.json`.
    ///
    /// - Throws: ``TokenizerFileError`` for a file that is malformed, or asks for what is not supported.
    package init(reading bytes: [UInt8]) throws(TokenizerFileError) {
        var reader = TokenizerReader(bytes)
        let parts = try reader.parts()
        addedTokens = parts.addedTokens
        normalizer = parts.normalizer
        preTokenizer = parts.preTokenizer
        model = parts.model
        leavesBytes = parts.leavesBytes
        postProcessor = parts.postProcessor
        decoder = parts.decoder
        size = addedTokens.tokens.reduce(model.vocabulary.size) { max($0, Int($1.id) + 1) }
    }

    /// One more than the greatest id.
    package let size: Int

    /// The id of a token by its text; nil if there is none.
    package func id(of text: String) -> Int32? {
        let bytes = Array(text.utf8)
        return addedTokens.tokens.first { $0.content == bytes }?.id ?? model.vocabulary.id(of: bytes)
    }

    /// The special tokens that the template of the post-processor puts before a text. The file states their ids, which need
    /// not be those of tokens.
    package var leadingTokens: [Int32] { postProcessor?.leadingTokens ?? [] }

    /// Whether an id is a token.
    package func has(_ id: Int32) -> Bool { text(of: id) != nil }

    /// The text of a token in the file, such as `Ġthe`; nil for an id that is none.
    package func piece(_ id: Int32) -> [UInt8]? { text(of: id) }

    // MARK: - Encoding

    /// The ids of a text. Bytes that are no UTF-8 are read as U+FFFD each.
    ///
    /// - Parameter addsSpecialTokens: whether the post-processor's template is followed.
    /// - Throws: ``TokenizerFileError`` for a text that is too long, that a regular expression takes too long for, or
    ///   that has a character without a token.
    package func encode(_ text: [UInt8], addsSpecialTokens: Bool = false) throws(TokenizerFileError) -> [Int32] {
        let text = ScalarReader.repaired(text) ?? text
        guard text.count <= PieceList.longestText else { throw .tooLong }
        var ids: [Int32] = []
        if !text.isEmpty {
            let list = try cut(text)
            ids.reserveCapacity(max(16, text.count / 4))
            var memory = pool.withLock { $0.popLast() } ?? Memory()
            defer { pool.withLock { $0.append(memory) } }
            switch model {
            case .bytePairs(let model): try Self.encode(list, model, &memory.cache, &memory.bytePairs, to: &ids)
            case .unigram(let model): try Self.encode(list, model, &memory.cache, &memory.unigram, to: &ids)
            }
        }
        return addsSpecialTokens ? postProcessor?.adding(to: ids) ?? ids : ids
    }

    /// The pieces that the model cuts, and the added tokens between them.
    private func cut(_ text: [UInt8]) throws(TokenizerFileError) -> PieceList {
        var list = PieceList(text: text, pieces: [Piece(range: 0..<text.count, isStart: true)])
        if addedTokens.hasRaw { try addedTokens.cutRaw(&list) }
        if let normalizer {
            try list.replaceTexts { bytes, piece throws(TokenizerFileError) in
                var text = Normalizer.Text(bytes: Array(bytes), isStart: piece.isStart)
                try normalizer.normalize(&text)
                piece.isStart = text.isStart
                return text.bytes
            }
        }
        if addedTokens.hasNormalized { try addedTokens.cutNormalized(&list) }
        try preTokenizer?.apply(to: &list, leavesBytes: leavesBytes)
        return list
    }

    /// Appends the ids of all pieces to `ids`. Pieces that the cache has are not encoded again.
    private static func encode<Model: PieceModel>(
        _ list: PieceList, _ model: Model, _ cache: inout WordCache, _ workspace: inout Model.Workspace,
        to ids: inout [Int32]
    ) throws(TokenizerFileError) {
        for piece in list.pieces {
            guard piece.token < 0 else {
                ids.append(piece.token)
                continue
            }
            let hash = SeededHash.hash(list.text, piece.range)
            if cache.append(list.text, piece.range, hash: hash, to: &ids) { continue }
            let first = ids.count
            try model.encode(list.text, piece.range, &workspace, to: &ids)
            cache.insert(list.text, piece.range, hash: hash, ids: ids[first...])
        }
    }

    // MARK: - Decoding

    private func text(of id: Int32) -> [UInt8]? {
        addedTokens.text(of: id) ?? model.vocabulary.text(of: id).map(Array.init)
    }

    /// The text of ids. Ids that are no tokens add nothing.
    ///
    /// - Parameter skipsSpecialTokens: whether special tokens add nothing.
    /// - Throws: ``TokenizerFileError`` for a text that a regular expression takes too long for.
    package func decode(_ ids: [Int32], skipsSpecialTokens: Bool = false) throws(TokenizerFileError) -> [UInt8] {
        let tokens = ids.compactMap { id in
            text(of: id).flatMap { skipsSpecialTokens && addedTokens.isSpecial($0) ? nil : $0 }
        }
        guard let decoder else { return Array(tokens.joined(separator: [0x20])) }
        return Array(try decoder.decode(tokens).joined())
    }

    /// The bytes that `id` adds to a text whose last token is `previous`, also where they are part of a character.
    ///
    /// - Parameter previous: nil at the start of a text.
    package func bytes(of id: Int32, after previous: Int32?) -> [UInt8] {
        guard let text = text(of: id) else { return [] }
        guard let decoder else { return (previous == nil ? [] : [0x20]) + text }
        if decoder.isByteLevel { return ByteAlphabet.bytes(of: text[...]) ?? text }
        if decoder.hasByteTokens, let byte = TokenDecoder.byte(of: text) { return [byte] }
        // A neighbour that is bytes could form a character with nothing here, so another token stands for it.
        guard let previous, let before = self.text(of: previous), TokenDecoder.byte(of: before) == nil,
            let first = try? decode([previous]), let both = try? decode([previous, id]), both.starts(with: first)
        else { return (previous == nil ? nil : inner(id)) ?? (try? decode([id])) ?? text }
        return Array(both.dropFirst(first.count))
    }

    /// The text of a token behind another one; nil if that cannot be told.
    private func inner(_ id: Int32) -> [UInt8]? {
        guard let double = try? decode([id, id]), let single = try? decode([id]), double.count >= single.count,
            double.starts(with: single)
        else { return nil }
        return Array(double.dropFirst(single.count))
    }
}
