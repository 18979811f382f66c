// WordPredictor - the exact probability of each next byte of a synthetic text, given the bytes so far.

/// A forward filter over the hidden state (word, letter index) of a synthetic text. The state determines the next byte.
///
/// The filter is exact. Before the first byte every state has its stationary probability. Each byte removes the states
/// that contradict it. At the end of a word, each group's remaining probability is distributed by its row of the
/// transition.
struct WordPredictor {
    private struct State {
        var word: Int
        /// Index of the next byte in the word's spelling.
        var letter: Int
        var probability: Double
    }

    private let spellings: [[UInt8]]
    private let groups: [Int]
    private let frequencyInGroup: [Double]
    private let transition: [[Double]]
    private var states: [State] = []

    /// A predictor before the first token.
    ///
    /// - Parameter transition: the transition [group, group] that the predictor assumes. Its stationary frequencies
    ///   must be the language's.
    init(_ language: SyntheticLanguage, transition: [[Double]]) {
        spellings = language.spellings
        groups = language.groups
        frequencyInGroup = language.frequencyInGroup
        self.transition = transition
        for (word, spelling) in spellings.enumerated() where language.wordFrequency[word] > 0 {
            let probability = language.wordFrequency[word] / language.averageLength
            for letter in spelling.indices {
                states.append(State(word: word, letter: letter, probability: probability))
            }
        }
    }

    /// Probability of each next byte, [256].
    var distribution: [Double] {
        var result = [Double](repeating: 0, count: 256)
        for state in states { result[Int(spellings[state.word][state.letter])] += state.probability }
        return result
    }

    /// Takes the next token and returns its probability. After a probability of 0 the predictor expects nothing.
    mutating func observe(_ token: Int32) -> Double {
        let survivors = states.filter { Int32(spellings[$0.word][$0.letter]) == token }
        let evidence = survivors.reduce(0) { $0 + $1.probability }
        states.removeAll(keepingCapacity: true)
        guard evidence > 0 else { return 0 }
        var ended = [Double](repeating: 0, count: transition.count)
        var anyEnded = false
        for var state in survivors {
            state.probability /= evidence
            state.letter += 1
            if state.letter == spellings[state.word].count {
                ended[groups[state.word]] += state.probability
                anyEnded = true
            } else {
                states.append(state)
            }
        }
        if anyEnded { startWords(after: ended) }
        return evidence
    }

    /// Adds the first letter of every word, given the probability of each group to be the last word's.
    private mutating func startWords(after last: [Double]) {
        var next = [Double](repeating: 0, count: last.count)
        for (share, row) in zip(last, transition) where share > 0 {
            for group in next.indices { next[group] += share * row[group] }
        }
        for word in spellings.indices {
            let probability = next[groups[word]] * frequencyInGroup[word]
            if probability > 0 { states.append(State(word: word, letter: 0, probability: probability)) }
        }
    }
}
