// SyntheticLanguage+Embedded - the words and the grammar that are built into the program.

internal import Primitives

extension SyntheticLanguage {
    /// The language of the self-test job. Part of the program: it depends on nothing, not even on a run's seed.
    ///
    /// It has 96 words in 8 groups. The r-th most frequent word has a frequency proportional to 1/r (Zipf). Frequent
    /// words are short. The last letter of a word shows its group, as endings do in inflected languages. Each group is
    /// followed mostly by one or two others.
    public static let embedded = makeEmbedded()

    private static let embeddedSeed: UInt64 = 20231019
    private static let wordCount = 96
    private static let endings: [Character] = ["a", "e", "i", "o", "u", "n", "r", "s"]
    private static let consonants: [Character] = Array("bdfghjklmnprstvz")
    private static let vowels: [Character] = Array("aeiou")
    /// Factors by which a group's two preferred successors are likelier than by chance, before balancing.
    private static let preference = (first: 120.0, second: 20.0)

    private static func makeEmbedded() -> SyntheticLanguage {
        let zipf = (1...wordCount).map { 1 / Double($0) }
        let total = zipf.reduce(0, +)
        // Each word joins the least frequent group so far. Why: with about equally frequent groups, the last word
        // predicts the next one well.
        var groupFrequency = [Double](repeating: 0, count: endings.count)
        let groups = zipf.map { weight in
            let group = endings.indices.reduce(0) { groupFrequency[$1] < groupFrequency[$0] ? $1 : $0 }
            groupFrequency[group] += weight / total
            return group
        }
        return SyntheticLanguage(
            words: makeWords(groups: groups), groups: groups,
            frequencyInGroup: zip(groups, zipf).map { $1 / total / groupFrequency[$0] },
            transition: makeTransition(groupFrequency), seed: embeddedSeed)
    }

    /// Unique pronounceable words of 2 to 7 letters, each with the ending of its group.
    private static func makeWords(groups: [Int]) -> [String] {
        var random = SplitMix64(seed: SplitMix64.seed(embeddedSeed, .lexicon, 0))
        var words: [String] = []
        var known: Set<String> = []
        for (rank, group) in groups.enumerated() {
            let syllables = rank < 16 ? 1 : rank < 56 ? 2 : 3
            var word: String
            repeat {
                word = ""
                for _ in 0..<syllables {
                    word.append(consonants[random.next(below: consonants.count)])
                    word.append(vowels[random.next(below: vowels.count)])
                }
                // A vowel replaces the last vowel, a consonant follows it.
                if vowels.contains(endings[group]) { word.removeLast() }
                word.append(endings[group])
            } while !known.insert(word).inserted
            words.append(word)
        }
        return words
    }

    /// A transition [group, group] with preferred successors, whose stationary frequencies are exactly `frequency`.
    /// Sinkhorn's iteration balances the joint distribution of two neighbouring groups until both margins are right.
    private static func makeTransition(_ frequency: [Double]) -> [[Double]] {
        let count = frequency.count
        var random = SplitMix64(seed: SplitMix64.seed(embeddedSeed, .grammar, 0))
        // A random cycle through all groups: each prefers the next one, and less the one after it.
        var cycle = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { cycle.swapAt(last, random.next(below: last + 1)) }
        var joint = frequency.map { row in frequency.map { row * $0 } }
        for (index, group) in cycle.enumerated() {
            joint[group][cycle[(index + 1) % count]] *= preference.first
            joint[group][cycle[(index + 2) % count]] *= preference.second
        }
        for _ in 0..<2000 {
            for column in 0..<count {
                let sum = joint.reduce(0) { $0 + $1[column] }
                for row in 0..<count { joint[row][column] *= frequency[column] / sum }
            }
            for row in 0..<count {
                let sum = joint[row].reduce(0, +)
                for column in 0..<count { joint[row][column] *= frequency[row] / sum }
            }
        }
        return joint.map { row in
            let sum = row.reduce(0, +)
            return row.map { $0 / sum }
        }
    }
}
