// EvaluationSumsTests - calibration, buckets and totals in closed form.

import Foundation
import Testing
import TestSupport

@testable import Evaluation
@testable import Reporting

@Suite struct EvaluationSumsTests {
    private func sums(_ targets: [(ce: Double, entropy: Double, confidence: Double, isCorrect: Bool)]) -> EvaluationSums
    {
        var sums = EvaluationSums()
        for target in targets {
            sums.add(
                crossEntropy: target.ce, entropy: target.entropy, confidence: target.confidence,
                isCorrect: target.isCorrect, frequency: nil)
        }
        return sums
    }

    // MARK: - Calibration

    /// As often right as confident: no error. Always wrong: the error is the confidence. Always right: 1 minus the
    /// confidence.
    @Test(arguments: [(5, 0.0), (0, 0.5), (10, 0.5), (3, 0.2)])
    func calibrationOfOneBin(correct: Int, error: Double) {
        let sums = sums((0..<10).map { (1, 1, 0.5, $0 < correct) })
        #expect(abs(sums.calibrationError - error) < 1e-15)
    }

    @Test func binsAreWeightedByTheirShare() {
        // 3 predictions at 0.9 of which 1 is right, 1 at 0.1 that is wrong: 3/4 |1/3 - 0.9| + 1/4 |0 - 0.1|.
        let sums = sums([(1, 1, 0.9, true), (1, 1, 0.9, false), (1, 1, 0.9, false), (1, 1, 0.1, false)])
        #expect(abs(sums.calibrationError - (0.75 * (0.9 - 1.0 / 3) + 0.25 * 0.1)) < 1e-15)
    }

    /// Within a bin too much and too little confidence cancel; in two bins they do not. The edge belongs to the lower bin.
    @Test func binsAreFifteenths() {
        let edge = 8.0 / 15
        let inOne = sums([(1, 1, edge - 0.01, false), (1, 1, edge, true)])
        #expect(abs(inOne.calibrationError - abs(1 - (2 * edge - 0.01)) / 2) < 1e-15)
        let inTwo = sums([(1, 1, edge - 0.01, false), (1, 1, edge + 0.01, true)])
        #expect(abs(inTwo.calibrationError - ((edge - 0.01) + (1 - edge - 0.01)) / 2) < 1e-15)
        // The first bin begins with 0, the last ends with 1.
        #expect(sums([(1, 1, 0, false), (1, 1, 1, true)]).calibrationError == 0)
    }

    /// The calibration error equals a naive computation of its definition.
    @Test func calibrationEqualsTheDefinition() {
        var random = SeededGenerator(seed: 1)
        let targets = (0..<500).map { _ in
            (ce: 1.0, entropy: 1.0, confidence: random.unit(), isCorrect: random.unit() < 0.4)
        }
        var expected = 0.0
        for m in 1...15 {
            let bin = targets.filter { $0.confidence > Double(m - 1) / 15 && $0.confidence <= Double(m) / 15 }
            guard !bin.isEmpty else { continue }
            let accuracy = Double(bin.count { $0.isCorrect }) / Double(bin.count)
            let confidence = bin.reduce(0) { $0 + $1.confidence } / Double(bin.count)
            expected += Double(bin.count) / 500 * abs(accuracy - confidence)
        }
        #expect(expected > 0.05)
        #expect(abs(sums(targets).calibrationError - expected) < 1e-12)
    }

    // MARK: - Entropy

    @Test(
        arguments: [
            (-1e-7, "0-1"), (0, "0-1"), (0.999, "0-1"), (1, "1-2"), (2.5, "2-3"), (5.999, "5-6"), (6, "6+"),
            (1e9, "6+"),
            (.infinity, "6+"), (-.infinity, "0-1"), (.nan, "6+"),
        ] as [(Double, String)])
    func entropyBuckets(entropy: Double, name: String) {
        let sums = sums([(3, entropy, 0.5, true)])
        for (bucketName, bucket) in sums.entropy { #expect(bucket.targets == (bucketName == name ? 1 : 0)) }
        #expect(sums.entropy.first { $0.name == name }?.bucket.crossEntropy == 3)
        #expect(sums.entropy.map(\.name) == ["0-1", "1-2", "2-3", "3-4", "4-5", "5-6", "6+"])
    }

    @Test func whatIsNoNumberShowsAndDoesNotTrap() {
        let sums = sums([(.nan, .nan, .nan, false), (1, 1, 0.5, true)])
        #expect(sums.all.targets == 2 && sums.all.crossEntropy.isNaN && sums.calibrationError.isNaN)
        #expect(sums.entropy[1].bucket.crossEntropy == 1)
    }

    // MARK: - Sums

    @Test func sumsAddUpAndTravelAsNumbers() {
        var a = sums([(1, 0.5, 0.5, true), (2, 1.5, 0.25, false)])
        a.add(bytes: 7)
        var b = EvaluationSums()
        b.add(crossEntropy: 4, entropy: 9, confidence: 1, isCorrect: true, frequency: 1)
        b.add(bytes: 5)
        let before = a
        a += EvaluationSums(values: b.values)
        #expect(a.all == .init(targets: 3, crossEntropySum: 7))
        #expect(a.bytes == 12)
        #expect(a.frequency.map(\.bucket.targets) == [0, 1, 0])
        #expect(a.entropy.map(\.bucket.crossEntropySum) == [1, 2, 0, 0, 0, 0, 4])
        #expect(a != before && b.values.count == EvaluationSums.valueCount)
    }

    @Test func theWorstDomainAndTheMeansOfDomains() {
        func result(_ values: [Double?]) -> EvaluationResult {
            EvaluationResult(
                domains: values.enumerated().map { index, ce in
                    .init(name: "d\(index)", sums: sums(ce.map { [($0, 1, 0.5, true), ($0, 1, 0.5, true)] } ?? []))
                }, hasFrequencies: false)
        }
        let mixed = result([1, nil, 4, 2.5])
        // The empty domain is neither the worst nor part of the mean.
        #expect(mixed.uniformMean == 2.5 && mixed.worst?.name == "d2")
        #expect(result([1, .nan, 4]).worst?.name == "d1")
        #expect(result([nil]).worst == nil && result([]).uniformMean.isNaN)
    }

    @Test func bitsPerByteCountTheLossOfEveryTargetAndTheBytesOfText() {
        // 8 bits in all; the second target is an end token and has no bytes.
        var sums = sums([(6 * log(2), 1, 0.5, true), (2 * log(2), 1, 0.5, true)])
        sums.add(bytes: 4)
        let result = EvaluationResult(domains: [.init(name: "a", sums: sums)], hasFrequencies: false)
        #expect(abs(result.bitsPerByte - 2) < 1e-15)
        let table = result.lines
        #expect(table[0].split(separator: " ").first == "domain")
        #expect(table[1].hasPrefix("a ") && table[1].hasSuffix("2.0000"))
        #expect(!table.contains { $0.contains("frequency") || $0.contains("worst") })
        // If the bytes of one domain are unknown, the total is too. A domain without targets does not matter.
        let unknown = EvaluationResult.Domain(name: "b", sums: sums, hasBytes: false)
        let mixed = EvaluationResult(domains: result.domains + [unknown], hasFrequencies: false)
        #expect(mixed.bitsPerByte.isNaN && mixed.json.text.contains("\"bits_per_byte\": null"))
        #expect(mixed.json(step: 1).text.contains("\"bits_per_byte\": null"))
        #expect(mixed.lines[1].hasSuffix(" 2.0000") && mixed.lines[2...3].allSatisfy { $0.hasSuffix(" -") })
        let empty = EvaluationResult.Domain(name: "c", sums: EvaluationSums(), hasBytes: false)
        #expect(EvaluationResult(domains: result.domains + [empty], hasFrequencies: false).bitsPerByte == 2)
    }
}

@Suite struct FrequencyBucketsTests {
    private func names(_ counts: [Int]) -> [String] {
        FrequencyBuckets(counts: counts, ignoredTargets: []).bucketOfID.map { FrequencyBuckets.names[Int($0)] }
    }

    @Test(
        arguments: [
            // 70 % is not enough for high, so the next id belongs to it; the one that ends at 95 % is medium.
            ([70, 15, 10, 5], ["high", "high", "medium", "low"]),
            // A cut that is met exactly ends its bucket.
            ([80, 15, 5], ["high", "medium", "low"]), ([5, 80, 15], ["low", "high", "medium"]),
            // One id may be the whole text. Ids without occurrence are low.
            ([0, 9, 0], ["low", "high", "low"]), ([0, 0], ["low", "low"]), ([], []), ([97, 3], ["high", "low"]),
            // Equal counts: by id.
            ([1, 1, 1, 1, 1], ["high", "high", "high", "high", "medium"]),
            ([2, 2, 2, 2, 1, 1], ["high", "high", "high", "high", "medium", "medium"]),
        ] as [([Int], [String])])
    func cuts(counts: [Int], expected: [String]) { #expect(names(counts) == expected) }

    /// Half of the text is padding: of the rest, 50 % and 80 % are before the second and third id, 95 % before the fourth.
    @Test func ignoredTargetsAreNoOccurrences() {
        let counts = [1000, 500, 300, 150, 50]
        func names(_ ignored: [Int32]) -> [String] {
            FrequencyBuckets(counts: counts, ignoredTargets: ignored).bucketOfID.map { FrequencyBuckets.names[Int($0)] }
        }
        #expect(names([0])[1...] == ["high", "high", "medium", "low"])
        // Padding included, the cuts would be at 50 %, 75 %, 90 % and 97.5 %.
        #expect(names([]) == ["high", "high", "high", "medium", "low"])
        #expect(names([0, 1])[2...] == ["high", "high", "medium"])
        #expect(names([0, 1, 2, 3])[4] == "high")
        #expect(names([0, 1, 2, 3, 4]) == [String](repeating: "low", count: 5))
    }

    /// The largest counts that a checkpoint may claim.
    @Test func hugeCountsDoNotOverflow() {
        #expect(names([1 << 55, 1 << 54]) == ["high", "high"])
        #expect(names([1 << 55, 1 << 52, 1 << 50]) == ["high", "medium", "low"])
    }

    /// The buckets of counts with a text's distribution equal a naive computation of their definition.
    @Test func everyBucketIsTheFewestMostFrequentIds() {
        var random = SeededGenerator(seed: 3)
        let counts = (1...400).map { (rank: Int) -> Int in
            let count: Double = 1e5 / Double(rank) * (0.5 + random.unit())
            return random.next() % 5 > 0 ? Int(count) : 0
        }
        let total = counts.reduce(0, +)
        let buckets = FrequencyBuckets(counts: counts, ignoredTargets: []).bucketOfID
        for (bucket, share) in [(0, 0.80), (1, 0.95)] {
            let chosen = counts.indices.filter { buckets[$0] <= bucket }
            let sum = chosen.reduce(0) { $0 + counts[$1] }
            let smallest = chosen.map { counts[$0] }.min() ?? 0
            #expect(Double(sum) >= share * Double(total))
            #expect(Double(sum - smallest) < share * Double(total), "one id less would do")
            #expect(counts.indices.allSatisfy { buckets[$0] <= bucket || counts[$0] <= smallest })
        }
        #expect(counts.indices.allSatisfy { counts[$0] > 0 || buckets[$0] == 2 })
    }
}
