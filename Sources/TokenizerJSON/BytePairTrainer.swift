// BytePairTrainer - learns byte-level BPE from texts, and writes it as a tokenizer.json.

internal import Dispatch
internal import JSONReading
internal import RegularExpressions
internal import Synchronization

/// Learns merges of bytes from counted words. Equal texts, in any order, give equal files.
///
/// Words are cut by Llama 3's pattern. The 256 bytes are the first ids; the end token is the last.
package struct BytePairTrainer {
    /// The text of the end token.
    package static let endText = "<|endoftext|>"
    /// Smallest vocabulary: the bytes and the end token.
    package static let smallestVocabulary = 257

    /// Llama 3's pattern.
    private static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// Longest word that is learned from, in bytes. Longer ones are no words.
    private static let longestWord = 256

    /// Number of texts that a thread takes at a time.
    private static let blockCount = 256

    private let expression: RegularExpression
    private var counts: [[UInt8]: Int] = [:]

    /// - Throws: ``TokenizerFileError`` where PCRE2 cannot use the pattern.
    package init() throws(TokenizerFileError) {
        do { expression = try RegularExpression(oniguruma: Self.pattern) } catch {
            throw TokenizerFileError(
                "the pattern cannot be used: \(error.problem)", remedy: "install PCRE2 10.40 or later")
        }
    }

    /// Counts the words of texts on several threads. The counts do not depend on the number of threads.
    ///
    /// - Parameters:
    ///   - count: number of texts.
    ///   - threads: most threads that are used.
    ///   - text: the text of an index below `count`; several threads call it.
    /// - Throws: ``TokenizerFileError`` for the first text that the pattern takes too long for.
    package mutating func add(
        count: Int, threads: Int, text: @Sendable (Int) -> [UInt8]
    ) throws(TokenizerFileError) {
        let blocks = (count + Self.blockCount - 1) / Self.blockCount
        let expression = expression
        let total = Mutex(counts)
        let failure = Mutex<(block: Int, error: TokenizerFileError)?>(nil)
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, blocks))) { _ in
            var own: [[UInt8]: Int] = [:]
            while failure.withLock({ $0 == nil }) {
                let block = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard block < blocks else { break }
                do throws(TokenizerFileError) {
                    for index in block * Self.blockCount..<min(count, (block + 1) * Self.blockCount) {
                        try Self.count(text(index), expression, in: &own)
                    }
                } catch {
                    // Blocks are taken in order, so the first error is among those that threads meet.
                    failure.withLock { if $0.map({ block < $0.block }) ?? true { $0 = (block, error) } }
                }
            }
            total.withLock { $0.merge(own, uniquingKeysWith: +) }
        }
        if let error = failure.withLock({ $0?.error }) { throw error }
        counts = total.withLock { $0 }
    }

    private static func count(
        _ text: [UInt8], _ expression: RegularExpression, in counts: inout [[UInt8]: Int]
    ) throws(TokenizerFileError) {
        let text = ScalarReader.repaired(text) ?? text
        let pattern = TextPattern.expression(expression)
        var words: [Range<Int>] = []
        try pattern.withMatcher { matcher throws(TokenizerFileError) in
            try pattern.forEachMatch(in: text, 0..<text.count, matcher) { words.append($0) }
        }
        for word in words where word.count <= longestWord { counts[Array(text[word]), default: 0] += 1 }
    }

    /// The `tokenizer.json` with `vocabularySize` ids, or fewer where no pair occurs twice.
    package consuming func file(vocabularySize: Int) -> [UInt8] {
        precondition(vocabularySize >= Self.smallestVocabulary, "\(vocabularySize) ids for the bytes and an end token")
        var learner = PairLearner(counts)
        learner.learn(mergeCount: vocabularySize - Self.smallestVocabulary)
        return Self.text(tokens: learner.tokens, merges: learner.merges)
    }

    private static func text(tokens: [[UInt8]], merges: [(left: Int32, right: Int32)]) -> [UInt8] {
        func spelled(_ id: Int32) -> String {
            String(decoding: ByteAlphabet.spelled(tokens[Int(id)][...]), as: UTF8.self)
        }
        let vocabulary = tokens.indices.map { JSONTree.Member(key: spelled(Int32($0)), value: .integer($0)) }
        let end: JSONTree = .members([
            "id": .integer(tokens.count), "content": .string(endText), "single_word": .boolean(false),
            "lstrip": .boolean(false), "rstrip": .boolean(false), "normalized": .boolean(false),
            "special": .boolean(true),
        ])
        let split: JSONTree = .members([
            "type": .string("Split"), "pattern": .members(["Regex": .string(pattern)]),
            "behavior": .string("Isolated"), "invert": .boolean(false),
        ])
        let bytes: JSONTree = .members([
            "type": .string("ByteLevel"), "add_prefix_space": .boolean(false), "trim_offsets": .boolean(true),
            "use_regex": .boolean(false),
        ])
        let tree: JSONTree = .members([
            "version": .string("1.0"), "truncation": .null, "padding": .null, "added_tokens": .array([end]),
            "normalizer": .null,
            "pre_tokenizer": .members(["type": .string("Sequence"), "pretokenizers": .array([split, bytes])]),
            "post_processor": .null, "decoder": bytes,
            "model": .members([
                "type": .string("BPE"), "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
                "end_of_word_suffix": .null, "fuse_unk": .boolean(false), "byte_fallback": .boolean(false),
                "ignore_merges": .boolean(false), "vocab": .object(vocabulary),
                "merges": .array(merges.map { .array([.string(spelled($0.left)), .string(spelled($0.right))]) }),
            ]),
        ])
        return Array(tree.text.utf8)
    }
}

/// Merges the most frequent pair of neighbours again and again; among equal ones the pair of the least ids.
private struct PairLearner {
    private struct Pair: Hashable, Comparable {
        var left: Int32
        var right: Int32

        static func < (a: Pair, b: Pair) -> Bool { (a.left, a.right) < (b.left, b.right) }
    }

    /// Bytes of each token by id.
    private(set) var tokens: [[UInt8]] = (0..<256).map { [UInt8($0)] }
    private(set) var merges: [(left: Int32, right: Int32)] = []
    private var words: [(ids: [Int32], count: Int)]
    private var pairCounts: [Pair: Int] = [:]
    /// Words that may have a pair.
    private var places: [Pair: Set<Int32>] = [:]
    /// Possible next pairs with the counts that they had, the most frequent first.
    private var heap: [(count: Int, pair: Pair)] = []

    init(_ counts: [[UInt8]: Int]) {
        // The order of a dictionary differs from run to run.
        words = counts.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key.map { Int32($0) }, $0.value) }
        for (index, word) in words.enumerated() {
            for (left, right) in zip(word.ids, word.ids.dropFirst()) {
                let pair = Pair(left: left, right: right)
                pairCounts[pair, default: 0] += word.count
                places[pair, default: []].insert(Int32(index))
            }
        }
        for (pair, count) in pairCounts { push(count, pair) }
    }

    mutating func learn(mergeCount: Int) {
        var known = Set(tokens)
        while merges.count < mergeCount, let top = pop() {
            // A count that has changed since is pushed anew.
            let now = pairCounts[top.pair] ?? 0
            guard now == top.count else {
                if now > 1, now < top.count { push(now, top.pair) }
                continue
            }
            guard now > 1 else { return }
            let text = tokens[Int(top.pair.left)] + tokens[Int(top.pair.right)]
            // Two pairs can spell one token, which has one id.
            guard known.insert(text).inserted else {
                pairCounts[top.pair] = 0
                continue
            }
            merge(top.pair, into: Int32(tokens.count))
            merges.append((top.pair.left, top.pair.right))
            tokens.append(text)
        }
    }

    private mutating func merge(_ pair: Pair, into id: Int32) {
        var changed: Set<Pair> = []
        for place in places.removeValue(forKey: pair) ?? [] {
            let (old, count) = words[Int(place)]
            var ids: [Int32] = []
            var index = 0
            while index < old.count {
                if index + 1 < old.count, old[index] == pair.left, old[index + 1] == pair.right {
                    ids.append(id)
                    index += 2
                } else {
                    ids.append(old[index])
                    index += 1
                }
            }
            guard ids.count < old.count else { continue }
            for (left, right) in zip(old, old.dropFirst()) {
                pairCounts[Pair(left: left, right: right), default: 0] -= count
            }
            for (left, right) in zip(ids, ids.dropFirst()) {
                let neighbours = Pair(left: left, right: right)
                pairCounts[neighbours, default: 0] += count
                if left == id || right == id {
                    places[neighbours, default: []].insert(place)
                    changed.insert(neighbours)
                }
            }
            words[Int(place)].ids = ids
        }
        pairCounts[pair] = nil
        for neighbours in changed { push(pairCounts[neighbours] ?? 0, neighbours) }
    }

    // MARK: - Heap

    private static func isFirst(_ a: (count: Int, pair: Pair), _ b: (count: Int, pair: Pair)) -> Bool {
        a.count != b.count ? a.count > b.count : a.pair < b.pair
    }

    private mutating func push(_ count: Int, _ pair: Pair) {
        heap.append((count, pair))
        var index = heap.count - 1
        while index > 0, Self.isFirst(heap[index], heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func pop() -> (count: Int, pair: Pair)? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var index = 0
        while true {
            var best = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                if Self.isFirst(heap[child], heap[best]) { best = child }
            }
            guard best != index else { return top }
            heap.swapAt(index, best)
            index = best
        }
    }
}
