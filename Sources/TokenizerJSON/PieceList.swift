// PieceList - a text cut into pieces, some of which are tokens already.

/// A part of a text.
struct Piece: Sendable, Equatable {
    var range: Range<Int>
    /// The id of an added token; -1 for text that the model cuts.
    var token: Int32 = -1
    /// Whether it begins where its document does.
    var isStart: Bool
}

/// A text of valid UTF-8, and consecutive pieces of it, none of which is empty.
struct PieceList: Sendable {
    var text: [UInt8]
    var pieces: [Piece]

    /// Longest text in bytes, before and after each change. Positions in a text then fit 32 bits.
    static let longestText = 1 << 30

    /// Cuts each piece that is no token yet.
    ///
    /// - Parameter cut: appends the parts of a piece.
    mutating func split(
        _ cut: (_ text: [UInt8], _ piece: Piece, _ target: inout [Piece]) throws(TokenizerFileError) -> Void
    ) throws(TokenizerFileError) {
        var result: [Piece] = []
        result.reserveCapacity(max(pieces.count, text.count / 6))
        for piece in pieces {
            if piece.token >= 0 { result.append(piece) } else { try cut(text, piece, &result) }
        }
        pieces = result
    }

    /// Replaces the text of each piece that is no token yet.
    ///
    /// - Parameter change: returns the new text of a piece, and may change `isStart`.
    /// - Throws: ``TokenizerFileError`` for a text that becomes too long; errors of `change`.
    mutating func replaceTexts(
        _ change: (_ text: ArraySlice<UInt8>, _ piece: inout Piece) throws(TokenizerFileError) -> [UInt8]
    ) throws(TokenizerFileError) {
        // A list of one piece takes the new text without a copy.
        let isOne = pieces.count == 1
        var changed: [UInt8] = []
        if !isOne { changed.reserveCapacity(text.count + 16) }
        var result: [Piece] = []
        result.reserveCapacity(pieces.count)
        for var piece in pieces {
            let start = changed.count
            if piece.token >= 0 {
                changed += text[piece.range]
            } else {
                let new = try change(text[piece.range], &piece)
                if isOne { changed = new } else { changed += new }
            }
            guard changed.count <= Self.longestText else { throw .tooLong }
            guard changed.count > start || piece.token >= 0 else { continue }
            piece.range = start..<changed.count
            result.append(piece)
        }
        (text, pieces) = (changed, result)
    }
}

/// What becomes of the matches of a pattern that cuts a piece.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// A part of a piece: a match, or what is between two.
    struct Part {
        var range: Range<Int>
        var isMatch: Bool
    }

    /// Appends the pieces that `parts` of `piece` give.
    func append(_ parts: [Part], of piece: Piece, to target: inout [Piece]) {
        func add(_ range: Range<Int>) {
            guard !range.isEmpty else { return }
            target.append(
                Piece(range: range, isStart: piece.isStart && range.lowerBound == piece.range.lowerBound))
        }
        switch self {
        case .isolated: for part in parts { add(part.range) }
        case .removed: for part in parts where !part.isMatch { add(part.range) }
        case .contiguous, .mergedWithPrevious:
            var joined: [Range<Int>] = []
            var previous = false
            for part in parts {
                let isJoined = self == .contiguous ? part.isMatch == previous : part.isMatch && !previous
                if isJoined, let last = joined.last {
                    joined[joined.count - 1] = last.lowerBound..<part.range.upperBound
                } else {
                    joined.append(part.range)
                }
                previous = part.isMatch
            }
            for range in joined { add(range) }
        case .mergedWithNext:
            var joined: [Range<Int>] = []
            var previous = false
            for part in parts.reversed() {
                if part.isMatch, !previous, let last = joined.last {
                    joined[joined.count - 1] = part.range.lowerBound..<last.upperBound
                } else {
                    joined.append(part.range)
                }
                previous = part.isMatch
            }
            for range in joined.reversed() { add(range) }
        }
    }
}
