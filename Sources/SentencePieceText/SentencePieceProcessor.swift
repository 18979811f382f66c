// SentencePieceProcessor - encodes and decodes text with a SentencePiece model by the library.

internal import CSentencePiece

/// A loaded SentencePiece `.model` file.
///
/// Any number of threads may use one processor at once: the library's functions for it are const.
public final class SentencePieceProcessor: Sendable {
    /// The fields of the model file.
    public let model: SentencePieceModel
    /// Number of ids: they are 0 ..< ``pieceCount``.
    public let pieceCount: Int
    /// Ids of special pieces; nil if the model has none.
    public let unknownId: Int32?
    public let beginId: Int32?
    public let endId: Int32?
    public let paddingId: Int32?

    /// The rule to cut texts before line feeds; nil for a model whose texts stay whole.
    let cuts: LineCuts?
    /// Ids of words met so far; nil for a model whose texts may not be cut at words.
    let wordCache: WordCache?
    private let handle: Handle

    /// Loads the bytes of a `.model` file.
    ///
    /// - Throws: ``SentencePieceError`` for bytes that are no model, or a truncated or damaged one.
    public init(modelBytes: [UInt8]) throws(SentencePieceError) {
        model = try SentencePieceModel(modelBytes)
        // Why: a file cut between two fields parses as a smaller model.
        guard model.isComplete else {
            throw SentencePieceError(.notAModel, "the SentencePiece model is truncated: its settings are missing")
        }
        cuts = LineCuts(model)
        wordCache = WordCuts(model, cuts) == nil ? nil : WordCache()
        handle = try Handle(modelBytes)
        pieceCount = handle.pieceCount
        // The library and this reader must agree on the pieces.
        guard pieceCount == model.pieces.count else {
            throw SentencePieceError(
                .notAModel,
                "the SentencePiece model is damaged: it has \(model.pieces.count) pieces and \(pieceCount) ids")
        }
        (unknownId, beginId, endId, paddingId) = (handle.unknownId, handle.beginId, handle.endId, handle.paddingId)
    }

    /// The ids of a text. Each byte that is no UTF-8 becomes U+FFFD. Zero bytes are text.
    ///
    /// - Throws: ``SentencePieceError`` for 2^31 bytes or more, which the library cannot count, or if memory runs out.
    public func encode(_ text: [UInt8]) throws(SentencePieceError) -> [Int32] { try ids(text, 0..<text.count) }

    /// The pieces of a text, one for each id of ``encode(_:)``. For an unknown piece it is the piece's text.
    public func pieces(_ text: [UInt8]) throws(SentencePieceError) -> [[UInt8]] {
        var (bytes, ends): (UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?) = (nil, nil)
        var count = 0
        try unsafe checked(.unusable, "a text of \(text.count) bytes cannot be cut into pieces") { error in
            unsafe text.withUnsafeBytes { text in
                unsafe csp_encode_pieces(handle.pointer, text.baseAddress, text.count, &bytes, &ends, &count, error)
            }
        }
        let pieceEnds: [Int] = unsafe taken(ends, count: count)
        let joined: [UInt8] = unsafe taken(bytes, count: pieceEnds.last ?? 0)
        return zip([0] + pieceEnds, pieceEnds).map { Array(joined[$0..<$1]) }
    }

    /// The ids of a range of `text`, encoded as a text of its own.
    func ids(_ text: [UInt8], _ range: Range<Int>) throws(SentencePieceError) -> [Int32] {
        var (ids, count): (UnsafeMutablePointer<Int32>?, Int) = (nil, 0)
        try unsafe checked(.unusable, "a text of \(range.count) bytes cannot be encoded") { error in
            unsafe text.withUnsafeBytes { bytes in
                let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
                return unsafe csp_encode(handle.pointer, part.baseAddress, part.count, &ids, &count, error)
            }
        }
        return unsafe taken(ids, count: count)
    }

    /// The text of ids, as the library puts it together: no blank in front, no special pieces, U+FFFD for bytes that
    /// form no character.
    ///
    /// - Throws: ``SentencePieceError`` for an id out of range.
    public func decode(_ ids: [Int32]) throws(SentencePieceError) -> [UInt8] {
        if let foreign = ids.first(where: { $0 < 0 || Int($0) >= pieceCount }) {
            throw SentencePieceError(.unusable, "\(foreign) is no id of the model: allowed are 0 to \(pieceCount - 1)")
        }
        var (text, count): (UnsafeMutablePointer<UInt8>?, Int) = (nil, 0)
        try unsafe checked(.unusable, "\(ids.count) ids cannot be decoded") { error in
            unsafe ids.withUnsafeBufferPointer { ids in
                unsafe csp_decode(handle.pointer, ids.baseAddress, ids.count, &text, &count, error)
            }
        }
        return unsafe taken(text, count: count)
    }
}

/// The library's object, freed with its owner.
///
/// `@unchecked Sendable`: it is only read after it was loaded.
@safe private final class Handle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ modelBytes: [UInt8]) throws(SentencePieceError) {
        var created: OpaquePointer?
        try unsafe checked(.notAModel, "the SentencePiece model cannot be used") { error in
            unsafe modelBytes.withUnsafeBytes { bytes in
                unsafe csp_processor_create(bytes.baseAddress, bytes.count, &created, error)
            }
        }
        guard let created = unsafe created else { preconditionFailure("the library loaded nothing without an error") }
        unsafe pointer = created
    }

    deinit { unsafe csp_processor_destroy(pointer) }

    var pieceCount: Int { Int(unsafe csp_piece_count(pointer)) }
    var unknownId: Int32? { id(unsafe csp_unknown_id(pointer)) }
    var beginId: Int32? { id(unsafe csp_begin_id(pointer)) }
    var endId: Int32? { id(unsafe csp_end_id(pointer)) }
    var paddingId: Int32? { id(unsafe csp_padding_id(pointer)) }

    private func id(_ id: Int32) -> Int32? { id >= 0 && Int(id) < pieceCount ? id : nil }
}
