// ComparisonTableTests - the table and the JSON of two losses with two seeds each.

import Foundation
import Testing

@testable import Reporting
@testable import RunComparison

@Suite struct ComparisonTableTests {
    /// Differences -0.03 and -0.01: mean -0.02, standard error 0.01, t = -2; with one degree of freedom
    /// p = 1 - 2 atan(2) / pi = 0.2952 and the quantiles 12.7062 and 1.3764.
    @Test func text() throws {
        let text = try ComparisonTable(CompareSamples.comparison(CompareSamples.four())).text
        let expected = """
            step 40, seeds 1, 2; differences are arm minus cross_entropy of the same seed, less is better

            column         arm              mean       sd  difference         95 % interval        p  p (Holm)  detectable  verdict

            validation_ce  cross_entropy  1.5500  0.07071
                           mile 1         1.5300  0.08485    -0.02000  -0.14706 to +0.10706   0.2952    0.2952     0.14083  no conclusion

            domains.prose  cross_entropy  2.1250  0.17678
                           mile 1         2.3750  0.17678    +0.25000  +0.25000 to +0.25000  <0.0001   <0.0001     0.00000  worse

            bits_per_byte  cross_entropy  3.1000  0.14142
                           mile 1         3.0600  0.16971    -0.04000  -0.29412 to +0.21412   0.2952    0.2952     0.28165  no conclusion

            entropy.0-1    cross_entropy  0.5000  0.00000
                           mile 1         0.5000  0.00000

            Entropy buckets are of each model's own entropy: their CE is not of the same targets in all runs, and so is shown without a comparison.
            How runs/c1 and 3 more came about is not known, because starts.jsonl does not tell (an earlier version did not write it): whether other weights were the beginning, or keys changed on the way, is not compared.
            That the data are the same is judged by their paths alone: no run has a checkpoint that can be read.
            """
        #expect(text == expected)
    }

    @Test func onePairSaysThatItSaysNothing() throws {
        let runs = [CompareSamples.four()[0], CompareSamples.four()[3]]
        let text = try ComparisonTable(CompareSamples.comparison(runs)).text
        let line = try #require(text.split(separator: "\n").first { $0.contains("mile 1") })
        let cells = line.split(separator: " ", omittingEmptySubsequences: true)
        #expect(cells == ["mile", "1", "1.4700", "-", "-0.03000", "-", "-", "-", "-", "no", "conclusion"])
        #expect(text.contains("One pair for each arm: no interval, no test and no conclusion"))
    }

    @Test func columnsThatARunLacksAreLeftOutAndNamed() throws {
        var runs = CompareSamples.four()
        runs[1] = CompareSamples.run("runs/m2", CompareSamples.mile, seed: 2)
        let comparison = try CompareSamples.comparison(runs)
        #expect(comparison.columns == [.validation])
        #expect(
            comparison.omissions.map(\.column) == [.domain("prose"), .bitsPerByte, .entropy("0-1")])
        #expect(comparison.omissions.allSatisfy { $0.runs == ["runs/m2"] })
        #expect(comparison.notes.contains("domains.prose is left out: runs/m2 lacks it."))
        #expect(comparison.entropyShare(arm: 0, "0-1") == 0.75)
        #expect(comparison.entropyShare(arm: 1, "0-1") == nil)
    }

    /// Two tests: domains.prose with p 0, and validation_ce with p 0.2952. bits_per_byte has the p of validation_ce.
    @Test func holmCountsATestOnce() throws {
        let comparison = try CompareSamples.comparison(CompareSamples.four())
        #expect(comparison.testCount == 2)
        let adjusted = comparison.columns.map { comparison.cell(arm: 1, $0)?.adjustedProbability }
        let p = 1 - 2 * Foundation.atan(2.0) / .pi
        #expect(abs((adjusted[0] ?? .nan) - p) < 1e-12)
        #expect(adjusted[1] == 0)
        #expect(adjusted[2] == adjusted[0])
        #expect(adjusted[3] == nil)
        #expect(comparison.cell(arm: 0, .validation) == nil)
    }

    @Test func whatHolmDoubtsIsShownAsASuggestionEverywhere() throws {
        // Differences 0.01, 0.02, ..., 0.05: p = 0.0132 is significant. Holm's correction for eight columns gives 0.106.
        let domains = (1...7).map { MeasuredColumn.domain("d\($0)") }
        let runs = (1...5).flatMap { seed in
            var values = Dictionary(uniqueKeysWithValues: domains.map { ($0, Double(seed)) })
            values[.validation] = 1
            let baseline = CompareSamples.run(
                "c\(seed)", CompareSamples.crossEntropy, seed: UInt64(seed), values: values)
            values[.validation] = 1 + Double(seed) / 100
            // Differences of alternating sign allow no conclusion.
            for domain in domains { values[domain, default: 0] += seed.isMultiple(of: 2) ? 0.01 : -0.01 }
            return [
                baseline, CompareSamples.run("m\(seed)", CompareSamples.mile, seed: UInt64(seed), values: values),
            ]
        }
        let comparison = try CompareSamples.comparison(runs)
        let cell = try #require(comparison.cell(arm: 1, .validation))
        #expect(cell.conclusion == .suggestsWorse)
        // Control: as the only test it is significant.
        #expect(cell.statistics.conclusion(adjustedProbability: cell.statistics.spread?.probability) == .worse)
        let adjusted: Double = cell.adjustedProbability ?? .nan
        let alone: Double = cell.statistics.spread?.probability ?? .nan
        #expect(abs(adjusted - 8 * alone) < 1e-12)
        #expect(
            comparison.notes.contains(
                "Suggestions, which Holm's correction for 8 tests does not confirm and which may be chance: 1."))
        let table = ComparisonTable(comparison)
        #expect(table.rows.compactMap(\.texts.last).filter { $0.contains("worse") } == ["suggests worse"])
        #expect(comparison.json.text.contains(#""verdict": "suggests worse""#))
        #expect(!comparison.json.text.contains(#""verdict": "worse""#))
        let report = HTMLReport(comparison).text
        #expect(report.contains(#"<td class="suggests worse">suggests worse</td>"#))
        #expect(report.contains("worse: none; suggests better: none; suggests worse: validation_ce; no conclusion: "))
    }

    @Test func jsonHasFullPrecision() throws {
        let text = try CompareSamples.comparison(CompareSamples.four()).json.text
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(object["step"] as? Int == 40)
        #expect(object["seeds"] as? [Int] == [1, 2])
        #expect(object["baseline"] as? String == "cross_entropy")
        #expect(object["tests"] as? Int == 2)
        // Compared as text, because JSONSerialization does not read every number exactly.
        #expect(text.contains(#"{"directory": "runs/m2", "seed": 2, "values": {"validation_ce": 1.59, "#))
        let difference: Double = ((1.47 - 1.5) + (1.59 - 1.6)) / 2
        #expect(text.contains(#""difference": \#(difference), "#))
        let cells = try #require(object["comparisons"] as? [[String: Any]])
        #expect(cells.map { $0["column"] as? String } == ["validation_ce", "domains.prose", "bits_per_byte"])
        let keys: Set = [
            "arm", "column", "pairs", "difference", "standard_deviation", "standard_error", "interval", "t", "p",
            "p_holm", "minimum_detectable_difference", "verdict",
        ]
        for cell in cells { #expect(Set(cell.keys) == keys) }
        #expect(cells[1]["t"] is NSNull)
        let arms = try #require(object["arms"] as? [[String: Any]])
        #expect(arms.map { $0["name"] as? String } == ["cross_entropy", "mile 1"])
        #expect(arms.first?["entropy_share"] as? [String: Double] == ["0-1": 0.75, "1-2": 0.25])
    }
}
