// LaunchRoleTests - ranks, shells within a job, and shells that outlive one.

import Testing
import TestSupport

@testable import JobRuntime

@Suite struct LaunchRoleTests {
    /// A process below others, the parent first, with a launcher's variables.
    private func role(
        _ environment: [String: String], below ancestors: [String], hasSessionFolder: Bool = false,
        outermostVariables: String? = nil, beyond: Int = 0
    ) throws -> (role: LaunchRole, reader: SystemReader, folder: TemporaryFolder) {
        let folder = try TemporaryFolder()
        let own = "40 (mile (dist) S 3) R \(ancestors.isEmpty ? beyond : 100) 1 1"
        try folder.write(own, to: "proc/self/stat")
        for (number, name) in ancestors.enumerated() {
            let parent = number + 1 < ancestors.count ? 101 + number : beyond
            try folder.write("\(100 + number) (\(name)) S \(parent) 1 1", to: "proc/\(100 + number)/stat")
            try folder.write(name + "\n", to: "proc/\(100 + number)/comm")
        }
        if let outermostVariables {
            try folder.write(outermostVariables, to: "proc/\(99 + ancestors.count)/environ")
        }
        if hasSessionFolder { try folder.write("", to: "session/file") }
        var reader = SystemReader()
        reader.proc = folder.path("proc")
        reader.environment = environment.mapValues { $0 == "SESSION" ? folder.path("session") : $0 }
        return (LaunchRole(reader), reader, folder)
    }

    private static func rank(_ number: Int, of size: Int = 2) -> [String: String] {
        [
            "OMPI_COMM_WORLD_RANK": "\(number)", "OMPI_COMM_WORLD_SIZE": "\(size)", "PMIX_RANK": "\(number)",
            "PMIX_NAMESPACE": "x", "PMIX_SERVER_TMPDIR": "SESSION",
        ]
    }

    @Test func theProcessesAbove() throws {
        let found = try role([:], below: ["bash", "mpirun", "a b (c)"])
        #expect(found.reader.ancestors == ["bash", "mpirun", "a b (c)"])
        #expect(try role([:], below: []).reader.ancestors == [])
        #expect(!SystemReader().ancestors.isEmpty)
    }

    @Test(arguments: ["mpirun", "mpiexec.hydra", "orted", "prterun", "slurmstepd", "hydra_pmi_proxy"])
    func aLaunchersChildIsARank(launcher: String) throws {
        #expect(try role(Self.rank(1), below: [launcher, "bash"]).role == .rank(number: "1"))
        #expect(try role(Self.rank(0), below: [launcher, "bash"]).role == .rank(number: "0"))
        #expect(try role(Self.rank(0, of: 1), below: [launcher]).role == .single)
    }

    @Test func ranksOfSlurm() throws {
        let step = ["SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"]
        #expect(try role(step, below: ["slurmstepd"]).role == .rank(number: "3"))
        // The script of a batch job.
        #expect(try role(["SLURM_PROCID": "0", "SLURM_NTASKS": "4"], below: ["bash", "slurmstepd"]).role == .single)
    }

    /// A shell, a container's runtime or a script between the launcher and this process.
    @Test func withinAJob() throws {
        for parent in ["bash", "starter-suid", "python3"] {
            #expect(try role(Self.rank(0), below: [parent, "mpirun"]).role == .single)
            #expect(
                try role(Self.rank(1), below: [parent, "orted"]).role
                    == .bystander(variable: "OMPI_COMM_WORLD_RANK", number: "1"))
        }
        // The processes above are hidden, the job's folder is not.
        #expect(
            try role(Self.rank(1), below: ["sh"], hasSessionFolder: true).role
                == .bystander(variable: "OMPI_COMM_WORLD_RANK", number: "1"))
    }

    /// A container with process numbers of its own, started by the launcher for each rank.
    @Test func aLauncherOutsideTheContainer() throws {
        let bystander = LaunchRole.bystander(variable: "OMPI_COMM_WORLD_RANK", number: "1")
        // The container's first process is the shell, or this process itself.
        let variables = "HOME=/\0OMPI_COMM_WORLD_RANK=1\0PMIX_RANK=1\0"
        let (hidden, reader, folder) = try role(
            Self.rank(1), below: ["bash", "appinit"], outermostVariables: variables)
        defer { withExtendedLifetime(folder) {} }
        #expect(hidden == bystander && reader.ancestors == ["bash", "appinit"] && reader.warningOfLeftovers == nil)
        #expect(try role(Self.rank(1), below: []).role == bystander)
        #expect(try role(["SLURM_PROCID": "3"], below: []).role == .bystander(variable: "SLURM_PROCID", number: "3"))
        // The first rank works.
        let first = "OMPI_COMM_WORLD_RANK=0\0"
        #expect(try role(Self.rank(0), below: ["appinit"], outermostVariables: first).role == .single)
        // Slurm's daemon belongs to another user, whose processes cannot be seen.
        #expect(try role(["SLURM_PROCID": "3"], below: [], beyond: 77).role != .single)
        // The job ran inside the container, or its shell has outlived it and the system's first process cannot be seen.
        for other in ["HOME=/\0", "OMPI_COMM_WORLD_RANK=10\0", "X_OMPI_COMM_WORLD_RANK=1\0", ""] {
            let (role, reader, folder) = try role(Self.rank(1), below: ["bash", "sh"], outermostVariables: other)
            defer { withExtendedLifetime(folder) {} }
            #expect(role == .single && reader.warningOfLeftovers != nil, "\(other)")
        }
        #expect(try role(Self.rank(1), below: ["tmux"], outermostVariables: variables, beyond: 1).role == .single)
    }

    /// Where the kernel's files are not there, a variable alone makes no bystander: nobody would do the work.
    @Test func nothingIsSeenOfOtherProcesses() {
        var reader = SystemReader()
        reader.proc = "/nonexistent"
        reader.environment = ["PMIX_RANK": "1"]
        #expect(!reader.isLauncherHidden && LaunchRole(reader) == .single)
    }

    @Test func leftovers() throws {
        for number in 0...1 {
            let (role, reader, folder) = try role(Self.rank(number), below: ["bash", "tmux: server", "systemd"])
            defer { withExtendedLifetime(folder) {} }
            #expect(role == .single)
            #expect(reader.warningOfLeftovers?.contains("(OMPI_COMM_WORLD_RANK=\(number), ") == true)
        }
        #expect(try role(["PMIX_RANK": "0", "PMIX_NAMESPACE": "x"], below: ["bash"]).role == .single)
        #expect(try role(["PMIX_RANK": "0", "PMIX_NAMESPACE": "x"], below: ["bash"]).reader.warningOfLeftovers == nil)
        #expect(try role([:], below: ["bash", "mpirun"]).role == .single)
        #expect(try role(Self.rank(1), below: ["mpirun"]).reader.warningOfLeftovers == nil)
    }

    /// A rank is silent while it waits for the first one; a bystander has printed a note; a single process waits for nobody.
    @Test func patience() {
        #expect(LaunchRole.rank(number: "1").patience == 10)
        #expect(LaunchRole.bystander(variable: "PMIX_RANK", number: "1").patience == 1)
        #expect(LaunchRole.single.patience == 0)
    }

    /// Under srun a rank that is alive says nothing about the first one: 63 of 64 ranks would repeat its message.
    @Test func launchersThatEndAllRanks() throws {
        for (ancestors, ends) in [
            (["mpirun"], true), (["orted", "slurmstepd"], true), (["slurmstepd"], false), ([], false),
        ] {
            let (_, reader, folder) = try role(Self.rank(1), below: ancestors)
            defer { withExtendedLifetime(folder) {} }
            #expect(reader.launcherEndsAllRanks == ends, "\(ancestors)")
        }
    }

    @Test func parts() {
        func part(_ need: RankNeed, _ role: LaunchRole, isStranded: Bool = false) -> LaunchRole.Part {
            role.part(in: need, isStranded: isStranded)
        }
        let (first, second) = (LaunchRole.rank(number: "0"), LaunchRole.rank(number: "1"))
        let bystander = LaunchRole.bystander(variable: "PMIX_RANK", number: "1")
        for role in [first, second, bystander, .single] { #expect(part(.all, role) == .joins) }
        #expect(part(.helpers, first) == .joins && part(.helpers, second) == .joins)
        // srun without PMIx: Open MPI would end both.
        #expect(part(.helpers, first, isStranded: true) == .worksAlone)
        #expect(part(.helpers, second, isStranded: true) == .isSilent(note: nil))
        #expect(part(.one, first) == .worksAlone && part(.one, second) == .isSilent(note: nil))
        for need in [RankNeed.helpers, .one] {
            #expect(part(need, .single) == .worksAlone)
            guard case .isSilent(let note) = part(need, bystander) else {
                Issue.record("a bystander works")
                return
            }
            let refused = bystander.part(in: need, isStranded: false, isRefused: true)
            guard case .isSilent(let words) = refused else {
                Issue.record("a bystander works")
                return
            }
            #expect(words?.hasPrefix("the arguments are wrong: PMIX_RANK=1 says") == true)
            #expect(note?.hasPrefix("nothing is done here: PMIX_RANK=1 says") == true)
            #expect(note?.contains("does the work; where it is no rank at all, unset ${!PMIX_*}") == true)
        }
    }
}
