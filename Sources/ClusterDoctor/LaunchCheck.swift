// LaunchCheck - refuses launches whose ranks do not find each other.

internal import Foundation
public import JobRuntime
internal import MessagePassing
public import Reporting

/// The launch checks of `doctor`, as errors of commands that share work among ranks.
public enum LaunchCheck {
    /// The error of a launch in which MPI cannot start: several ranks under srun without PMIx. Nil otherwise.
    public static func beforeMPI() -> ProgramFailure? {
        stranded(SystemReader()).map { failure($0.diagnosis, $0.announced) }
    }

    /// The lines of `doctor` about a launch in which MPI cannot start. Nil otherwise.
    package static func linesBeforeMPI() -> [String]? {
        stranded(SystemReader()).map {
            DoctorReport.lines($0.diagnosis, .ranksAlone, place: ProcessInfo.processInfo.hostName)
        }
    }

    /// The diagnosis of a launch in which MPI cannot start, with the launcher's announcement. Nil otherwise.
    private static func stranded(
        _ reader: SystemReader
    ) -> (diagnosis: Diagnosis, announced: LauncherVariables.Announcement)? {
        guard reader.isStrandedUnderSlurm, let announced = reader.announcement else { return nil }
        return (LaunchChecks.stranded(announced), announced)
    }

    /// Throws if MPI sees fewer ranks than the launcher has started. Why: each rank would do all of the work.
    static func requireAllRanks(_ communicator: Communicator, _ reader: SystemReader = SystemReader()) throws {
        guard let announced = reader.announcement,
            let diagnosis = LaunchChecks.alone(
                announced, ranks: communicator.size, library: FactGathering.firstLine(Communicator.libraryVersion))
        else { return }
        throw failure(diagnosis, announced)
    }

    private static func failure(
        _ diagnosis: Diagnosis, _ announced: LauncherVariables.Announcement
    ) -> ProgramFailure {
        let variables = LauncherVariables.sizes(of: announced.launcher).joined(separator: " -u ")
        return ProgramFailure(
            .runtimeFailure,
            "\(diagnosis.what). Remedy: \(diagnosis.remedy). If each process shall be a run of its own, start it with "
                + "env -u \(variables) mile-dist ...", isShared: true)
    }
}

extension ProcessContext {
    /// Whether MPI sees one rank only.
    public var isAlone: Bool { communicator.size == 1 }

    /// Throws if MPI sees fewer ranks than the launcher has started.
    public func requireAllRanks() throws { try LaunchCheck.requireAllRanks(communicator) }
}
