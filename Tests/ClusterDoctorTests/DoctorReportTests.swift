// DoctorReportTests - text and JSON of a report.

import Foundation
import Testing

@testable import ClusterDoctor
@testable import Reporting

@Suite struct DoctorReportTests {
    @Test func aHealthyNodeIsOneLine() throws {
        let report = DoctorReport([HealthyFacts.one])
        let line = try #require(report.lines.first)
        #expect(report.lines.count == 1)
        #expect(line.hasPrefix("healthy: ") && line.contains(" checks, no findings; 1 rank on node0 ("), "\(line)")
        #expect(line.contains("more need several ranks") && line.contains("more need several nodes"), "\(line)")
        #expect(!line.contains("CONFIG"), "\(line)")
    }

    @Test func countsAddUp() {
        // One rank without configuration has the fewest checks, a job on several nodes has all.
        var bare = HealthyFacts.one
        bare.plan = nil
        func count(_ facts: [NodeFacts]) -> Int? {
            DoctorReport(facts).lines.last.flatMap { $0.firstMatch(of: /healthy: (\d+) checks/) }.flatMap { Int($0.1) }
        }
        let all = HealthyFacts.job(nodes: 2, perNode: 2)
        #expect(count(all) == Check.allCases.count)
        #expect(count([bare]) == Check.allCases.count { $0.need == .nothing })
        #expect(!DoctorReport(all).lines[0].contains("more need"))
    }

    private func spoiled() -> [NodeFacts] {
        var facts = HealthyFacts.job(nodes: 2, perNode: 2)
        for rank in 2...3 { facts[rank].limits.openFiles = 10 }
        facts[0].limits.coreTime = 60
        return facts
    }

    @Test func findingsNamePlaceAndRemedy() {
        let lines = DoctorReport(spoiled()).lines
        #expect(lines.count == 7)
        #expect(lines[0].hasPrefix("fault: open-files: at most 10 files can be open (ulimit -n); 4 ranks may need 72"))
        #expect(lines[1] == "  where: ranks 2-3 on node1")
        #expect(lines[2] == "  remedy: ulimit -n 4096 before the launcher starts, on every node")
        #expect(lines[3].hasPrefix("warning: cpu-time: "))
        #expect(lines[4] == "  where: rank 0 on node0")
        #expect(lines[6].hasPrefix("1 fault and 1 warning in "))
        #expect(lines[6].hasSuffix("4 ranks on 2 nodes"))
    }

    @Test func warningsFailOnlyIfStrict() {
        var facts = HealthyFacts.one
        #expect(!DoctorReport([facts]).hasFailed(strict: false) && !DoctorReport([facts]).hasFailed(strict: true))
        facts.limits.coreTime = 60
        #expect(!DoctorReport([facts]).hasFailed(strict: false) && DoctorReport([facts]).hasFailed(strict: true))
        facts.limits.openFiles = 10
        #expect(DoctorReport([facts]).hasFailed(strict: false))
    }

    @Test func factsAreGroupedByValue() {
        let lines = DoctorReport(spoiled()).factLines
        func rows(_ name: String) -> [String] { lines.filter { $0.hasPrefix(name + " ") } }
        #expect(rows("MPI").count == 1 && rows("MPI")[0].hasSuffix(" Open MPI v4.1.4, threads FUNNELED"))
        #expect(rows("limits").count == 3)
        #expect(rows("limits")[1].hasSuffix("(rank 1 on node0)"), "\(rows("limits"))")
        #expect(rows("limits")[2].hasSuffix("(ranks 2-3 on node1)"))
    }

    /// The ranks of a node read different amounts of free memory. The report has the first rank's number.
    @Test func factsOfNodesAreSaidOnce() {
        var facts = HealthyFacts.job(nodes: 2, perNode: 2)
        for rank in 0..<4 { facts[rank].limits.availableMemory = (20 + rank) << 30 }
        let rows = DoctorReport(facts).factLines.filter { $0.hasPrefix("memory ") }
        #expect(rows.count == 2)
        #expect(rows[0].hasSuffix(" 20 GiB free (ranks 0-1 on node0)"), "\(rows)")
        #expect(rows[1].hasSuffix(" 22 GiB free (ranks 2-3 on node1)"), "\(rows)")
    }

    @Test(arguments: [
        (0, "0 bytes"), (10239, "10,239 bytes"), (10240, "10 KiB"), (420_480, "410 KiB"), (10 << 20, "10 MiB"),
        (5000 << 30, "5,000 GiB"),
    ])
    func sizes(bytes: Int, text: String) { #expect(ByteText.of(bytes) == text) }

    @Test func jsonSaysTheSame() throws {
        struct Text: Decodable {
            struct Finding: Decodable, Equatable {
                let check, severity, what, `where`, remedy: String
                let ranks: [Int]
            }
            struct Fact: Decodable { let name, value: String; let ranks: [Int] }
            let ranks, nodes, checks, faults, warnings: Int
            let findings: [Finding]
            let facts: [Fact]
        }
        let report = DoctorReport(spoiled())
        let text = try JSONDecoder().decode(Text.self, from: Data(report.json.text.utf8))
        #expect(text.ranks == 4 && text.nodes == 2 && text.faults == 1 && text.warnings == 1)
        #expect(text.checks == Check.allCases.count)
        #expect(text.findings.map(\.check) == ["open-files", "cpu-time"])
        #expect(text.findings.map(\.severity) == ["fault", "warning"])
        #expect(text.findings[0].ranks == [2, 3] && text.findings[0].where == "ranks 2-3 on node1")
        #expect(text.findings[0].remedy == report.results[0].diagnosis.remedy)
        #expect(text.facts.first { $0.name == "MPI" }?.ranks == [0, 1, 2, 3])
    }

    /// Facts are equal after encoding and decoding.
    @Test func factsSurviveTheirJourney() throws {
        for facts in spoiled() {
            #expect(try JSONDecoder().decode(NodeFacts.self, from: try JSONEncoder().encode(facts)) == facts)
        }
    }
}
