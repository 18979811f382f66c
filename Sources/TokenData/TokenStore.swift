// TokenStore - token ids in memory, as compact as the vocabulary allows.

/// A growing run of token ids: two bytes each while all of the vocabulary fits, else four.
struct TokenStore: Sendable {
    private enum Storage: Sendable {
        case uint16([UInt16])
        case int32([Int32])
    }

    private var storage: Storage
    private let vocabularySize: Int
    /// Positions behind the documents that were ended, in order.
    private var documentEnds: [Int] = []

    /// An empty store for ids 0 ..< `vocabularySize`.
    init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
        storage = vocabularySize <= 1 << 16 ? .uint16([]) : .int32([])
    }

    var count: Int {
        switch storage {
        case .uint16(let ids): ids.count
        case .int32(let ids): ids.count
        }
    }

    /// Whether an id takes two bytes.
    var usesTwoBytes: Bool {
        if case .uint16 = storage { true } else { false }
    }

    /// Appends ids; traps on an id outside the vocabulary, which is the tokenizer's mistake.
    mutating func append(_ tokens: [Int32]) {
        precondition(
            tokens.allSatisfy { $0 >= 0 && Int($0) < vocabularySize },
            "the tokenizer gave an id outside 0..<\(vocabularySize)")
        // The array leaves the storage while it grows: a second holder would make it copy.
        switch storage {
        case .uint16(var ids):
            storage = .int32([])
            ids.append(contentsOf: tokens.lazy.map { UInt16(truncatingIfNeeded: $0) })
            storage = .uint16(ids)
        case .int32(var ids):
            storage = .uint16([])
            ids.append(contentsOf: tokens)
            storage = .int32(ids)
        }
    }
}

extension TokenStore {
    /// Remembers that the tokens of a document are complete.
    mutating func endDocument() { documentEnds.append(count) }
}

extension TokenStore: TokenSequence {
    func documentStarts(in range: Range<Int>) -> [Int] {
        var (low, high) = (0, documentEnds.count)
        while low < high {
            let middle = (low + high) / 2
            if documentEnds[middle] >= range.lowerBound { high = middle } else { low = middle + 1 }
        }
        // The last document ends where no other begins.
        return Array(documentEnds[low...].prefix { $0 < min(range.upperBound, count) })
    }

    func documentCount() -> Int? { documentEnds.isEmpty ? nil : documentEnds.count }

    func read(_ range: Range<Int>, into output: inout OutputSpan<Int32>) {
        switch storage {
        case .uint16(let ids): for id in ids[range] { output.append(Int32(id)) }
        case .int32(let ids): for id in ids[range] { output.append(id) }
        }
    }
}
