// WordCuts - encodes each word once and remembers its ids, for models that provably do not look across words.

internal import Synchronization

/// The rule to cut texts before the blanks of each word, for models that ``LineCuts`` may cut. If no piece has a blank
/// after another character, no merge crosses the point before a word's first blank.
///
/// Why: text repeats its words, and a look-up is faster than the library.
///
/// A word is its blanks and the bytes up to the next blank, line feeds included. The blank in front of each text stands
/// for the first blank of a word.
struct WordCuts: Sendable {
    /// Longest word that is remembered, in bytes without its first blank.
    static let longestWord = 32
    private static let blank = UInt8(ascii: " ")
    /// U+2581, the mark of a blank in pieces. In a text it counts as a blank.
    static let mark: [UInt8] = [0xE2, 0x96, 0x81]

    /// Nil for a model that may look across words, or puts no blank in front of a text.
    init?(_ model: SentencePieceModel, _ lines: LineCuts?) {
        guard lines?.blank != nil else { return nil }
        let joined = model.pieces.filter { $0.kind == .normal }
        guard !joined.contains(where: { Self.hasMarkBehindAnother($0.text) }) else { return nil }
    }

    private static func hasMarkBehindAnother(_ piece: [UInt8]) -> Bool {
        var rest = piece[...]
        while rest.starts(with: mark) { rest = rest.dropFirst(mark.count) }
        return rest.indices.contains { rest[$0...].starts(with: mark) }
    }

    /// End of the word that covers `start`: the next blank after another character, or `end`.
    static func wordEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
        var index = start + 1
        while index < end {
            if text[index] == blank, text[index - 1] != blank, !endsWithMark(text, start, index) { return index }
            index += 1
        }
        return end
    }

    private static func endsWithMark(_ text: [UInt8], _ start: Int, _ end: Int) -> Bool {
        end - start >= mark.count && text[end - 1] == mark[2] && text[end - 2] == mark[1] && text[end - 3] == mark[0]
    }
}

/// A cache of the ids of words. Any number of threads may use it at once.
final class WordCache: Sendable {
    /// Number of parts, each with a lock, so that threads rarely wait.
    private static let stripeCount = 64
    /// Maximum number of words of a part. A full part is emptied. All parts take some 10 MB.
    private static let wordsPerStripe = 2048

    /// A word of up to ``WordCuts/longestWord`` bytes.
    struct Word: Hashable {
        private var bytes: SIMD4<UInt64> = .zero
        private let count: UInt8

        init(_ text: [UInt8], _ range: Range<Int>) {
            precondition(range.count <= WordCuts.longestWord, "a word of \(range.count) bytes")
            count = UInt8(range.count)
            for (offset, index) in range.enumerated() {
                bytes[offset >> 3] |= UInt64(text[index]) << UInt64(8 * (offset & 7))
            }
        }

        var stripe: Int {
            let mixed = (bytes[0] ^ bytes[1] ^ bytes[2] ^ bytes[3]) &* 0x9E37_79B9_7F4A_7C15
            return Int(mixed >> 58)
        }
    }

    private final class Stripe: Sendable {
        let words = Mutex<[Word: [Int32]]>([:])
    }
    private let stripes = (0..<stripeCount).map { _ in Stripe() }

    /// Appends the ids of `word` to `ids`; false if the word is unknown.
    func append(_ word: Word, to ids: inout [Int32]) -> Bool {
        guard let known = stripes[word.stripe].words.withLock({ $0[word] }) else { return false }
        ids += known
        return true
    }

    func insert(_ word: Word, _ ids: [Int32]) {
        stripes[word.stripe].words.withLock { words in
            if words.count >= Self.wordsPerStripe { words.removeAll(keepingCapacity: true) }
            words[word] = ids
        }
    }
}

extension SentencePieceProcessor {
    /// The ids of a range of `text`, encoded as a text of its own. It goes word by word if the model allows it.
    func idsByWords(_ text: [UInt8], _ range: Range<Int>) throws(SentencePieceError) -> [Int32] {
        guard let wordCache, let blank = cuts?.blank, !range.isEmpty else { return try ids(text, range) }
        var end = WordCuts.wordEnd(in: text, from: range.lowerBound, to: range.upperBound)
        var all = try ids(text, range.lowerBound..<end)
        while end < range.upperBound {
            // Leaves out the word's first blank, which the library adds again.
            let start = end + 1
            end = WordCuts.wordEnd(in: text, from: end, to: range.upperBound)
            guard start < end else {
                // The library adds no blank to an empty text. A lone blank is a piece of its own.
                all.append(blank)
                continue
            }
            guard end - start <= WordCuts.longestWord else {
                all += try ids(text, start..<end)
                continue
            }
            let word = WordCache.Word(text, start..<end)
            if wordCache.append(word, to: &all) { continue }
            let ids = try ids(text, start..<end)
            wordCache.insert(word, ids)
            all += ids
        }
        return all
    }
}
