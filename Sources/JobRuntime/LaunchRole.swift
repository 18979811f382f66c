// LaunchRole - whether this process is a rank of a job, or was started by hand within a job or after it.

internal import Reporting

/// The ranks that a command needs.
public enum RankNeed: Sendable {
    /// All ranks work.
    case all
    /// Rank 0 does the work; the others help where their launcher has started them for this command.
    case helpers
    /// Rank 0 does everything, without MPI.
    ///
    /// The other ranks end with status 0. Why: a script that every rank runs must go on, and rank 0's status tells the
    /// launcher.
    case one
}

/// The way in which this process was started, judged by the launchers' variables and by the processes above it.
///
/// Why: the environment alone does not tell. A shell inside a job, and one that outlives it, still has the variables,
/// with which MPI waits for ever or cannot start.
///
/// A launcher outside a container is invisible. Then the outermost visible process decides: it has the rank's variable
/// only if the launcher has started it.
enum LaunchRole: Equatable {
    /// A rank: its launcher has started it, as one of several.
    case rank(number: String)
    /// Not a rank of several: this process does the work.
    case single
    /// A process that was started by hand within a running job, with the variable of a rank that is not the first.
    case bystander(variable: String, number: String)

    /// A process's part in a command.
    enum Part: Equatable {
        /// Starts MPI.
        case joins
        case worksAlone
        /// Neither works nor prints, except `note` if there is one.
        case isSilent(note: String?)
    }

    init(_ reader: SystemReader) {
        guard let (variable, number) = reader.launcherVariables.rank else {
            self = .single
            return
        }
        let ancestors = reader.ancestors
        if let parent = ancestors.first, Self.isLauncher(parent) {
            self = (reader.announcement?.ranks ?? 1) > 1 ? .rank(number: number) : .single
        } else if number == "0" {
            self = .single
        } else {
            let isRunning =
                ancestors.contains(where: Self.isLauncher) || reader.hasSessionFolder == true
                || reader.isLauncherHidden
            self = isRunning ? .bystander(variable: variable, number: number) : .single
        }
    }

    /// Whether a process with this name starts ranks: `mpirun`, `mpiexec` and their daemons, Slurm's, MPICH's.
    static func isLauncher(_ name: String) -> Bool {
        ["mpirun", "mpiexec", "orterun", "orted", "prterun", "prted", "prte", "slurmstepd", "hydra_"]
            .contains { name.hasPrefix($0) }
    }

    /// Seconds that a process with wrong arguments gives the first rank to print its message.
    ///
    /// A rank is silent until then, so it waits for as long as a slow node may need to start the first rank. A
    /// bystander has printed a note.
    var patience: UInt32 {
        switch self {
        case .rank: 10
        case .bystander: 1
        case .single: 0
        }
    }

    /// - Parameters:
    ///   - isStranded: whether Open MPI would end the process, because ranks cannot find each other.
    ///   - isRefused: whether the command's arguments are wrong; the first rank prints why.
    func part(in need: RankNeed, isStranded: Bool, isRefused: Bool = false) -> Part {
        switch (need, self) {
        case (.all, _): return .joins
        case (.helpers, .rank) where !isStranded: return .joins
        case (_, .rank(number: "0")), (_, .single): return .worksAlone
        case (_, .rank): return .isSilent(note: nil)
        case (_, .bystander(let variable, let number)):
            let happens = isRefused ? "the arguments are wrong" : "nothing is done here"
            let first = isRefused ? "says what is wrong" : "does the work"
            return .isSilent(
                note: "\(happens): \(variable)=\(number) says that this is not the first rank of its job, which "
                    + "\(first); where it is no rank at all, \(LauncherVariables.removal)")
        }
    }
}

extension SystemReader {
    /// Whether the folder is there that Open MPI or Slurm has made for the job; nil where none is named.
    var hasSessionFolder: Bool? { launcherVariables.sessionFolder.map { exists($0) } }

    /// Names of the visible processes above this one, its parent first.
    var ancestors: [String] { lineage.visible.map(\.name) }

    /// Whether the launcher that has started this process ends all ranks when one fails. `srun` does so only on demand.
    var launcherEndsAllRanks: Bool { ancestors.first.map { !$0.hasPrefix("slurmstepd") } ?? false }

    /// Whether the outermost visible process is a rank of a launcher that cannot be seen from here.
    ///
    /// Why: a container with process numbers of its own hides the launcher, and its first process has the rank's
    /// variable. A shell that outlives its job is below the system's first process, which has none.
    var isLauncherHidden: Bool {
        guard let variable = launcherVariables.rank else { return false }
        let (visible, beyond) = lineage
        // Without the kernel's files nothing is known. The system's first process, which hides from users on some
        // machines, adopts what outlives its parent.
        guard let beyond, beyond != 1 else { return false }
        guard let outermost = visible.last else { return true }
        return hasVariable(variable.name, variable.value, process: outermost.id)
    }

    /// Processes above this one, its parent first, and the number of the first that cannot be seen; 0: there is none.
    private var lineage: (visible: [(id: Int, name: String)], beyond: Int?) {
        var visible: [(id: Int, name: String)] = []
        var process = parent(of: "self")
        while let id = process, id > 0, let name = text("\(proc)/\(id)/comm") {
            visible.append((id, String(name.prefix { $0 != "\n" })))
            process = parent(of: "\(id)")
        }
        return (visible, process)
    }

    /// A warning if the environment is that of a job that has ended; nil otherwise. Why: MPI ends the process then.
    var warningOfLeftovers: String? {
        guard hasSessionFolder == false, let variable = launcherVariables.rank, let parent = ancestors.first,
            !LaunchRole.isLauncher(parent), !isLauncherHidden
        else { return nil }
        return
            "the environment is that of a job that has ended (\(variable.name)=\(variable.value), and PMIX_SERVER_TMPDIR is "
            + "no folder): if MPI does not start, \(LauncherVariables.removal)"
    }

    /// The parent of a process; its name, which stands in parentheses, may hold anything.
    private func parent(of process: String) -> Int? {
        guard let line = text("\(proc)/\(process)/stat"), let end = line.lastIndex(of: ")") else { return nil }
        return line[line.index(after: end)...].split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}
