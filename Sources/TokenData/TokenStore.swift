// TokenStore - token ids in memory, as compact as the vocabulary allows.

/// A growing run of token ids: two bytes each while all of the vocabulary fits, else four.
struct TokenStore: Sendable {
    private enum Storage: Sendable {
        case narrow([UInt16])
        case wide([Int32])
    }

    private var storage: Storage
    private let vocabularySize: Int

    /// An empty store for ids 0 ..< `vocabularySize`.
    init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
        storage = vocabularySize <= 1 << 16 ? .narrow([]) : .wide([])
    }

    var count: Int {
        switch storage {
        case .narrow(let ids): ids.count
        case .wide(let ids): ids.count
        }
    }

    /// Whether two bytes per id are enough.
    var isNarrow: Bool {
        if case .narrow = storage { true } else { false }
    }

    /// Appends ids; traps on one that is not the vocabulary's, which would be the tokenizer's mistake.
    mutating func append(_ tokens: [Int32]) {
        precondition(
            tokens.allSatisfy { $0 >= 0 && Int($0) < vocabularySize },
            "the tokenizer gave an id outside 0..<\(vocabularySize)")
        // Taken out and put back, so that the array is grown in place and not copied.
        switch storage {
        case .narrow(var ids):
            storage = .wide([])
            ids.append(contentsOf: tokens.lazy.map { UInt16(truncatingIfNeeded: $0) })
            storage = .narrow(ids)
        case .wide(var ids):
            storage = .narrow([])
            ids.append(contentsOf: tokens)
            storage = .wide(ids)
        }
    }
}

extension TokenStore: TokenSequence {
    func read(_ range: Range<Int>, into output: inout OutputSpan<Int32>) {
        switch storage {
        case .narrow(let ids): for id in ids[range] { output.append(Int32(id)) }
        case .wide(let ids): for id in ids[range] { output.append(id) }
        }
    }
}
