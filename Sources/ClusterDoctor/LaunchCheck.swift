// LaunchCheck - whether the ranks that a launcher has started know of each other, for commands that share work among ranks.

public import JobRuntime
internal import MessagePassing
public import Reporting

/// What `doctor` says of ranks that do not find each other, as an error of the commands that would suffer from it.
public enum LaunchCheck {
    /// What keeps MPI from starting: srun has started several ranks without PMIx. Nil where nothing does.
    public static func beforeMPI() -> ProgramFailure? {
        let reader = SystemReader()
        guard reader.isStrandedUnderSlurm, let announced = reader.announcement else { return nil }
        return failure(LaunchJudgement.stranded(announced), announced)
    }

    /// Throws where MPI sees fewer ranks than the launcher has started: each would do all of the work by itself.
    static func requireAllRanks(_ communicator: Communicator, _ reader: SystemReader = SystemReader()) throws {
        guard let announced = reader.announcement,
            let verdict = LaunchJudgement.alone(
                announced, ranks: communicator.size, library: FactGathering.firstLine(Communicator.libraryVersion))
        else { return }
        throw failure(verdict, announced)
    }

    private static func failure(
        _ verdict: Finding.Verdict, _ announced: LauncherVariables.Announcement
    ) -> ProgramFailure {
        let variables = LauncherVariables.sizes(of: announced.launcher).joined(separator: " -u ")
        return ProgramFailure(
            .runtimeFailure,
            "\(verdict.what). Remedy: \(verdict.remedy). If each process shall be a run of its own, start it with "
                + "env -u \(variables) mile-dist ...", isShared: true)
    }
}

extension ProcessContext {
    /// Whether this is the only rank that MPI sees.
    public var isAlone: Bool { communicator.size == 1 }

    /// Throws where the launcher has started more ranks than MPI sees; for commands that share work among ranks.
    public func requireAllRanks() throws { try LaunchCheck.requireAllRanks(communicator) }
}
