// BytePairModel - byte-pair encoding: characters of a word are merged by the rank of their pairs.

/// The model `BPE`.
struct BytePairModel: PieceModel {
    /// The settings of the file.
    struct Settings {
        var unknownToken: [UInt8]?
        var continuingPrefix: [UInt8] = []
        var endSuffix: [UInt8] = []
        var fusesUnknown = false
        var fallsBackToBytes = false
        var ignoresMerges = false
    }

    let vocabulary: TextTable
    private let settings: Settings
    private let unknownId: Int32?
    /// Rank of each pair of ids.
    private let ranks: PairTable
    /// The id that the merge of each rank makes.
    private let results: [Int32]
    /// Ids of the tokens `<0x00>` to `<0xFF>`; -1: none.
    private let byteIds: [Int32]
    /// Whether words come as bytes, and tokens spell them with the characters of ``ByteAlphabet``.
    private let isByteLevel: Bool
    /// For byte-level words: ids of whole words by their bytes, where merges are ignored for them.
    private let words: TextTable
    /// For byte-level words: symbol of each byte, by its place. 1 is added for the first byte, 2 for the last.
    private let symbols: [[Symbol]]

    /// A character of a word.
    private enum Symbol {
        case token(Int32)
        case bytes([Int32])
        case unknown
    }

    /// - Parameters:
    ///   - results: the id that the merge of each rank makes.
    ///   - isByteLevel: whether words come as bytes that the pre-tokenizer would spell.
    /// - Throws: ``TokenizerFileError`` for an unknown token that is no token.
    init(
        vocabulary: TextTable, ranks: PairTable, results: [Int32], settings: Settings, isByteLevel: Bool
    ) throws(TokenizerFileError) {
        self.vocabulary = vocabulary
        self.ranks = ranks
        self.results = results
        self.settings = settings
        self.isByteLevel = isByteLevel
        unknownId = settings.unknownToken.flatMap { vocabulary.id(of: $0) }
        if let token = settings.unknownToken, unknownId == nil {
            throw TokenizerFileError(
                "model.unk_token '\(String(decoding: token, as: UTF8.self))' is no token of model.vocab")
        }
        let byteIds = vocabulary.byteTokenIds
        self.byteIds = byteIds
        var words = TextTable()
        var symbols: [[Symbol]] = []
        if isByteLevel {
            if settings.ignoresMerges {
                vocabulary.forEach { text, id in
                    if let bytes = ByteAlphabet.bytes(of: text), !bytes.isEmpty { _ = words.add(bytes, id: id) }
                }
            }
            symbols = (0..<4).map { place in
                (0..<256).map { byte in
                    Self.symbol(
                        ByteAlphabet.characters[byte], isFirst: place & 1 != 0, isLast: place & 2 != 0, vocabulary,
                        settings, byteIds)
                }
            }
        }
        self.words = words
        self.symbols = symbols
    }

    /// The symbol of a character with the prefix or suffix of its place in a word.
    private static func symbol(
        _ character: [UInt8], isFirst: Bool, isLast: Bool, _ vocabulary: TextTable, _ settings: Settings,
        _ byteIds: [Int32]
    ) -> Symbol {
        var text = character
        if !isFirst { text = settings.continuingPrefix + text }
        if isLast { text += settings.endSuffix }
        if let id = vocabulary.id(of: text) { return .token(id) }
        if settings.fallsBackToBytes {
            let ids = text.map { byteIds[Int($0)] }
            if !ids.contains(-1) { return .bytes(ids) }
        }
        return .unknown
    }

    /// The memory of encoding, for one thread at a time.
    struct Workspace {
        var ids: [Int32] = []
        var previous: [Int32] = []
        var next: [Int32] = []
        /// Rank and position of possible merges, the least first.
        var heap: [UInt64] = []

        /// Largest number of symbols whose memory is kept for the next word.
        private static let mostKept = 1 << 18

        /// Frees the memory of a long word. Without a pre-tokenizer, a document is a word.
        mutating func shrink() {
            if ids.capacity > Self.mostKept { (ids, previous, next, heap) = ([], [], [], []) }
        }
    }

    /// Appends the ids of the word `text[range]` to `target`.
    func encode(_ text: [UInt8], _ range: Range<Int>, _ workspace: inout Workspace, to target: inout [Int32]) {
        if settings.ignoresMerges, let id = (isByteLevel ? words : vocabulary).id(of: text, range) {
            return target.append(id)
        }
        start(text, range, &workspace)
        merge(&workspace)
        for id in workspace.ids where id >= 0 { target.append(id) }
        workspace.shrink()
    }

    /// Fills the workspace with the symbols of a word.
    private func start(_ text: [UInt8], _ range: Range<Int>, _ workspace: inout Workspace) {
        workspace.ids.removeAll(keepingCapacity: true)
        // Unknown characters wait, because they may become one token with those that follow.
        var hasUnknown = false
        var index = range.lowerBound
        while index < range.upperBound {
            let length = isByteLevel ? 1 : ScalarReader.scalar(in: text, at: index).length
            let (isFirst, isLast) = (index == range.lowerBound, index + length == range.upperBound)
            let symbol: Symbol
            if isByteLevel {
                symbol = symbols[(isFirst ? 1 : 0) + (isLast ? 2 : 0)][Int(text[index])]
            } else if settings.continuingPrefix.isEmpty, settings.endSuffix.isEmpty,
                let id = vocabulary.id(of: text, index..<index + length)
            {
                symbol = .token(id)
            } else {
                symbol = Self.symbol(
                    Array(text[index..<index + length]), isFirst: isFirst, isLast: isLast, vocabulary, settings, byteIds
                )
            }
            index += length
            switch symbol {
            case .token(let id):
                if hasUnknown, let unknownId { workspace.ids.append(unknownId) }
                hasUnknown = false
                workspace.ids.append(id)
            // An unknown character that waits comes behind the bytes, as the library has it.
            case .bytes(let ids): workspace.ids += ids
            case .unknown:
                guard let unknownId else { continue }
                if hasUnknown, !settings.fusesUnknown { workspace.ids.append(unknownId) }
                hasUnknown = true
            }
        }
        if hasUnknown, let unknownId { workspace.ids.append(unknownId) }
    }

    /// Merges pairs, the least rank first, and among equal ones the leftmost. Merged symbols become -1.
    private func merge(_ workspace: inout Workspace) {
        let count = workspace.ids.count
        guard count > 1 else { return }
        workspace.heap.removeAll(keepingCapacity: true)
        workspace.previous.removeAll(keepingCapacity: true)
        workspace.next.removeAll(keepingCapacity: true)
        for index in 0..<count {
            workspace.previous.append(Int32(index) - 1)
            workspace.next.append(index + 1 < count ? Int32(index) + 1 : -1)
        }
        for index in 0..<count - 1 {
            if let rank = ranks[workspace.ids[index], workspace.ids[index + 1]] {
                workspace.heap.append(UInt64(rank) << 32 | UInt64(index))
            }
        }
        Self.heapify(&workspace.heap)
        while let top = Self.pop(&workspace.heap) {
            let result = results[Int(top >> 32)]
            let position = Int(top & 0xFFFF_FFFF)
            let id = workspace.ids[position]
            let right = Int(workspace.next[position])
            // The pair may have changed since it was found.
            guard id >= 0, right >= 0, let rank = ranks[id, workspace.ids[right]], results[Int(rank)] == result else {
                continue
            }
            workspace.ids[position] = result
            workspace.ids[right] = -1
            let behind = Int(workspace.next[right])
            workspace.next[position] = Int32(behind)
            if behind >= 0 { workspace.previous[behind] = Int32(position) }
            let before = Int(workspace.previous[position])
            if before >= 0, let rank = ranks[workspace.ids[before], result] {
                Self.push(UInt64(rank) << 32 | UInt64(before), &workspace.heap)
            }
            if behind >= 0, let rank = ranks[result, workspace.ids[behind]] {
                Self.push(UInt64(rank) << 32 | UInt64(position), &workspace.heap)
            }
        }
    }

    // MARK: - Heap

    @inline(__always)
    private static func sink(_ heap: inout [UInt64], from start: Int) {
        let count = heap.count
        let value = heap[start]
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < count else { break }
            if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < value else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = value
    }

    private static func heapify(_ heap: inout [UInt64]) {
        var index = heap.count / 2
        while index > 0 {
            index -= 1
            sink(&heap, from: index)
        }
    }

    @inline(__always)
    private static func pop(_ heap: inout [UInt64]) -> UInt64? {
        guard let last = heap.popLast() else { return nil }
        guard let top = heap.first else { return last }
        heap[0] = last
        sink(&heap, from: 0)
        return top
    }

    @inline(__always)
    private static func push(_ value: UInt64, _ heap: inout [UInt64]) {
        var index = heap.count
        heap.append(value)
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[parent] > value else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = value
    }
}
