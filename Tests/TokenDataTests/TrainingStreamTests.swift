// TrainingStreamTests - permutations, quotas and epochs: the order in which a run reads.

import DataFixtures
import Foundation
import Primitives
import Tensors
import Testing
import InputFiles

@testable import TokenData

@Suite struct KeyedPermutationTests {
    @Test(arguments: [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 1024, 4097])
    func isABijection(count: Int) {
        for key in 0..<4 as Range<UInt64> {
            let permutation = KeyedPermutation(count: count, key: key)
            #expect(Set((0..<count).map { permutation($0) }) == Set(0..<count))
        }
    }

    /// Computed by a separate Python program from the description of the algorithm. A change here changes the order of
    /// every run, so that no checkpoint resumes as it should.
    @Test func goldenValues() {
        let ten = KeyedPermutation(count: 10, key: 42)
        #expect((0..<10).map { ten($0) } == [2, 9, 1, 5, 3, 7, 0, 4, 8, 6])
        let million = KeyedPermutation(count: 1_000_003, key: 42)
        #expect((0..<6).map { million($0) } == [142_017, 946_550, 16_118, 173_682, 901_266, 558_775])
        let endless = KeyedPermutation(count: .max, key: 42)
        #expect(
            (0..<3).map { endless($0) }
                == [4_190_249_713_611_198_202, 3_609_331_627_345_193_855, 6_749_097_203_108_255_511])
    }

    /// All 6 orders of 3 and all 24 of 4 things occur about equally often among 24,000 keys.
    @Test(arguments: [(3, 6), (4, 24)])
    func smallOrdersAreEquallyLikely(count: Int, orders: Int) {
        var seen: [[Int]: Int] = [:]
        for key in 0..<24_000 as Range<UInt64> {
            let permutation = KeyedPermutation(count: count, key: SplitMix64.mix(key))
            seen[(0..<count).map { permutation($0) }, default: 0] += 1
        }
        let expected = 24_000 / Double(orders)
        let chiSquare = seen.values.reduce(0) { $0 + pow(Double($1) - expected, 2) / expected }
        #expect(seen.count == orders)
        // The 99.99 % points of chi-square with 5 and 23 degrees of freedom are 25.7 and 57.0.
        #expect(chiSquare < (orders == 6 ? 25.7 : 57))
    }

    /// Where index i goes is spread evenly over the keys: 16 cells of 1,000 things, 4,000 keys, for several i.
    @Test(arguments: [0, 1, 500, 999])
    func destinationsAreEven(index: Int) {
        var cells = [Double](repeating: 0, count: 16)
        for key in 0..<4000 as Range<UInt64> {
            cells[KeyedPermutation(count: 1000, key: SplitMix64.mix(key))(index) * 16 / 1000] += 1
        }
        // Cells hold 62 or 63 of the 1,000 things; the 99.99 % point of chi-square with 15 degrees is 44.3.
        let chiSquare = cells.reduce(0) { $0 + pow($1 - 250, 2) / 250 }
        #expect(chiSquare < 44.3)
    }
}

@Suite struct MixtureTests {
    @Test(
        arguments: [
            ([1], [1024]), ([1, 1], [512, 512]), ([0.5, 0.3, 0.2], [512, 307, 205]), ([1, 1, 1], [342, 341, 341]),
            ([1023, 1], [1023, 1]), ([1e300, 1e300, 1e300, 1e300], [256, 256, 256, 256]),
            ([.leastNonzeroMagnitude, .leastNonzeroMagnitude], [512, 512]),
            ([0.7, 0.1, 0.1, 0.1], [717, 103, 102, 102]),
        ] as [([Double], [Int])])
    func quotasAreLargestRemainders(weights: [Double], quotas: [Int]) {
        #expect(Mixture.largestRemainder(weights) == quotas)
    }

    @Test func quotasAlwaysSumToTheBlock() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<500 {
            let weights = (0..<(1 + random.next(below: 40))).map { _ in random.nextUnit() + 1e-9 }
            let quotas = Mixture.largestRemainder(weights)
            let total = weights.reduce(0, +)
            #expect(quotas.reduce(0, +) == 1024)
            for (weight, quota) in zip(weights, quotas) { #expect(abs(Double(quota) - weight / total * 1024) < 1) }
        }
    }

    /// At every position the computed uses are those that were counted; after whole blocks each domain has its share.
    @Test(arguments: [[1], [0.5, 0.3, 0.2], [0.7, 0.1, 0.1, 0.1], [1023, 1]] as [[Double]])
    func usesAreComputedFromThePosition(weights: [Double]) throws {
        let names = weights.indices.map { "d\($0)" }
        let mixture = try Mixture(weights: weights, names: names, seed: 3)
        var counted = [Int](repeating: 0, count: weights.count)
        for g in 0...2100 {
            #expect(mixture.uses(before: g) == counted, "position \(g)")
            let (domain, earlierUses) = mixture.use(at: g)
            #expect(earlierUses == counted[domain])
            counted[domain] += 1
        }
        let total = weights.reduce(0, +)
        for blocks in [1, 2, 977, 1 << 40] {
            for (uses, weight) in zip(mixture.uses(before: 1024 * blocks), weights) {
                // Quotas are within one of the exact share, so fractions within a thousandth.
                #expect(abs(Double(uses) / Double(1024 * blocks) - weight / total) < 1.0 / 1024)
            }
        }
    }

    /// Domains of weight 0 are never sampled, and leave the others as they are.
    @Test func aWeightOfZeroHasNoQuota() throws {
        for (weights, quotas) in [([0, 1.0], [0, 1024]), ([0.5, 0, 0.3, 0.2, 0], [512, 0, 307, 205, 0])] {
            let mixture = try Mixture(weights: weights, names: weights.indices.map { "d\($0)" }, seed: 3)
            #expect(mixture.quotas == quotas)
            #expect((0..<1024).allSatisfy { weights[mixture.use(at: $0).domain] > 0 })
        }
        let error = try #require(throws: DataError.self) { try Mixture(weights: [0, 0], names: ["a", "b"], seed: 1) }
        #expect(error.key == "data.train")
    }

    @Test func aWeightTooSmallForABlockIsRefused() throws {
        let error = try #require(throws: DataError.self) {
            try Mixture(weights: [1, 0.0001], names: ["big", "small"], seed: 1)
        }
        #expect(error.key == "data.train[1].weight" && error.problem.contains("\"small\""))
        #expect(error.remedy.contains("\(1.0001 / 1024)"))
        // The remedy works.
        #expect(try Mixture(weights: [1, 1.0001 / 1024], names: ["big", "small"], seed: 1).quotas == [1023, 1])
    }
}

@Suite struct TrainingStreamTests {
    private func stream(_ parts: [(weight: Double, count: Int)], seed: UInt64) throws -> TrainingStream {
        try TrainingStream(
            domains: parts.enumerated().map {
                TokenDomain(
                    name: "d\($0.offset)", weight: $0.element.weight,
                    source: NumberedSource(sequenceCount: $0.element.count))
            }, sequenceLength: 1, seed: seed)
    }

    /// Computed by a separate Python program; see KeyedPermutationTests.
    @Test func goldenValues() throws {
        let mixed = try stream([(0.5, 1000), (0.3, 50), (0.2, .max)], seed: 1337)
        let expected = [
            (0, 2, 0, 1_504_492_906_978_429_137), (1, 2, 0, 4_554_729_242_423_442_885),
            (2, 2, 0, 8_702_506_660_261_772_582), (3, 0, 0, 785), (1023, 0, 0, 586), (1024, 1, 6, 4),
            (5000, 1, 29, 26), (123_456_789, 2, 0, 1_137_336_144_318_177_600),
            (1_000_000_000_000_000, 0, 500_000_000_000, 661),
        ]
        for (g, domain, epoch, sequence) in expected {
            #expect(mixed.location(of: g) == (domain, epoch, sequence), "position \(g)")
        }
        let alone = try stream([(1, 5)], seed: 7)
        #expect((0..<10).map { alone.location(of: $0).sequence } == [3, 1, 4, 2, 0, 2, 1, 0, 3, 4])
        var batch = TokenBatch(capacity: 3, sequenceLength: 1)
        try alone.fill(&batch, with: 2..<3)
        #expect(batch.inputs == [4] && batch.targets == [4])
    }

    /// A batch holds the sequences of its positions in order, and nothing of the batch before.
    @Test func batchesAreFilledInTheOrderOfPositions() throws {
        let mixed = try stream([(0.5, 40), (0.5, 30)], seed: 8)
        var batch = TokenBatch(capacity: 16, sequenceLength: 1)
        var seen: [[Int32]] = []
        for positions in [0..<16, 16..<19, 19..<19, 19..<30] {
            try mixed.fill(&batch, with: positions)
            #expect(batch.inputs == positions.map { Int32(mixed.location(of: $0).sequence) })
            #expect(batch.targets == batch.inputs)
            seen.append(batch.inputs)
        }
        // The order is no accident of equal ids.
        #expect(seen[0] != seen[0].sorted() && seen[3] != Array(seen[0][..<11]))
    }

    /// Sequences of a file come into the batch as the source gives them alone.
    @Test func sequencesOfAFileAreReadInPlace() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("text.txt", "the quick brown fox jumps over the lazy dog")
        let source = try load(path, sequenceLength: 5)
        let one = try TrainingStream(
            domains: [TokenDomain(name: "text", weight: 1, source: source)], sequenceLength: 5, seed: 2)
        var batch = TokenBatch(capacity: 4, sequenceLength: 5)
        try one.fill(&batch, with: 3..<7)
        let expected = try (3..<7).map { try source.sequence(one.location(of: $0).sequence) }
        #expect(batch.inputs == expected.flatMap { $0.dropLast() })
        #expect(batch.targets == expected.flatMap { $0.dropFirst() })
        #expect(Set(expected).count > 1)
    }

    /// The k-th use, counted naively, is use k; every epoch reads every sequence once before the next one starts.
    @Test func epochsAreCompleteAndInOrder() throws {
        let counts = [700, 13, 1]
        let mixed = try stream([(0.6, 700), (0.3, 13), (0.1, 1)], seed: 99)
        var uses = [0, 0, 0]
        var seen: [[Int]] = [[], [], []]
        for g in 0..<(5 * 1024) {
            if g.isMultiple(of: 1024) {
                #expect(uses == [614, 307, 103].map { $0 * (g / 1024) }, "block \(g / 1024) starts with its quotas")
            }
            let place = mixed.location(of: g)
            #expect(place.epoch == uses[place.domain] / counts[place.domain])
            uses[place.domain] += 1
            seen[place.domain].append(place.sequence)
            if seen[place.domain].count == counts[place.domain] {
                #expect(Set(seen[place.domain]) == Set(0..<counts[place.domain]))
                seen[place.domain] = []
            }
        }
        #expect(uses == [3070, 1535, 515])
    }

    @Test func ordersDifferBetweenEpochsDomainsAndSeeds() throws {
        let first = try stream([(1, 1000)], seed: 1)
        let epoch = { (stream: TrainingStream, number: Int) in
            (0..<1000).map { stream.location(of: 1000 * number + $0).sequence }
        }
        let orders = [
            epoch(first, 0), epoch(first, 1), epoch(first, 1_000_000), epoch(try stream([(1, 1000)], seed: 2), 0),
        ]
        for (index, order) in orders.enumerated() {
            for other in orders[..<index] {
                // Two random orders agree in one place on average; in more than 10 with probability 1e-8.
                #expect(zip(order, other).count { $0 == $1 } <= 10)
            }
        }
        let two = try stream([(1, 1000), (1, 1000)], seed: 1)
        var byDomain: [[Int]] = [[], []]
        for g in 0..<2048 {
            let place = two.location(of: g)
            if place.epoch == 0 { byDomain[place.domain].append(place.sequence) }
        }
        #expect(zip(byDomain[0], byDomain[1]).count { $0 == $1 } <= 10)
    }

    /// Domains are spread through a block, not read one after the other.
    @Test func domainsAreInterleaved() throws {
        let mixed = try stream([(0.5, 1000), (0.5, 1000)], seed: 4)
        let firsts = (0..<1024).map { mixed.location(of: $0).domain }
        let changes = zip(firsts, firsts.dropFirst()).count { $0 != $1 }
        // 511.5 expected, standard deviation 16.
        #expect(abs(changes - 512) < 80)
        #expect(firsts != (1024..<2048).map { mixed.location(of: $0).domain })
    }

    @Test func badListsAreRefused() throws {
        let source = NumberedSource(sequenceCount: 3)
        let twice = [
            TokenDomain(name: "a", weight: 1, source: source), TokenDomain(name: "a", weight: 1, source: source),
        ]
        let error = try #require(throws: DataError.self) {
            try TrainingStream(domains: twice, sequenceLength: 1, seed: 1)
        }
        #expect(error.key == "data.train[1].name")
        #expect(throws: DataError.self) { try TrainingStream(domains: [], sequenceLength: 1, seed: 1) }
    }
}

@Suite struct FingerprintTests {
    private func stream(_ domains: [TokenDomain], length: Int = 1, tokenizer: String = "bytes") throws -> TrainingStream
    {
        try TrainingStream(domains: domains, sequenceLength: length, seed: 1, tokenizerName: tokenizer)
    }

    private let books = TokenDomain(
        name: "books", weight: 0.5, source: NumberedSource(sequenceCount: 10, fingerprint: "ab/cd"))
    private let code = TokenDomain(name: "code", weight: 1, source: NumberedSource(sequenceCount: .max))

    @Test func isSortedJSON() throws {
        let text = try stream([books, code]).fingerprint
        #expect(
            text
                == #"{"domains":[{"hash":"ab/cd","name":"books","tokens":11,"weight":0.5},"#
                + #"{"hash":"numbers","name":"code","weight":1}],"sequenceLength":1,"tokenizer":"bytes"}"#)
        #expect(try DataFingerprint(json: text).json == text)
        #expect(throws: DataError.self) { try DataFingerprint(json: "{}") }
    }

    /// Weights, names, order and lengths are the configuration's to compare.
    @Test func differencesOfTokensAreNamed() throws {
        let saved = try DataFingerprint(json: try stream([books, code]).fingerprint)
        func differences(_ domains: [TokenDomain]) throws -> [String] {
            try DataFingerprint(json: try stream(domains).fingerprint).differences(from: saved)
        }
        #expect(try differences([books, code]).isEmpty)
        #expect(try differences([code]).isEmpty)
        var altered = books
        altered.weight = 2
        #expect(try differences([altered, code]).isEmpty)
        altered.source = NumberedSource(sequenceCount: 10)
        #expect(try differences([altered, code]) == ["the tokens of \"books\" are others than the checkpoint's"])
        altered.source = NumberedSource(sequenceCount: 9)
        #expect(try differences([altered, code]) == ["\"books\" has 10 tokens, the checkpoint's has 11"])
    }
}
