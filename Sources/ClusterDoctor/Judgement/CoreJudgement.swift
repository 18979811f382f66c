// CoreJudgement - has every thread a core, and every core a thread?

internal import Primitives

enum CoreJudgement {
    static func findings(_ all: [NodeFacts]) -> [Finding] {
        Finding.grouped(.binding, all, tooFewCores) + Finding.grouped(.oversubscription, nodesOf: all, tooManyThreads)
            + Finding.grouped(.idleCores, nodesOf: all, idle) + Finding.grouped(.coreQuota, nodesOf: all, overQuota)
    }

    /// A rank whose own threads do not fit the cores that it is bound to.
    private static func tooFewCores(_ facts: NodeFacts) -> Finding.Verdict? {
        let (threads, cores) = (facts.cores.threads, facts.cores.allowed.count)
        guard threads > cores else { return nil }
        return .warning(
            "\(threads) threads per rank on \(cores) core\(cores == 1 ? "" : "s") (bound to \(list(facts.cores.allowed)))",
            remedy:
                "mpirun --map-by socket:PE=\(threads) --bind-to core or srun --cpus-per-task=\(threads) --cpu-bind=cores "
                + "binds a rank to \(threads); or set training.threads=\(cores), or 0 for as many as there are")
    }

    /// Ranks that are bound to the same cores and together have more threads than there are: judged for each set of cores
    /// that a rank is bound to, with all ranks that cannot leave it.
    private static func tooManyThreads(_ node: [NodeFacts]) -> Finding.Verdict? {
        let sets = node.map { Set($0.cores.allowed) }
        let everything = sets.reduce(into: Set<Int>()) { $0.formUnion($1) }
        for cores in (sets + [everything]).sorted(by: { $0.count < $1.count }) {
            let inside = node.indices.filter { sets[$0].isSubset(of: cores) }
            // More threads of a rank than it has cores are the finding above.
            let busy = inside.reduce(0) { $0 + min(node[$1].cores.threads, sets[$1].count) }
            guard busy > cores.count else { continue }
            let threads = inside.reduce(0) { $0 + node[$1].cores.threads }
            // Others are to be had: of other ranks, or that mpirun has given to none.
            let isPart = cores.count < everything.union(node[0].cores.ofLauncher ?? []).count
            return .warning(
                "\(inside.count) ranks with \(threads) threads together share \(cores.count) "
                    + "core\(cores.count == 1 ? "" : "s") (\(list(cores.sorted())))",
                remedy: isPart
                    ? "bind every rank to cores of its own: mpirun --map-by socket:PE=N --bind-to core, or srun --cpu-bind=cores"
                    : "start fewer ranks per node, or set training.threads so that ranks x threads are at most \(cores.count)"
            )
        }
        return nil
    }

    /// Cores that `mpirun` was given and no rank may use: its default binding, a core to each of one or two ranks.
    private static func idle(_ node: [NodeFacts]) -> Finding.Verdict? {
        guard let given = node[0].cores.ofLauncher else { return nil }
        let used = node.reduce(into: Set<Int>()) { $0.formUnion($1.cores.allowed) }
        let idle = Set(given).subtracting(used)
        guard !idle.isEmpty else { return nil }
        return .warning(
            "\(idle.count) of the \(given.count) cores that mpirun has are bound to no rank (\(list(idle.sorted())))",
            remedy:
                "mpirun binds each of one or two ranks to one core unless told otherwise: --bind-to none, --bind-to socket, or "
                + "--map-by socket:PE=\(max(given.count / node.count, 1)) --bind-to core")
    }

    private static func overQuota(_ node: [NodeFacts]) -> Finding.Verdict? {
        guard let quota = node.compactMap(\.cores.quota).min() else { return nil }
        let threads = node.reduce(0) { $0 + $1.cores.threads }
        guard Double(threads) > quota else { return nil }
        return .warning(
            "\(threads) threads, but the control group allows \(quota) cores: they are stopped again and again",
            remedy:
                "ask for more (docker run --cpus, Kubernetes limits.cpu, Slurm --cpus-per-task), or set training.threads so "
                + "that ranks x threads are at most \(max(Int(quota), 1))")
    }

    /// `0-3,8`.
    static func list(_ numbers: [Int]) -> String {
        consecutiveRuns(numbers).map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
