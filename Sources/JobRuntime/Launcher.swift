// Launcher - whether this process is the first rank, before MPI is started; the text of `--version`.

internal import MessagePassing
internal import Reporting

public enum Launcher {
    /// Whether this process is the first rank, or none, and so prints for the job. Known before MPI is started: Open
    /// MPI's `mpirun`, PMIx, PMI and Slurm number their ranks in the environment.
    public static var isFirstRank: Bool {
        let rank = LauncherVariables().rank?.value
        return rank == nil || rank == "0"
    }
}

/// The text of `--version`.
public enum VersionText {
    public static let version = "0.1.0"

    public static var text: String {
        "mile-dist \(version)\nbuilt for \(instructionSet)\n\(MachineIdentity.libraries)\n\(Communicator.libraryVersion)"
    }

    /// The instruction set that the program was compiled for (`MILE_MARCH`; Package.swift defines the condition).
    package static var instructionSet: String {
        #if MARCH_NATIVE
            "the build machine's processor (MILE_MARCH=native)"
        #elseif MARCH_X86_64_V4
            "x86-64-v4"
        #elseif MARCH_X86_64_V3
            "x86-64-v3"
        #elseif arch(x86_64)
            "x86-64, MILE_MARCH set by hand"
        #elseif arch(arm64)
            "arm64"
        #else
            "this processor's family"
        #endif
    }
}
