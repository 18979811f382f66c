// CheckResult - a diagnosis with the check that made it and the ranks that it concerns.

/// The diagnosis of a rank or node: severity, text and remedy.
struct Diagnosis: Hashable, Sendable {
    enum Severity: String, Sendable {
        /// The run would fail, or would compute something else than its configuration says.
        case fault
        /// The run would be slower than the machine allows, or is at risk.
        case warning
    }

    var severity: Severity
    var what: String
    var remedy: String

    static func fault(_ what: String, remedy: String) -> Self {
        Self(severity: .fault, what: what, remedy: remedy)
    }
    static func warning(_ what: String, remedy: String) -> Self {
        Self(severity: .warning, what: what, remedy: remedy)
    }
}

/// A fault or warning, with all ranks that share it.
struct CheckResult: Sendable, Equatable {
    let check: Check
    let diagnosis: Diagnosis
    /// Rank numbers, ascending.
    let ranks: [Int]

    /// Runs `diagnose` on every rank and groups the ranks with equal results, in the order of their first ranks.
    static func grouped(_ check: Check, _ all: [NodeFacts], _ diagnose: (NodeFacts) -> Diagnosis?) -> [CheckResult] {
        var order: [Diagnosis] = []
        var ranks: [Diagnosis: [Int]] = [:]
        for facts in all {
            guard let diagnosis = diagnose(facts) else { continue }
            if ranks[diagnosis] == nil { order.append(diagnosis) }
            ranks[diagnosis, default: []].append(facts.rank)
        }
        return order.map { CheckResult(check: check, diagnosis: $0, ranks: ranks[$0] ?? []) }
    }

    /// Runs `diagnose` once per node on the ranks of the node, and groups the ranks with equal results.
    static func grouped(
        _ check: Check, nodesOf all: [NodeFacts], _ diagnose: ([NodeFacts]) -> Diagnosis?
    ) -> [CheckResult] {
        var diagnoses: [Int: Diagnosis] = [:]
        for node in all.byHost {
            guard let diagnosis = diagnose(node) else { continue }
            for facts in node { diagnoses[facts.rank] = diagnosis }
        }
        return grouped(check, all) { diagnoses[$0.rank] }
    }
}
