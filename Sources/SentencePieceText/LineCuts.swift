// LineCuts - where a long text may be cut without any id becoming another.

/// The rule to cut texts before line feeds, for models whose ids provably do not depend on text across one.
///
/// A model that merges pairs (BPE) joins two neighbours only into a piece of its vocabulary. Scores and order only
/// choose among merges that touch. If no piece has a line feed after another character, no merge crosses the point
/// before a line feed. Then both sides have the ids that they have alone. The library must not cross that point in
/// other ways either:
///
/// * the text is cut into characters as it is: no character is replaced, no blank removed;
/// * an unknown character becomes its bytes. Without byte pieces, a run of unknown characters becomes one id;
/// * no piece is switched off, since the pieces in its stead depend on all of the text;
/// * scores are finite, so that merges have one order: highest score first, then left to right. Of two equal merges
///   only one is possible, since the others in the library's heap are outdated;
/// * the blank in front of each text is a piece of its own before a line feed, and is dropped.
///
/// LLaMA's model is of this kind. A unigram model adds rounded scores from the text's start. Its ids may depend on all
/// earlier text, so that its texts stay whole.
struct LineCuts: Sendable {
    /// Id of the blank in front of a part; nil for a model that puts none there.
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
    /// Bytes of a part. Cutting costs nothing at this length, and in longer parts the library's search for merges
    /// leaves the caches.
    static let partLength = 1 << 16

    /// Whether long texts can be encoded in parts. A whole text takes 100 to 140 bytes of memory for each of its bytes.
    public var canCutTexts: Bool { cuts != nil }

    /// Consecutive parts of a text, of about 64 KiB, each later one with a line feed at its start. Their ids by
    /// ``encode(_:part:)``, joined, are those of the text. There is one part if the ids of parts could differ.
    public func parts(of text: [UInt8]) -> [Range<Int>] { parts(of: text, length: Self.partLength) }

    func parts(of text: [UInt8], length: Int) -> [Range<Int>] {
        cuts == nil ? [0..<text.count] : LineCuts.parts(of: text, length: length)
    }

    /// The ids of one part of `text`, a range of ``parts(of:)``.
    public func encode(_ text: [UInt8], part: Range<Int>) throws(SentencePieceError) -> [Int32] {
        let ids = try idsByWords(text, part)
        guard part.lowerBound > 0, let blank = cuts?.blank else { return ids }
        precondition(ids.first == blank, "the blank in front of a line feed was not a piece of its own")
        return Array(ids.dropFirst())
    }
}
