// UnigramModel - the likeliest cut of a text into tokens that have scores.

/// The model `Unigram`.
struct UnigramModel: PieceModel {
    let vocabulary: TextTable
    private let trie: ByteTrie
    private let scores: [Double]
    private let unknownId: Int32?
    private let unknownScore: Double
    /// Ids of the tokens `<0x00>` to `<0xFF>` if characters without token are spelled in bytes; -1: none.
    private let byteIds: [Int32]?

    /// How much less likely than the unlikeliest token a character without token is, in the unit of scores.
    private static let unknownPenalty = 10.0

    /// - Parameters:
    ///   - vocabulary: tokens with ids from 0 on.
    ///   - scores: score of each id, finite.
    ///   - unknownId: id of the token for characters without token, below the number of tokens.
    init(vocabulary: TextTable, scores: [Double], unknownId: Int32?, fallsBackToBytes: Bool) {
        self.vocabulary = vocabulary
        self.scores = scores
        self.unknownId = unknownId
        unknownScore = (scores.min() ?? .infinity) - Self.unknownPenalty
        var trie = ByteTrie(capacity: vocabulary.bytes.count)
        vocabulary.forEach { text, id in _ = trie.add(text, number: id) }
        self.trie = trie
        byteIds = fallsBackToBytes ? vocabulary.byteTokenIds : nil
    }

    /// The best cut of a text up to a byte.
    fileprivate struct Node {
        var score = 0.0
        var start: Int32 = -1
        var id: Int32 = 0
    }

    /// The memory of encoding, for one thread at a time.
    struct Workspace {
        fileprivate var nodes: [Node] = []
        fileprivate var cuts: [(range: Range<Int>, isUnknown: Bool)] = []

        /// Largest number of nodes that is kept for the next piece.
        private static let mostKept = 1 << 18

        /// Frees the memory of a long piece.
        fileprivate mutating func shrink() {
            if nodes.capacity > Self.mostKept { (nodes, cuts) = ([], []) }
        }
    }

    /// Appends the ids of the piece `text[range]` to `target`.
    ///
    /// - Throws: ``TokenizerFileError`` for a character without token where there is no unknown token.
    func encode(
        _ text: [UInt8], _ range: Range<Int>, _ workspace: inout Workspace, to target: inout [Int32]
    ) throws(TokenizerFileError) {
        defer { workspace.shrink() }
        try findBestCut(text, range, &workspace)
        backtrack(range, &workspace)
        for cut in workspace.cuts.reversed() {
            if let id = vocabulary.id(of: text, cut.range) {
                target.append(id)
            } else if let byteIds, !text[cut.range].contains(where: { byteIds[Int($0)] < 0 }) {
                for byte in text[cut.range] { target.append(byteIds[Int(byte)]) }
            } else if let unknownId {
                target.append(unknownId)
            }
        }
    }

    /// Fills `nodes`: for each offset in the piece, the best token that ends there.
    private func findBestCut(
        _ text: [UInt8], _ range: Range<Int>, _ workspace: inout Workspace
    ) throws(TokenizerFileError) {
        workspace.nodes.removeAll(keepingCapacity: true)
        workspace.nodes += repeatElement(Node(), count: range.count + 1)
        let start = range.lowerBound
        var index = start
        while index < range.upperBound {
            let score = workspace.nodes[index - start].score
            let length = ScalarReader.scalar(in: text, at: index).length
            var hasCharacter = false
            trie.forEachPrefix(of: text, from: index, to: range.upperBound) { id, end in
                let candidate = scores[Int(id)] + score
                if end == index + length { hasCharacter = true }
                if workspace.nodes[end - start].start < 0 || candidate > workspace.nodes[end - start].score {
                    workspace.nodes[end - start] = Node(score: candidate, start: Int32(index - start), id: id)
                }
            }
            if !hasCharacter {
                let end = index + length - start
                let candidate = unknownScore + score
                if workspace.nodes[end].start < 0 || candidate > workspace.nodes[end].score {
                    guard let unknownId else {
                        throw TokenizerFileError("a character has no token, and model.unk_id is null")
                    }
                    workspace.nodes[end] = Node(score: candidate, start: Int32(index - start), id: unknownId)
                }
            }
            index += length
        }
    }

    /// Fills `cuts`, the last token of the piece first. Neighbours without token are one.
    private func backtrack(_ range: Range<Int>, _ workspace: inout Workspace) {
        workspace.cuts.removeAll(keepingCapacity: true)
        var end = range.count
        while end > 0 {
            let node = workspace.nodes[end]
            let cut = range.lowerBound + Int(node.start)..<range.lowerBound + end
            let isUnknown = node.id == unknownId
            if isUnknown, let last = workspace.cuts.last, last.isUnknown {
                workspace.cuts[workspace.cuts.count - 1].range = cut.lowerBound..<last.range.upperBound
            } else {
                workspace.cuts.append((cut, isUnknown))
            }
            end = Int(node.start)
        }
    }
}
