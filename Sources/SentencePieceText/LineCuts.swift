// LineCuts - where a long text may be cut without any id becoming another.

/// Cuts texts before line feeds, for the models that provably do not look across one.
///
/// A model that merges pairs joins two neighbours only into a piece of its vocabulary, and looks at scores and places only
/// to choose among merges that touch. So where no piece has a line feed behind another character, nothing is ever joined
/// across the place before a line feed: the two sides do not know of each other, and each may be encoded alone. What else
/// the library does must not cross that place either:
///
/// * the text is cut into characters as it is (no replaced characters, no blanks removed), each for itself;
/// * an unknown character becomes its bytes, while without them a run of unknown characters becomes one id;
/// * no piece is switched off, since what stands for such a piece depends on all of the text;
/// * scores are numbers, so that the order of merges is one: highest score first, then from left to right. (Of merges
///   equal in both only one is possible: the others in the library's heap are outdated, for good.)
/// * the blank that is put in front of each text is a piece of its own before a line feed, and is dropped again.
///
/// LLaMA's model is of this kind. A model that chooses the likeliest pieces adds rounded scores from the text's start, so
/// its ids may depend on everything before: such texts stay whole.
struct LineCuts: Sendable {
    /// What the blank in front of a part is encoded as, nil if there is none.
    let blank: Int32?

    private static let lineFeed = UInt8(ascii: "\n")

    /// Nil for a model whose texts must stay whole.
    init?(_ model: SentencePieceModel) {
        guard model.mergesPairs, !model.changesText, !(model.addsBlank && model.addsBlankBehind),
            model.pieces.count(where: { $0.kind == .byte }) == 256,
            !model.pieces.contains(where: { $0.kind == .unused || $0.kind == .userDefined })
        else { return nil }
        let joined = model.pieces.filter { $0.kind == .normal }
        guard !joined.contains(where: { $0.text.dropFirst().contains(Self.lineFeed) }),
            joined.allSatisfy({ $0.score.isFinite })
        else { return nil }
        guard model.addsBlank else {
            blank = nil
            return
        }
        let alone: [UInt8] = [0xE2, 0x96, 0x81]
        guard let id = model.pieces.firstIndex(where: { $0.kind == .normal && $0.text == alone }) else { return nil }
        blank = Int32(id)
    }

    /// Consecutive parts of `text`, each but the last at least `length` bytes long.
    static func parts(of text: [UInt8], length: Int) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        var start = 0
        while start + length < text.count, let end = text[(start + length)...].firstIndex(of: lineFeed) {
            parts.append(start..<end)
            start = end
        }
        return parts + [start..<text.count]
    }
}

extension SentencePieceProcessor {
    /// Long enough that cutting costs nothing; in longer ones the library's search for the next merge leaves the caches.
    static let partLength = 1 << 16

    /// Whether long texts can be encoded in parts; otherwise a text takes 100 to 140 bytes of memory for each of its bytes.
    public var canCutTexts: Bool { cuts != nil }

    /// Consecutive parts of a text, whose ids by ``encode(_:part:)`` one after the other are the text's. One part where
    /// the ids of parts could differ; otherwise parts of about 64 KiB that begin with line feeds.
    public func parts(of text: [UInt8]) -> [Range<Int>] { parts(of: text, length: Self.partLength) }

    func parts(of text: [UInt8], length: Int) -> [Range<Int>] {
        cuts == nil ? [0..<text.count] : LineCuts.parts(of: text, length: length)
    }

    /// The ids of one of the ``parts(of:)`` a text.
    public func encode(_ text: [UInt8], part: Range<Int>) throws(SentencePieceError) -> [Int32] {
        let ids = try idsByWords(text, part)
        guard part.lowerBound > 0, let blank = cuts?.blank else { return ids }
        precondition(ids.first == blank, "the blank in front of a line feed was not a piece of its own")
        return Array(ids.dropFirst())
    }
}
