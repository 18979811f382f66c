// CoreChecks - checks of cores and threads: binding, oversubscription, idle cores, quota.

enum CoreChecks {
    static func results(_ all: [NodeFacts]) -> [CheckResult] {
        CheckResult.grouped(.binding, all, tooFewCores)
            + CheckResult.grouped(.oversubscription, nodesOf: all, tooManyThreads)
            + CheckResult.grouped(.idleCores, nodesOf: all, idle)
            + CheckResult.grouped(.coreQuota, nodesOf: all, overQuota)
    }

    /// A rank with more threads than cores that it is bound to.
    private static func tooFewCores(_ facts: NodeFacts) -> Diagnosis? {
        let (threads, cores) = (facts.cores.threads, facts.cores.allowed.count)
        guard threads > cores else { return nil }
        return .warning(
            "\(threads) threads per rank on \(cores) core\(cores == 1 ? "" : "s") (bound to \(NumberRanges.text(facts.cores.allowed)))",
            remedy:
                "mpirun --map-by socket:PE=\(threads) --bind-to core or srun --cpus-per-task=\(threads) --cpu-bind=cores "
                + "binds a rank to \(threads); or set training.threads=\(cores), or 0 for as many as there are")
    }

    /// Ranks of a node that together have more threads than cores.
    ///
    /// The check compares each rank's set of cores with all ranks bound inside the set, smallest set first.
    private static func tooManyThreads(_ node: [NodeFacts]) -> Diagnosis? {
        let sets = node.map { Set($0.cores.allowed) }
        let everything = sets.reduce(into: Set<Int>()) { $0.formUnion($1) }
        for cores in (sets + [everything]).sorted(by: { $0.count < $1.count }) {
            let inside = node.indices.filter { sets[$0].isSubset(of: cores) }
            // The check `binding` reports a rank with more threads than cores, so a rank counts at most its cores.
            let busy = inside.reduce(0) { $0 + min(node[$1].cores.threads, sets[$1].count) }
            guard busy > cores.count else { continue }
            let threads = inside.reduce(0) { $0 + node[$1].cores.threads }
            // Whether the node has more cores than this set: those of other ranks, or idle cores of mpirun.
            let isPart = cores.count < everything.union(node[0].cores.ofLauncher ?? []).count
            return .warning(
                "\(inside.count) ranks with \(threads) threads together share \(cores.count) "
                    + "core\(cores.count == 1 ? "" : "s") (\(NumberRanges.text(cores.sorted())))",
                remedy: isPart
                    ? "bind every rank to cores of its own: mpirun --map-by socket:PE=N --bind-to core, or srun --cpu-bind=cores"
                    : "start fewer ranks per node, or set training.threads so that ranks x threads are at most \(cores.count)"
            )
        }
        return nil
    }

    /// Cores of `mpirun` that no rank is bound to.
    ///
    /// Why it happens: by default `mpirun` binds each of one or two ranks to a single core.
    private static func idle(_ node: [NodeFacts]) -> Diagnosis? {
        guard let given = node[0].cores.ofLauncher else { return nil }
        let used = node.reduce(into: Set<Int>()) { $0.formUnion($1.cores.allowed) }
        let idle = Set(given).subtracting(used)
        guard !idle.isEmpty else { return nil }
        return .warning(
            "\(idle.count) of the \(given.count) cores that mpirun has are bound to no rank (\(NumberRanges.text(idle.sorted())))",
            remedy:
                "mpirun binds each of one or two ranks to one core unless told otherwise: --bind-to none, --bind-to socket, or "
                + "--map-by socket:PE=\(max(given.count / node.count, 1)) --bind-to core")
    }

    private static func overQuota(_ node: [NodeFacts]) -> Diagnosis? {
        guard let quota = node.compactMap(\.cores.quota).min() else { return nil }
        let threads = node.reduce(0) { $0 + $1.cores.threads }
        guard Double(threads) > quota else { return nil }
        return .warning(
            "\(threads) threads, but the control group allows \(quota) cores: they are stopped again and again",
            remedy:
                "ask for more (docker run --cpus, Kubernetes limits.cpu, Slurm --cpus-per-task), or set training.threads so "
                + "that ranks x threads are at most \(max(Int(quota), 1))")
    }
}
