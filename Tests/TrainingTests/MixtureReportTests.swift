// MixtureReportTests - what a run says of its domains, planned and achieved.

import Testing
import TokenData

@testable import Training

/// Sequences that nobody reads.
private struct UnreadSource: SequenceSource {
    let sequenceCount: Int
    let fingerprint = "unread"
    var tokenCount: Int { sequenceCount == .max ? .max : 8 * sequenceCount + 1 }
    func sequence(_ s: Int) -> [Int32] { [Int32](repeating: 0, count: 9) }
}

@Suite struct MixtureReportTests {
    private func report(_ parts: [(name: String, weight: Double, count: Int)]) throws -> MixtureReport {
        MixtureReport(
            try TrainingStream(
                domains: parts.map {
                    TokenDomain(name: $0.name, weight: $0.weight, source: UnreadSource(sequenceCount: $0.count))
                }, sequenceLength: 8, seed: 1))
    }

    /// After every 1,024 sequences a fraction is within a thousandth of its weight; and it is exactly the quota.
    @Test func fractionsAreTheWeights() throws {
        let report = try report([("books", 0.5, 1000), ("code", 0.3, 100), ("web", 0.2, .max)])
        for blocks in [1, 2, 3, 1000] {
            let fractions = try #require(report.fractions(1024 * blocks))
            #expect(fractions.map(\.domain) == ["books", "code", "web"])
            let expected: [Double] = [512.0 / 1024, 307.0 / 1024, 205.0 / 1024]
            #expect(fractions.map(\.fraction) == expected)
        }
        // In between they wander.
        #expect(try #require(report.fractions(1)).map(\.fraction).sorted() == [0, 0, 1])
        #expect(try #require(report.fractions(500)).reduce(0) { $0 + $1.fraction } == 1)
    }

    @Test func aSingleDomainIsNoMixture() throws {
        #expect(try report([("books", 1, 100)]).fractions(1024) == nil)
        #expect(
            try report([("books", 1, 100)]).plan(steps: 5, sequences: 5 * 10) == [
                "domain books: 5 steps take 0.50 epochs of its 801 tokens"
            ])
        // The report does not mention a text without end.
        let endless = try report([("synthetic", 1, .max)])
        #expect(endless.plan(steps: 5, sequences: 5 * 10) == [] && endless.table(1024) == [])
        #expect(endless.warnings(steps: 1 << 30, sequences: 1 << 30 * 1024) == [])
    }

    @Test func thePlanNamesSharesAndEpochs() throws {
        let report = try report([("books", 1, 1024), ("code", 3, 256), ("web", 4, .max)])
        #expect(
            report.plan(steps: 16, sequences: 16 * 64) == [
                "domain books: 12.50 % of the sequences; 16 steps take 0.12 epochs of its 8193 tokens",
                "domain code: 37.50 % of the sequences; 16 steps take 1.50 epochs of its 2049 tokens",
                "domain web: 50.00 % of the sequences; 16 steps take what has no end",
            ])
    }

    /// 8 steps of 64 were taken, and 8 of 128 follow: three halves of what 16 steps of 64 take.
    @Test func thePlanOfAResumedRunCountsWhatWasTaken() throws {
        let sequences = MixtureReport.sequences(steps: 16, batch: 128, after: 8, position: 512)
        #expect(sequences == 1536)
        #expect(MixtureReport.sequences(steps: 16, batch: 64, after: 0, position: 0) == 1024)
        // Beyond its last step nothing follows.
        #expect(MixtureReport.sequences(steps: 16, batch: 64, after: 20, position: 1280) == 1280)
        // Half of every 1,024.
        let report = try report([("books", 1, 256), ("code", 1, 64)])
        #expect(report.plan(steps: 16, sequences: 2048).first?.contains("16 steps take 4.00 epochs") == true)
        #expect(report.plan(steps: 16, sequences: 1024).first?.contains("16 steps take 2.00 epochs") == true)
    }

    /// 512 of each 1,024 sequences: four epochs of 128 sequences are no reason to warn, one use more is.
    @Test func repetitionBeyondFourEpochsIsWarnedOf() throws {
        let report = try report([("books", 1, 128), ("code", 1, 1000)])
        #expect(report.warnings(steps: 1, sequences: 1 * 1024) == [])
        let warnings = report.warnings(steps: 2, sequences: 2 * 1024)
        #expect(warnings.count == 1)
        for part in ["domain books", "8.00 epochs", "step 2", "Muennighoff et al. 2023", "2305.16264"] {
            #expect(warnings.first?.contains(part) == true, "\(warnings)")
        }
        // Of a single domain too.
        #expect(try self.report([("books", 1, 10)]).warnings(steps: 4, sequences: 4 * 10) == [])
        #expect(try self.report([("books", 1, 10)]).warnings(steps: 5, sequences: 5 * 10).count == 1)
    }

    @Test func theTableSaysWhatWasTaken() throws {
        let table = try report([("books", 1, 256), ("code", 3, 96)]).table(1024)
        #expect(
            table == [
                "domain    weight  achieved  tokens  epochs",
                "books   25.000 %  25.000 %    2048    1.00",
                "code    75.000 %  75.000 %    6144    8.00",
            ])
    }
}
