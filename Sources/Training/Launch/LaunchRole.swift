// LaunchRole - whether this process is a rank of a job, or one that somebody has started within a job or after it.

/// What a command needs of the job's ranks.
public enum RankNeed: Sendable {
    /// All of them work.
    case all
    /// Rank 0 does the work; the others help where their launcher has started them for this command.
    case helpers
    /// Rank 0 does everything, without MPI.
    case one
}

/// How this process came to be, by what launchers put into the environment and by the processes above it.
///
/// Why: the environment alone does not tell. A shell inside a job, and one that outlives it, still has the variables, with
/// which MPI waits for ever or cannot start.
enum LaunchRole: Equatable {
    /// Its launcher has started it, as one of several.
    case rank(number: String)
    /// Not a rank: whoever has started it wants this process to do the work.
    case single
    /// Somebody's process within a running job, whose rank, not the first, has the variable.
    case bystander(variable: String, number: String)

    /// A process's part in a command.
    enum Part: Equatable {
        /// Starts MPI.
        case joins
        case worksAlone
        /// - note: what to say, if anything.
        case isSilent(note: String?)
    }

    /// Variables in which launchers number their ranks: Open MPI's `mpirun`, PMIx, PMI and Slurm.
    static let rankVariables = ["OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"]

    init(_ reader: FactReader) {
        guard let (variable, number) = reader.rankVariable else {
            self = .single
            return
        }
        let ancestors = reader.ancestors
        if let parent = ancestors.first, Self.isLauncher(parent) {
            self = (reader.announcement?.ranks ?? 1) > 1 ? .rank(number: number) : .single
        } else if number == "0" {
            self = .single
        } else {
            let isRunning = ancestors.contains(where: Self.isLauncher) || reader.hasSessionFolder == true
            self = isRunning ? .bystander(variable: variable, number: number) : .single
        }
    }

    /// Whether a process with this name starts ranks: `mpirun`, `mpiexec` and their daemons, Slurm's, MPICH's.
    static func isLauncher(_ name: String) -> Bool {
        ["mpirun", "mpiexec", "orterun", "orted", "prterun", "prted", "prte", "slurmstepd", "hydra_"]
            .contains { name.hasPrefix($0) }
    }

    /// - Parameter isStranded: whether Open MPI would end the process, because ranks cannot find each other.
    func part(in need: RankNeed, isStranded: Bool) -> Part {
        switch (need, self) {
        case (.all, _): return .joins
        case (.helpers, .rank) where !isStranded: return .joins
        case (_, .rank(number: "0")), (_, .single): return .worksAlone
        case (_, .rank): return .isSilent(note: nil)
        case (_, .bystander(let variable, let number)):
            return .isSilent(
                note:
                    "nothing is done here: \(variable)=\(number) says that this is not the first rank of its job, which does "
                    + "the work; where it is no rank at all, unset ${!PMIX_*} ${!OMPI_*} ${!PMI_*} ${!SLURM_*}")
        }
    }
}

extension FactReader {
    /// The first of the launchers' variables that numbers this rank, and its value.
    var rankVariable: (name: String, value: String)? {
        LaunchRole.rankVariables.lazy.compactMap { name in environment[name].map { (name, $0) } }.first
    }

    /// Whether the folder is there that Open MPI or Slurm has made for the job; nil where none is named.
    var hasSessionFolder: Bool? { environment["PMIX_SERVER_TMPDIR"].map { exists($0) } }

    /// Names of the processes above this one, its parent first, as far as they can be seen.
    var ancestors: [String] {
        var names: [String] = []
        var process = parent(of: "self")
        while let id = process, id > 0, let name = text("\(proc)/\(id)/comm") {
            names.append(String(name.prefix { $0 != "\n" }))
            process = parent(of: "\(id)")
        }
        return names
    }

    /// What to say before MPI is started with the variables of a job that has ended, because MPI ends the process then.
    var warningOfLeftovers: String? {
        guard hasSessionFolder == false, let variable = rankVariable, let parent = ancestors.first,
            !LaunchRole.isLauncher(parent)
        else { return nil }
        return
            "the environment is that of a job that has ended (\(variable.name)=\(variable.value), and PMIX_SERVER_TMPDIR is "
            + "no folder): if MPI does not start, unset ${!PMIX_*} ${!OMPI_*}"
    }

    /// The parent of a process; its name, which stands in parentheses, may hold anything.
    private func parent(of process: String) -> Int? {
        guard let line = text("\(proc)/\(process)/stat"), let end = line.lastIndex(of: ")") else { return nil }
        return line[line.index(after: end)...].split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}
