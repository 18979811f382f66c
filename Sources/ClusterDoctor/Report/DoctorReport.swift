// DoctorReport - the output of `doctor` as text and as JSON: faults and warnings with remedies, a summary, facts.

internal import Foundation
internal import MessagePassing
package import Reporting

/// Facts of a job, and the results of all checks.
package struct DoctorReport {
    let facts: [NodeFacts]
    let results: [CheckResult]

    package init(_ facts: [NodeFacts]) {
        self.facts = facts
        results = CheckResult.all(of: facts)
    }

    /// Whether `doctor` ends with status 1: with a fault, or if `strict` with any result.
    package func hasFailed(strict: Bool) -> Bool { faultCount > 0 || strict && !results.isEmpty }

    var faultCount: Int { results.count { $0.diagnosis.severity == .fault } }
    var warningCount: Int { results.count - faultCount }

    // MARK: Text

    /// Three lines for each fault or warning, and the summary.
    package var lines: [String] {
        results.flatMap { result in
            Self.lines(result.diagnosis, result.check, place: place(result.ranks))
        } + [summary]
    }

    static func lines(_ diagnosis: Diagnosis, _ check: Check, place: String) -> [String] {
        [
            "\(diagnosis.severity.rawValue): \(check.rawValue): \(diagnosis.what)", "  where: \(place)",
            "  remedy: \(diagnosis.remedy)",
        ]
    }

    private var summary: String {
        let count = checks.count
        guard !results.isEmpty else { return "healthy: \(count) checks, no findings; \(job)\(more)" }
        return
            "\(Self.counted(faultCount, "fault")) and \(Self.counted(warningCount, "warning")) in \(count) checks; \(job)\(more)"
    }

    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private var job: String {
        let (ranks, nodes) = (facts.count, facts.nodeCount)
        let nodeText = nodes == 1 ? "on \(facts.first?.host ?? "")" : "on \(nodes) nodes"
        return "\(Self.counted(ranks, "rank")) \(nodeText)"
    }

    /// The checks whose condition holds in this job.
    private var checks: [Check] {
        Check.allCases.filter { check in
            switch check.need {
            case .nothing: true
            case .configuration: facts.contains { $0.plan != nil }
            case .ranks: facts.count > 1
            case .nodes: facts.nodeCount > 1
            }
        }
    }

    /// Text on the checks whose condition does not hold, such as ` (3 more need several nodes)`.
    private var more: String {
        let missing = Check.allCases.filter { !checks.contains($0) }
        let parts = [(Check.Need.configuration, "a CONFIG"), (.ranks, "several ranks"), (.nodes, "several nodes")]
            .compactMap { need, words -> String? in
                let count = missing.count { $0.need == need }
                return count > 0 ? "\(count) more need \(words)" : nil
            }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    }

    /// `rank 1 on node2`, `ranks 0-3 on node1, node2`; a job of one rank is named by its host alone.
    private func place(_ ranks: [Int]) -> String {
        var hosts: [String] = []
        for rank in ranks where !hosts.contains(facts[rank].host) { hosts.append(facts[rank].host) }
        let shown = hosts.prefix(8).joined(separator: ", ") + (hosts.count > 8 ? " and \(hosts.count - 8) more" : "")
        if facts.count == 1 { return shown }
        return "rank\(ranks.count == 1 ? "" : "s") \(NumberRanges.text(ranks)) on \(shown)"
    }

    // MARK: Facts

    /// The rows of facts: name, value and ranks. A name has a row for each of its values.
    private var sheet: [(name: String, value: String, ranks: [Int])] {
        let firsts = Dictionary(facts.map { ($0.host, $0) }) { first, _ in first }
        return FactSheet.names.flatMap { name -> [(name: String, value: String, ranks: [Int])] in
            var order: [String] = []
            var ranks: [String: [Int]] = [:]
            for facts in facts {
                let source = FactSheet.ofNodes.contains(name) ? firsts[facts.host] ?? facts : facts
                guard let value = FactSheet.value(name, source) else { continue }
                if ranks[value] == nil { order.append(value) }
                ranks[value, default: []].append(facts.rank)
            }
            return order.map { (name, $0, ranks[$0] ?? []) }
        }
    }

    /// The facts as lines. Ranks are named where values differ.
    package var factLines: [String] {
        let width = FactSheet.names.map(\.count).max() ?? 0
        return sheet.map { row in
            let place = row.ranks.count == facts.count ? "" : " (\(place(row.ranks)))"
            return "\(row.name.padding(toLength: width, withPad: " ", startingAt: 0))  \(row.value)\(place)"
        }
    }

    // MARK: JSON

    package var json: JSONValue {
        func numbers(_ ranks: [Int]) -> JSONValue { .array(ranks.map { .integer($0) }) }
        return .object([
            ("ranks", .integer(facts.count)), ("nodes", .integer(facts.nodeCount)), ("checks", .integer(checks.count)),
            ("faults", .integer(faultCount)), ("warnings", .integer(warningCount)),
            (
                "findings",
                .array(
                    results.map { result in
                        .object([
                            ("check", .string(result.check.rawValue)),
                            ("severity", .string(result.diagnosis.severity.rawValue)),
                            ("what", .string(result.diagnosis.what)), ("ranks", numbers(result.ranks)),
                            ("where", .string(place(result.ranks))), ("remedy", .string(result.diagnosis.remedy)),
                        ])
                    })
            ),
            (
                "facts",
                .array(
                    sheet.map { row in
                        .object([
                            ("name", .string(row.name)), ("value", .string(row.value)), ("ranks", numbers(row.ranks)),
                        ])
                    })
            ),
        ])
    }
}
