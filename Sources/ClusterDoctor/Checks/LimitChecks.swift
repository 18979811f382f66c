// LimitChecks - checks of resource limits and of memory against the needs of a run.

internal import Kernels

enum LimitChecks {
    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        CheckResult.grouped(.openFiles, all, tooFewFiles) + CheckResult.grouped(.fileSize, all, tooShortFiles)
            + CheckResult.grouped(.addressSpace, all, tooLittleAddressSpace)
            + CheckResult.grouped(.memory, nodesOf: all, tooLittleMemory)
            + CheckResult.grouped(.coreTime, all, endsSoon)
            + CheckResult.grouped(.lockedMemory, all, cannotRegister)
    }

    /// File descriptors of a rank: a connection to every rank, a shard of every rank, and 64 for libraries.
    static func filesNeeded(ranks: Int) -> Int { 64 + 2 * ranks }

    private static func tooFewFiles(_ facts: NodeFacts) -> Diagnosis? {
        let needed = filesNeeded(ranks: facts.size)
        guard let limit = facts.limits.openFiles, limit < needed else { return nil }
        let hard = facts.limits.openFilesHard
        return .fault(
            "at most \(limit) files can be open (ulimit -n); \(facts.size) rank\(facts.size == 1 ? "" : "s") may need \(needed)",
            remedy: hard.map { $0 < needed } ?? false
                ? "have the hard limit raised (/etc/security/limits.conf: nofile; Slurm: PropagateResourceLimits)"
                : "ulimit -n \(hard.map { min($0, 65536) } ?? 65536) before the launcher starts, on every node")
    }

    private static func tooShortFiles(_ facts: NodeFacts) -> Diagnosis? {
        guard let plan = facts.plan, let limit = facts.limits.fileSize, limit < plan.shardBytes else { return nil }
        return .fault(
            "files may have \(ByteText.of(limit)) (ulimit -f); a shard of a checkpoint takes "
                + ByteText.of(plan.shardBytes),
            remedy: "ulimit -f unlimited before the launcher starts, on every node")
    }

    private static func tooLittleAddressSpace(_ facts: NodeFacts) -> Diagnosis? {
        guard let limit = facts.limits.addressSpace else { return nil }
        let needed =
            facts.limits.virtualBytes + AddressSpace.bytes(threads: facts.cores.threads) + AddressSpace.reserveBytes
            + (facts.plan?.memoryBytes ?? 0)
        guard limit < needed else { return nil }
        return .fault(
            "a process may have \(ByteText.of(limit)) of address space (\(AddressSpace.limitNames)); a rank with "
                + "\(facts.cores.threads) thread\(facts.cores.threads == 1 ? "" : "s") takes \(ByteText.of(needed))",
            remedy: "ulimit -v unlimited before the launcher starts, on every node; or fewer threads")
    }

    private static func tooLittleMemory(_ node: [NodeFacts]) -> Diagnosis? {
        let needed = node.reduce(0) { $0 + ($1.plan?.memoryBytes ?? 0) }
        let limits = node[0].limits
        let sources = [
            (limits.availableMemory, "are free", "run on more nodes"),
            (
                limits.groupMemory, "are left to the job's control group",
                "ask for more memory (Slurm --mem, docker --memory)"
            ),
            (
                limits.commitMemory, "may still be promised (vm.overcommit_memory=2)",
                "have vm.overcommit_memory set to 0, or run on more nodes"
            ),
        ]
        let tightest = sources.compactMap { bytes, words, remedy in bytes.map { ($0, words, remedy) } }
            .min { $0.0 < $1.0 }
        guard let (bytes, words, remedy) = tightest, needed > bytes else { return nil }
        return .fault(
            "\(node.count == 1 ? "the rank" : "the node's \(node.count) ranks") will take "
                + "\(ByteText.of(needed)) of memory; \(ByteText.of(bytes)) \(words)",
            remedy:
                "\(remedy), start fewer ranks with more threads each, or choose a smaller training.micro_batch_size, "
                + "activation_checkpointing: layer or precision: bf16")
    }

    private static func endsSoon(_ facts: NodeFacts) -> Diagnosis? {
        guard let limit = facts.limits.coreTime else { return nil }
        return .warning(
            "the system ends a process after \(limit) s of processor time (ulimit -t), all threads together",
            remedy: "ulimit -t unlimited, or a batch job: login nodes often have such a limit")
    }

    /// InfiniBand cards need locked memory, because they read and write it themselves.
    private static func cannotRegister(_ facts: NodeFacts) -> Diagnosis? {
        guard !facts.limits.infiniband.isEmpty, let limit = facts.limits.lockedMemory else { return nil }
        return .warning(
            "at most \(ByteText.of(limit)) of memory can be locked (ulimit -l), and "
                + "\(facts.limits.infiniband.joined(separator: ", ")) need\(facts.limits.infiniband.count == 1 ? "s" : "") "
                + "locked memory: MPI may fall back to TCP or fail",
            remedy:
                "ulimit -l unlimited (/etc/security/limits.conf: memlock; Slurm: PropagateResourceLimitsExcept=MEMLOCK, and "
                + "LimitMEMLOCK=infinity for slurmd)")
    }
}
