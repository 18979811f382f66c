// SystemReaderTests - what is read from the environment and from the kernel's files.

import Reporting
import Testing
import TestSupport

@testable import JobRuntime

@Suite struct SystemReaderTests {
    private func reader(_ environment: [String: String]) -> SystemReader {
        var reader = SystemReader()
        reader.environment = environment
        return reader
    }

    // MARK: Launch

    @Test func launchersAnnounceTheirRanks() {
        func ranks(_ environment: [String: String]) -> String? {
            reader(environment).announcement.map { "\($0.launcher.rawValue) \($0.variable) \($0.ranks)" }
        }
        #expect(ranks([:]) == nil)
        #expect(ranks(["PMI_SIZE": "many"]) == nil)
        #expect(ranks(["OMPI_COMM_WORLD_SIZE": "3", "SLURM_STEP_NUM_TASKS": "1"]) == "openMPI OMPI_COMM_WORLD_SIZE 3")
        #expect(ranks(["PMI_SIZE": "2"]) == "pmi PMI_SIZE 2")
        #expect(ranks(["SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "8"]) == "slurm SLURM_STEP_NUM_TASKS 4")
        // The script of a batch job is one process, and looks like rank 0.
        #expect(ranks(["SLURM_NTASKS": "4", "SLURM_PROCID": "0"]) == nil)
        #expect(ranks(["SLURM_NTASKS": "4", "SLURM_PROCID": "1"]) == "slurm SLURM_NTASKS 4")
    }

    @Test func ranksOfSrunWithoutPMIx() {
        let bare = ["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"]
        #expect(reader(bare).isStrandedUnderSlurm)
        for other in ["PMIX_NAMESPACE", "PMIX_RANK", "PMI_FD", "PMI_RANK"] {
            #expect(!reader(bare.merging([other: "0"]) { $1 }).isStrandedUnderSlurm, "\(other)")
        }
        #expect(!reader(["SLURM_STEP_NUM_TASKS": "1"]).isStrandedUnderSlurm)
        #expect(!reader(["OMPI_COMM_WORLD_SIZE": "2", "SLURM_STEP_NUM_TASKS": "2"]).isStrandedUnderSlurm)
        #expect(!reader([:]).isStrandedUnderSlurm)
    }

    // MARK: Control groups

    private func planted(_ membership: String) throws -> (TemporaryFolder, ControlGroup) {
        let folder = try TemporaryFolder()
        try folder.write(membership, to: "proc/self/cgroup")
        return (folder, ControlGroup(proc: folder.path("proc"), sys: folder.path("sys")))
    }

    /// The tightest limit on the way to the root counts.
    @Test func controlGroupsOfVersionTwo() throws {
        let (folder, group) = try planted("0::/job/step\n")
        defer { withExtendedLifetime(folder) {} }
        #expect(group.memory == nil && group.cores == nil)
        let root = "sys/fs/cgroup"
        try folder.write("max\n", to: "\(root)/job/step/memory.max")
        try folder.write("max 100000\n", to: "\(root)/job/step/cpu.max")
        #expect(group.memory == nil && group.cores == nil)
        try folder.write("1000\n", to: "\(root)/job/memory.max")
        try folder.write("700\n", to: "\(root)/job/memory.current")
        try folder.write("anon 1\ninactive_file 200\n", to: "\(root)/job/memory.stat")
        try folder.write("150000 100000\n", to: "\(root)/job/cpu.max")
        #expect(group.memory == 500)
        #expect(group.cores == 1.5)
        try folder.write("600\n", to: "\(root)/job/step/memory.max")
        try folder.write("650\n", to: "\(root)/job/step/memory.current")
        #expect(group.memory == 0)
    }

    @Test func controlGroupsOfVersionOne() throws {
        let (folder, group) = try planted("5:memory:/job\n4:cpu,cpuacct:/job\n")
        defer { withExtendedLifetime(folder) {} }
        let root = "sys/fs/cgroup"
        try folder.write("9223372036854771712\n", to: "\(root)/memory/memory.limit_in_bytes")
        try folder.write("5\n", to: "\(root)/memory/memory.usage_in_bytes")
        try folder.write("-1\n", to: "\(root)/cpu/job/cpu.cfs_quota_us")
        try folder.write("100000\n", to: "\(root)/cpu/job/cpu.cfs_period_us")
        #expect(group.memory == nil && group.cores == nil)
        try folder.write("3000\n", to: "\(root)/memory/job/memory.limit_in_bytes")
        try folder.write("1000\n", to: "\(root)/memory/job/memory.usage_in_bytes")
        try folder.write("50000\n", to: "\(root)/cpu/job/cpu.cfs_quota_us")
        #expect(group.memory == 2000)
        #expect(group.cores == 0.5)
    }
}
