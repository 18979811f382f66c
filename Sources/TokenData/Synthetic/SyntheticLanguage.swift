// SyntheticLanguage - a language whose best possible prediction is known exactly.

internal import Foundation
internal import Primitives

/// A random text of words, each followed by one space, spelled as bytes.
///
/// Each word belongs to a group. The last word's group determines the distribution of the next group (a row of
/// ``transition``). The group determines the distribution of its word (``frequencyInGroup``). So words form a Markov
/// chain. The text is stationary and has no beginning: a sequence starts anywhere, also inside a word.
public struct SyntheticLanguage: Sendable {
    /// Lower-case words without their space.
    public let words: [String]
    /// Group of each word.
    public let groups: [Int]
    /// Frequency of each word within its group; the sum over a group is 1.
    let frequencyInGroup: [Double]
    /// Probability of the next word's group (column), given the last word's group (row).
    let transition: [[Double]]
    /// Stationary frequency of each group.
    let groupFrequency: [Double]
    /// Stationary frequency of each word.
    let wordFrequency: [Double]
    /// Average bytes per word, its space included.
    let averageLength: Double

    /// The words as bytes, each with its space.
    let spellings: [[UInt8]]
    /// The words of each group.
    private let members: [[Int]]
    private let seed: UInt64

    /// A language from its tables; traps unless they are probabilities over unique words of letters.
    init(words: [String], groups: [Int], frequencyInGroup: [Double], transition: [[Double]], seed: UInt64) {
        let groupCount = transition.count
        precondition(Set(words).count == words.count && !words.isEmpty, "words must be unique")
        precondition(groups.count == words.count && frequencyInGroup.count == words.count, "one entry per word")
        precondition(groups.allSatisfy { (0..<groupCount).contains($0) }, "a word of an unknown group")
        precondition(words.allSatisfy { !$0.isEmpty && !$0.utf8.contains(UInt8(ascii: " ")) }, "a word with a space")
        precondition(transition.allSatisfy { $0.count == groupCount && abs($0.reduce(0, +) - 1) < 1e-9 }, "bad row")
        self.words = words
        self.groups = groups
        self.frequencyInGroup = frequencyInGroup
        self.transition = transition
        self.seed = seed
        spellings = words.map { Array($0.utf8) + [UInt8(ascii: " ")] }
        members = (0..<groupCount).map { group in words.indices.filter { groups[$0] == group } }
        for words in members {
            precondition(abs(words.reduce(0) { $0 + frequencyInGroup[$1] } - 1) < 1e-9, "frequencies must sum to 1")
        }
        groupFrequency = Self.stationary(transition)
        wordFrequency = words.indices.map { [groupFrequency] in groupFrequency[groups[$0]] * frequencyInGroup[$0] }
        averageLength = zip(wordFrequency, spellings).reduce(0) { $0 + $1.0 * Double($1.1.count) }
    }

    /// The stationary distribution of a chain, by repeated application. Half of each step stays, so that a periodic
    /// chain converges too.
    private static func stationary(_ transition: [[Double]]) -> [Double] {
        let count = transition.count
        var current = [Double](repeating: 1 / Double(count), count: count)
        for _ in 0..<10_000 {
            var next = current.map { $0 / 2 }
            for (row, share) in zip(transition, current) {
                for column in 0..<count { next[column] += share * row[column] / 2 }
            }
            let sum = next.reduce(0, +)
            next = next.map { $0 / sum }
            if next == current { break }
            current = next
        }
        return current
    }

    /// Entropy rate of the endless text, in nats per byte: the loss of a predictor that has seen all earlier text.
    var entropyRate: Double {
        var nats = 0.0
        for (share, row) in zip(groupFrequency, transition) { nats += share * Self.entropy(row) }
        for (share, frequency) in zip(wordFrequency, frequencyInGroup) { nats -= share * log(frequency) }
        return nats / averageLength
    }

    /// Entropy rate of the text if words were independent, in nats per byte.
    var orderZeroEntropyRate: Double { Self.entropy(wordFrequency) / averageLength }

    private static func entropy(_ probabilities: [Double]) -> Double {
        probabilities.reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 }
    }

    // MARK: - Text

    /// The two streams of sequences, which share none.
    public enum Stream: Int, Sendable {
        case training = 0
        case validation = 1
    }

    /// The T + 1 byte ids of one sequence: an independent part of the text, a pure function of (stream, index).
    public func sequence(stream: Stream, index: Int, length: Int) -> [Int32] {
        precondition(index >= 0 && length > 0, "sequences are counted from 0 and have a target")
        var random = SplitMix64(seed: SplitMix64.seed(seed, .sequence, stream.rawValue, index))
        // A random byte lies in a word with a probability proportional to the word's frequency times its length.
        var word = Self.draw(random.nextUnit() * averageLength, words.indices) {
            wordFrequency[$0] * Double(spellings[$0].count)
        }
        var phase = random.next(below: spellings[word].count)
        var tokens: [Int32] = []
        tokens.reserveCapacity(length + 1)
        while tokens.count <= length {
            tokens.append(Int32(spellings[word][phase]))
            phase += 1
            if phase == spellings[word].count {
                let row = transition[groups[word]]
                let group = Self.draw(random.nextUnit(), row.indices) { row[$0] }
                word = Self.draw(random.nextUnit(), members[group]) { frequencyInGroup[$0] }
                phase = 0
            }
        }
        return tokens
    }

    /// The first element at which the running sum of shares exceeds `threshold`.
    private static func draw(_ threshold: Double, _ elements: some Collection<Int>, share: (Int) -> Double) -> Int {
        var sum = 0.0
        var last = 0
        for element in elements where share(element) > 0 {
            sum += share(element)
            last = element
            if sum > threshold { return element }
        }
        // Only if rounding leaves the sum just below the threshold.
        return last
    }

    // MARK: - The best possible prediction

    /// Mean cross-entropy over the T targets, in nats, of the exact Bayes predictor. It knows the language, and of the
    /// text this sequence's prefix only. Infinite if the language cannot produce the sequence.
    func bayesCrossEntropy(of tokens: [Int32]) -> Double {
        crossEntropy(of: tokens, WordPredictor(self, transition: transition))
    }

    /// Mean cross-entropy over the T targets, in nats, of the best order-0 word model. It knows spellings and
    /// frequencies of words, and takes each word as independent of the last.
    func orderZeroCrossEntropy(of tokens: [Int32]) -> Double {
        crossEntropy(of: tokens, orderZeroPredictor)
    }

    var orderZeroPredictor: WordPredictor {
        WordPredictor(self, transition: transition.map { _ in groupFrequency })
    }

    private func crossEntropy(of tokens: [Int32], _ fresh: WordPredictor) -> Double {
        precondition(tokens.count > 1, "a sequence has a first token and at least one target")
        var predictor = fresh
        // The first token is given, not predicted. It narrows down the start of the sequence.
        guard predictor.observe(tokens[0]) > 0 else { return .infinity }
        var nats = 0.0
        for token in tokens.dropFirst() {
            let probability = predictor.observe(token)
            guard probability > 0 else { return .infinity }
            nats -= log(probability)
        }
        return nats / Double(tokens.count - 1)
    }

    /// Mean ``bayesCrossEntropy(of:)`` of the first `heldOutCount` validation sequences: no predictor of these
    /// sequences does better on average.
    public func bestPossibleLoss(sequenceLength: Int, heldOutCount: Int = SyntheticSource.heldOutCount) -> Double {
        mean(sequenceLength, heldOutCount, bayesCrossEntropy)
    }

    /// Mean ``orderZeroCrossEntropy(of:)`` of the first `heldOutCount` validation sequences, in nats.
    func orderZeroCrossEntropy(
        sequenceLength: Int, heldOutCount: Int = SyntheticSource.heldOutCount
    ) -> Double {
        mean(sequenceLength, heldOutCount, orderZeroCrossEntropy)
    }

    private func mean(_ length: Int, _ count: Int, _ crossEntropy: ([Int32]) -> Double) -> Double {
        precondition(count > 0, "a mean over no sequences")
        let sum = (0..<count).reduce(0) {
            $0 + crossEntropy(sequence(stream: .validation, index: $1, length: length))
        }
        return sum / Double(count)
    }
}
