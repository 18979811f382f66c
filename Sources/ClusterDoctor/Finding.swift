// Finding - a result of a check: severity, text and remedy, with the ranks that it concerns.

/// The checks of `doctor`. The raw values are their names in the output.
package enum Check: String, CaseIterable, Sendable {
    case ranksAlone = "ranks-alone"
    case sharedMemory = "shared-memory"
    case sameProgram = "same-program"
    case sameMachine = "same-machine"

    case oversubscription
    case binding
    case idleCores = "idle-cores"
    case coreQuota = "cpu-quota"

    case blasKernels = "blas-kernels"
    case oneDNNKernels = "onednn-kernels"
    case bfloat16 = "bf16"

    case directory
    case sharedDirectory = "shared-directory"
    case fileLocks = "file-locks"
    case lockVariable = "hdf5-variable"
    case hdf5 = "hdf5"
    case freeSpace = "free-space"
    case freeFiles = "free-files"

    case openFiles = "open-files"
    case fileSize = "file-size"
    case addressSpace = "address-space"
    case coreTime = "cpu-time"
    case lockedMemory = "memlock"
    case memory

    case clocks
    case latency
    case bandwidth
    case interfaces

    /// The condition under which a check can find anything.
    package enum Need: Sendable {
        case nothing
        case configuration
        case ranks
        case nodes
    }

    package var need: Need {
        switch self {
        case .bfloat16, .freeSpace, .freeFiles, .fileSize, .memory: .configuration
        case .sharedMemory, .sameProgram, .sameMachine, .sharedDirectory, .clocks: .ranks
        case .latency, .bandwidth, .interfaces: .nodes
        default: .nothing
        }
    }
}

/// A fault or warning, with all ranks that share it.
package struct Finding: Sendable, Equatable {
    enum Severity: String, Sendable {
        /// The run would fail, or would compute something else than its configuration says.
        case fault
        /// The run would be slower than the machine allows, or is at risk.
        case warning
    }

    /// Severity, text and remedy.
    package struct Verdict: Hashable, Sendable {
        var severity: Severity
        package var what: String
        package var remedy: String

        package static func fault(_ what: String, remedy: String) -> Self {
            Self(severity: .fault, what: what, remedy: remedy)
        }
        package static func warning(_ what: String, remedy: String) -> Self {
            Self(severity: .warning, what: what, remedy: remedy)
        }
    }

    package let check: Check
    package let verdict: Verdict
    /// Rank numbers, ascending.
    package let ranks: [Int]

    /// Runs `judge` on every rank and groups the ranks with equal results, in the order of their first ranks.
    package static func grouped(_ check: Check, _ all: [NodeFacts], _ judge: (NodeFacts) -> Verdict?) -> [Finding] {
        var order: [Verdict] = []
        var ranks: [Verdict: [Int]] = [:]
        for facts in all {
            guard let verdict = judge(facts) else { continue }
            if ranks[verdict] == nil { order.append(verdict) }
            ranks[verdict, default: []].append(facts.rank)
        }
        return order.map { Finding(check: check, verdict: $0, ranks: ranks[$0] ?? []) }
    }

    /// Runs `judge` once per node on the ranks of the node, and groups the ranks with equal results.
    package static func grouped(
        _ check: Check, nodesOf all: [NodeFacts], _ judge: ([NodeFacts]) -> Verdict?
    ) -> [Finding] {
        var verdicts: [Int: Verdict] = [:]
        for node in all.byHost {
            guard let verdict = judge(node) else { continue }
            for facts in node { verdicts[facts.rank] = verdict }
        }
        return grouped(check, all) { verdicts[$0.rank] }
    }

    /// Runs all checks; faults come first.
    package static func all(of facts: [NodeFacts]) -> [Finding] {
        let findings =
            LaunchJudgement.findings(facts) + CoreJudgement.findings(facts) + ProcessorJudgement.findings(facts)
            + StorageJudgement.findings(facts) + LimitJudgement.findings(facts) + NetworkJudgement.findings(facts)
        return findings.filter { $0.verdict.severity == .fault } + findings.filter { $0.verdict.severity == .warning }
    }
}
