// SyntheticLanguageTests - the generator, and that its best prediction is exact.

import DataFixtures
import Foundation
import Testing

@testable import TokenData

/// Three words whose pieces can be confused: "a", "ba" and "aba" end alike and contain one another.
private let tiny = SyntheticLanguage(
    words: ["a", "ba", "aba", "bab"], groups: [0, 1, 1, 2], frequencyInGroup: [1, 0.25, 0.75, 1],
    transition: [[0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.9, 0.1, 0]], seed: 11)

/// Probability of a text by summing over every hidden path: all starts inside all words, all following words.
private func enumeratedProbability(_ tokens: [Int32], of language: SyntheticLanguage, isOrderZero: Bool) -> Double {
    let words = language.words.map { $0.utf8.map { Int32($0) } + [32] }
    func probability(of next: Int, after last: Int) -> Double {
        isOrderZero
            ? language.wordFrequency[next]
            : language.transition[language.groups[last]][language.groups[next]] * language.frequencyInGroup[next]
    }
    func paths(_ word: Int, _ letter: Int, _ index: Int) -> Double {
        if index == tokens.count { return 1 }
        if letter == words[word].count {
            return words.indices.reduce(0) { $0 + probability(of: $1, after: word) * paths($1, 0, index) }
        }
        return words[word][letter] == tokens[index] ? paths(word, letter + 1, index + 1) : 0
    }
    var sum = 0.0
    for (word, letters) in words.enumerated() {
        for letter in letters.indices {
            sum += language.wordFrequency[word] / language.averageLength * paths(word, letter, 0)
        }
    }
    return sum
}

@Suite struct WordPredictorTests {
    @Test(arguments: [SyntheticLanguage.Stream.training, .validation])
    func agreesWithTheSumOverAllHiddenPaths(stream: SyntheticLanguage.Stream) {
        for index in 0..<60 {
            let tokens = tiny.sequence(stream: stream, index: index, length: 9)
            for isOrderZero in [false, true] {
                let all = enumeratedProbability(tokens, of: tiny, isOrderZero: isOrderZero)
                let first = enumeratedProbability([tokens[0]], of: tiny, isOrderZero: isOrderZero)
                let expected = -(log(all) - log(first)) / 9
                let actual = isOrderZero ? tiny.orderZeroCrossEntropy(of: tokens) : tiny.bayesCrossEntropy(of: tokens)
                // Sums of at most a few hundred products in double: 1e-12 is far above their rounding.
                #expect(abs(actual - expected) < 1e-12)
            }
        }
    }

    @Test func probabilitiesSumToOne() {
        for language in [tiny, .embedded] {
            for index in 0..<20 {
                let fresh = [
                    WordPredictor(language, transition: language.transition), language.orderZeroPredictor,
                ]
                for var predictor in fresh {
                    for token in language.sequence(stream: .training, index: index, length: 60) {
                        let distribution = predictor.distribution
                        let sum: Double = distribution.reduce(0, +)
                        #expect(abs(sum - 1) < 1e-9)
                        let probability = predictor.observe(token)
                        #expect(abs(probability - distribution[Int(token)]) < 1e-15)
                        #expect(probability > 0)
                    }
                }
            }
        }
    }

    @Test func whatTheLanguageCannotProduceIsInfinitelySurprising() {
        #expect(tiny.bayesCrossEntropy(of: Array("a  a".utf8).map { Int32($0) }) == .infinity)
        #expect(tiny.bayesCrossEntropy(of: [256, 97]) == .infinity)
        #expect(tiny.bayesCrossEntropy(of: Array("bb".utf8).map { Int32($0) }) == .infinity)
        // "bab" is never followed by itself, but the order-0 model does not know.
        let twice = Array(" bab bab ".utf8).map { Int32($0) }
        #expect(tiny.bayesCrossEntropy(of: twice) == .infinity)
        #expect(tiny.orderZeroCrossEntropy(of: twice) < .infinity)
    }
}

@Suite struct SyntheticLanguageTests {
    private let language = SyntheticLanguage.embedded

    /// pi = pi A for the hand-solved chain of two groups: pi = (q, p) / (p + q).
    @Test func stationaryFrequenciesSolveTheChain() {
        let pair = SyntheticLanguage(
            words: ["x", "yyy"], groups: [0, 1], frequencyInGroup: [1, 1], transition: [[0.7, 0.3], [0.9, 0.1]], seed: 1
        )
        #expect(abs(pair.groupFrequency[0] - 0.75) < 1e-14)
        #expect(abs(pair.averageLength - (0.75 * 2 + 0.25 * 4)) < 1e-13)
        let entropy = { (p: Double) in -p * log(p) - (1 - p) * log(1 - p) }
        #expect(abs(pair.entropyRate - (0.75 * entropy(0.3) + 0.25 * entropy(0.1)) / 2.5) < 1e-13)
        #expect(abs(pair.orderZeroEntropyRate - entropy(0.25) / 2.5) < 1e-13)
        // A chain with a period has stationary frequencies too.
        let cycle = SyntheticLanguage(
            words: ["x", "y"], groups: [0, 1], frequencyInGroup: [1, 1], transition: [[0, 1], [1, 0]], seed: 1)
        #expect(cycle.groupFrequency == [0.5, 0.5] && cycle.entropyRate == 0)
    }

    @Test func lexiconIsAsDescribed() {
        #expect(language.words.count == 96 && Set(language.words).count == 96)
        #expect(language.words.allSatisfy { (2...7).contains($0.utf8.count) })
        #expect(language.words.allSatisfy { $0.utf8.allSatisfy { (97...122).contains($0) } })
        // Zipf: the r-th word's frequency times r is a constant.
        let total = (1...96).reduce(0) { $0 + 1 / Double($1) }
        for (index, frequency) in language.wordFrequency.enumerated() {
            #expect(abs(frequency * Double(index + 1) * total - 1) < 1e-9)
        }
        let sum: Double = language.wordFrequency.reduce(0, +)
        #expect(abs(sum - 1) < 1e-12)
        // The ending shows the group.
        let endings = Set(zip(language.words, language.groups).map { "\($0.last ?? " ")\($1)" })
        #expect(endings.count == 8)
    }

    @Test func wordsHaveTheirFrequencies() throws {
        let tokens = language.sequence(stream: .training, index: 0, length: 400_000)
        let text = String(decoding: tokens.map { UInt8($0) }, as: UTF8.self)
        let words = text.split(separator: " ").dropFirst().dropLast().map(String.init)
        var counts: [String: Double] = [:]
        for word in words { counts[word, default: 0] += 1 }
        #expect(Set(counts.keys).isSubset(of: language.words))
        let total = Double(words.count)
        for (word, frequency) in zip(language.words, language.wordFrequency) {
            // Six standard deviations of independent draws; the chain's dependence is short.
            #expect(abs(counts[word, default: 0] - total * frequency) < 6 * sqrt(total * frequency), "\(word)")
        }
        // And follow one another as the transition says.
        var pairs = language.transition.map { $0.map { _ in 0.0 } }
        let groups = Dictionary(uniqueKeysWithValues: zip(language.words, language.groups))
        for (last, next) in zip(words, words.dropFirst()) {
            pairs[try #require(groups[last])][try #require(groups[next])] += 1
        }
        for (row, share) in zip(pairs, language.groupFrequency.indices) {
            let sum = row.reduce(0, +)
            for (count, probability) in zip(row, language.transition[share]) {
                #expect(abs(count - sum * probability) < 5 * sqrt(sum * probability) + 1)
            }
        }
    }

    /// The first byte of a sequence has the frequency of a byte anywhere in the text: a space one in averageLength.
    @Test func sequencesStartAnywhere() {
        var counts = [Double](repeating: 0, count: 256)
        for index in 0..<20_000 { counts[Int(language.sequence(stream: .training, index: index, length: 1)[0])] += 1 }
        let expected = WordPredictor(language, transition: language.transition).distribution.map { $0 * 20_000 }
        for (count, mean) in zip(counts, expected) { #expect(abs(count - mean) < 5 * sqrt(mean) + 1e-9) }
        #expect(abs(expected[32] * language.averageLength - 20_000) < 1e-6)
    }

    /// On long sequences the start does not matter, and the predictor pays the chain's entropy.
    @Test func longSequencesCostTheEntropyRate() {
        var bayes = 0.0
        var orderZero = 0.0
        for index in 0..<8 {
            let tokens = language.sequence(stream: .validation, index: index, length: 25_000)
            bayes += language.bayesCrossEntropy(of: tokens) / 8
            orderZero += language.orderZeroCrossEntropy(of: tokens) / 8
        }
        // 40,000 words with a deviation of about 1.7 nats each: 0.4 % standard error; four of them.
        #expect(abs(bayes / language.entropyRate - 1) < 0.016)
        #expect(abs(orderZero / language.orderZeroEntropyRate - 1) < 0.016)
    }

    /// The bar of the self-test job: what a model gains that knows only words and their frequencies is not enough.
    @Test(arguments: [32, 64, 128, 256])
    func orderZeroIsFarAboveTheFloor(sequenceLength: Int) {
        let bestPossibleLoss = language.bestPossibleLoss(sequenceLength: sequenceLength)
        let orderZero = language.orderZeroCrossEntropy(sequenceLength: sequenceLength)
        #expect(bestPossibleLoss > language.entropyRate * 0.97)
        #expect(orderZero > 1.4 * bestPossibleLoss)
    }

    @Test func sequencesNeverRepeat() {
        var seen: Set<[Int32]> = []
        for index in 0..<20_000 { seen.insert(language.sequence(stream: .training, index: index, length: 64)) }
        for index in 0..<256 { seen.insert(language.sequence(stream: .validation, index: index, length: 64)) }
        #expect(seen.count == 20_256)
        // A run's own order does not repeat an index either, and another seed reads others.
        let domain = DataConfiguration.Domain(name: "s", path: "synthetic:train")
        let configuration = DataConfiguration(train: [domain], sequenceLength: 64)
        do {
            let domains = try loadDomains(configuration, vocabularySize: 257, purpose: .training)
            let first = try TrainingStream(domains: domains, sequenceLength: 64, seed: 1)
            let second = try TrainingStream(domains: domains, sequenceLength: 64, seed: 2)
            let indices = (0..<20_000).flatMap { [first.location(of: $0).sequence, second.location(of: $0).sequence] }
            #expect(Set(indices).count == 40_000)
        } catch {
            Issue.record(error)
        }
    }

    @Test func sequencesAreFunctionsOfStreamAndIndex() {
        let text = { (stream: SyntheticLanguage.Stream, index: Int) in
            String(
                decoding: language.sequence(stream: stream, index: index, length: 47).map { UInt8($0) }, as: UTF8.self)
        }
        // Fixed by the generator's seed. A change here changes the self-test job and its best possible loss.
        #expect(language.words.prefix(8) == ["ma", "ne", "gi", "ko", "pu", "bun", "ker", "vos"])
        #expect(text(.training, 0) == " ruro ma ripo linar pu ne bun ma mavo jaras ker ")
        #expect(text(.training, Int.max - 1) == "gu ne ma ko vos pu vazen ma ruro mumus mur ne fi")
        #expect(text(.validation, 0) == "un kabi vos zomer pu gin ma gi ko bun ma ko mos ")
        // A longer sequence starts with the shorter one.
        let long = language.sequence(stream: .training, index: 3, length: 100)
        #expect(Array(long.prefix(48)) == language.sequence(stream: .training, index: 3, length: 47))
    }
}
