// Finding - what `doctor` has found wrong: where, how bad, and what to do about it.

internal import LinearAlgebra

/// Everything that is looked at. The raw values are names in the output.
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

    /// What a check needs, beside a rank, to say anything.
    package enum Need: Sendable {
        case nothing
        case configuration
        case ranks
        case nodes
    }

    /// The check that a BLAS backend uses the vector units: its own one, or the one of BLAS in general.
    static func kernels(of backend: any BLASBackend) -> Check {
        Check(rawValue: "\(backend.name)-kernels") ?? .blasKernels
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

/// Something that is wrong on some ranks.
package struct Finding: Sendable, Equatable {
    enum Severity: String, Sendable {
        /// A run would fail, or would not be the run that was asked for.
        case fault
        /// A run would be slower than the machine allows, or is at risk.
        case warning
    }

    /// What is said of a rank; ranks of which the same is said share a finding.
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
    /// Ascending.
    package let ranks: [Int]

    /// One finding for all ranks of which `judge` says the same, in the order of their first ranks.
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

    /// The same for verdicts about whole nodes.
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

    /// Everything that is wrong, faults first.
    package static func all(of facts: [NodeFacts]) -> [Finding] {
        let findings =
            LaunchJudgement.findings(facts) + CoreJudgement.findings(facts) + ProcessorJudgement.findings(facts)
            + StorageJudgement.findings(facts) + LimitJudgement.findings(facts) + NetworkJudgement.findings(facts)
        return findings.filter { $0.verdict.severity == .fault } + findings.filter { $0.verdict.severity == .warning }
    }
}
