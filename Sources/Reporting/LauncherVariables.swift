// LauncherVariables - the variables that launchers put into the environment of their processes.

internal import Foundation

/// The launchers' variables in the environment of a process.
package struct LauncherVariables {
    /// A kind of launcher.
    package enum Launcher: String, Codable, Sendable {
        case openMPI
        /// MPICH's, Intel's and other launchers that speak PMI.
        case pmi
        case slurm
    }

    /// The number of ranks that a launcher has started, as its variable says.
    package struct Announcement: Codable, Sendable, Equatable {
        package var launcher: Launcher
        /// The variable that says so.
        package var variable: String
        package var ranks: Int

        package init(launcher: Launcher, variable: String, ranks: Int) {
            self.launcher = launcher
            self.variable = variable
            self.ranks = ranks
        }
    }

    /// Names of one launcher's variables.
    struct Names {
        let launcher: Launcher
        /// Variables that number a rank, from 0; the first one that is set counts.
        let ranks: [String]
        /// The variable that counts the ranks.
        let size: String
        /// A variable that counts the ranks of a job, which need not have been started: the script of a batch job has
        /// it too.
        var jobSize: String?

        /// Variables that count ranks.
        var sizes: [String] { [size] + [jobSize].compactMap(\.self) }
    }

    /// Launchers in the order in which they are asked: an inner one may run within the job of an outer one.
    static let table = [
        Names(launcher: .openMPI, ranks: [mpirunRank, "PMIX_RANK"], size: "OMPI_COMM_WORLD_SIZE"),
        Names(launcher: .pmi, ranks: ["PMI_RANK"], size: "PMI_SIZE"),
        Names(launcher: .slurm, ranks: ["SLURM_PROCID"], size: "SLURM_STEP_NUM_TASKS", jobSize: "SLURM_NTASKS"),
    ]

    /// The variable that only Open MPI's `mpirun` sets.
    private static let mpirunRank = "OMPI_COMM_WORLD_RANK"
    /// Variables by which ranks of `srun` find each other; one of them suffices.
    private static let meetingPoints = ["PMIX_NAMESPACE", "PMIX_RANK", "PMI_FD", "PMI_RANK"]

    /// The shell command that removes all launchers' variables.
    package static let removal = "unset ${!PMIX_*} ${!OMPI_*} ${!PMI_*} ${!SLURM_*}"

    private let environment: [String: String]

    package init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
        self.environment = environment
    }

    /// Names of the variables in which a launcher counts its ranks.
    package static func sizes(of launcher: Launcher) -> [String] {
        table.filter { $0.launcher == launcher }.flatMap(\.sizes)
    }

    /// The first variable that numbers this rank, and its value.
    package var rank: (name: String, value: String)? {
        for name in Self.table.flatMap(\.ranks) {
            if let value = environment[name] { return (name, value) }
        }
        return nil
    }

    /// The number of ranks that the launcher has started; nil if no variable says it.
    package var announcement: Announcement? {
        for names in Self.table {
            // The script of a batch job has the size of the job and looks like rank 0, though nothing was started.
            let isBeyondFirst = names.ranks.contains { (number($0) ?? 0) > 0 }
            for variable in isBeyondFirst ? names.sizes : [names.size] {
                if let ranks = number(variable) {
                    return .init(launcher: names.launcher, variable: variable, ranks: ranks)
                }
            }
        }
        return nil
    }

    /// Whether `srun` has started several ranks without offering them a way to find each other.
    ///
    /// Open MPI 4 ends a process that tries to start in that case.
    package var isStrandedUnderSlurm: Bool {
        guard let announcement, announcement.launcher == .slurm, announcement.ranks > 1 else { return false }
        return Self.meetingPoints.allSatisfy { environment[$0] == nil }
    }

    /// Whether Open MPI's `mpirun` has started this process, or one above it.
    package var isOfMpirun: Bool { environment[Self.mpirunRank] != nil }

    /// The folder that Open MPI or Slurm has made for the job.
    package var sessionFolder: String? { environment["PMIX_SERVER_TMPDIR"] }

    private func number(_ variable: String) -> Int? { environment[variable].flatMap { Int($0) } }
}
