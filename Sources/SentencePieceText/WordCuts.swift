// WordCuts - words of a text that are encoded once and remembered, for the models that provably do not look across them.

internal import Synchronization

/// Cuts texts before the blanks of each word, where ``LineCuts`` may cut and for the same reasons: if no piece has a blank
/// behind another character, nothing is ever joined across the place before a word's first blank.
///
/// Text repeats its words, and the library takes 0.8 us for each byte: most words are looked up instead. A word is its blanks
/// and what follows up to the next blank, line feeds included. The blank that is put in front of each text stands for the
/// word's first one.
struct WordCuts: Sendable {
    /// Longest word that is remembered, without its first blank.
    static let longestWord = 32
    private static let blank = UInt8(ascii: " ")
    /// U+2581, which stands for a blank in pieces; in a text it is the same as one.
    static let mark: [UInt8] = [0xE2, 0x96, 0x81]

    /// Nil for a model that may look across words, and for one that puts no blank in front.
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

    /// Where the word that covers `start` ends: before the next blank that follows something else, or at `end`.
    static func wordEnd(in text: [UInt8], from start: Int, to end: Int) -> Int {
        var place = start + 1
        while place < end {
            if text[place] == blank, text[place - 1] != blank, !endsWithMark(text, start, place) { return place }
            place += 1
        }
        return end
    }

    private static func endsWithMark(_ text: [UInt8], _ start: Int, _ end: Int) -> Bool {
        end - start >= mark.count && text[end - 1] == mark[2] && text[end - 2] == mark[1] && text[end - 3] == mark[0]
    }
}

/// Ids of words that were met before. Any number of threads may use it at the same time.
final class WordMemory: Sendable {
    /// Parts with a lock each, so that threads rarely meet.
    private static let stripeCount = 64
    /// Words of a part, above which it starts again: some 10 MB in all.
    private static let wordsPerStripe = 2048

    /// Up to ``WordCuts/longestWord`` bytes.
    struct Word: Hashable {
        private var bytes: SIMD4<UInt64> = .zero
        private let count: UInt8

        init(_ text: [UInt8], _ range: Range<Int>) {
            precondition(range.count <= WordCuts.longestWord, "a word of \(range.count) bytes")
            count = UInt8(range.count)
            for (index, place) in range.enumerated() {
                bytes[index >> 3] |= UInt64(text[place]) << UInt64(8 * (index & 7))
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

    /// Appends the ids of `word` to `ids`; false where it is not known.
    func append(_ word: Word, to ids: inout [Int32]) -> Bool {
        guard let known = stripes[word.stripe].words.withLock({ $0[word] }) else { return false }
        ids += known
        return true
    }

    func remember(_ word: Word, _ ids: [Int32]) {
        stripes[word.stripe].words.withLock { words in
            if words.count >= Self.wordsPerStripe { words.removeAll(keepingCapacity: true) }
            words[word] = ids
        }
    }
}

extension SentencePieceProcessor {
    /// The ids of a range of `text` taken for itself, word by word where the model allows.
    func idsByWords(_ text: [UInt8], _ range: Range<Int>) throws(SentencePieceError) -> [Int32] {
        guard let memory, let blank = cuts?.blank, !range.isEmpty else { return try ids(text, range) }
        var end = WordCuts.wordEnd(in: text, from: range.lowerBound, to: range.upperBound)
        var all = try ids(text, range.lowerBound..<end)
        while end < range.upperBound {
            // Behind the word's first blank, which the library puts there again.
            let start = end + 1
            end = WordCuts.wordEnd(in: text, from: end, to: range.upperBound)
            guard start < end else {
                // Before nothing it would not; a blank alone is a piece of its own.
                all.append(blank)
                continue
            }
            guard end - start <= WordCuts.longestWord else {
                all += try ids(text, start..<end)
                continue
            }
            let word = WordMemory.Word(text, start..<end)
            if memory.append(word, to: &all) { continue }
            let ids = try ids(text, start..<end)
            memory.remember(word, ids)
            all += ids
        }
        return all
    }
}
