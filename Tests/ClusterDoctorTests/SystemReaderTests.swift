// SystemReaderTests - facts that are read from the environment and from the kernel's files.

import Testing
import TestSupport

@testable import ClusterDoctor
@testable import JobRuntime
@testable import Reporting

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
        // A batch script is one process with the variables of rank 0.
        #expect(ranks(["SLURM_NTASKS": "4", "SLURM_PROCID": "0"]) == nil)
        #expect(ranks(["SLURM_NTASKS": "4", "SLURM_PROCID": "1"]) == "slurm SLURM_NTASKS 4")
    }

    @Test func launchersNumberTheirRanks() {
        func rank(_ environment: [String: String]) -> String? {
            LauncherVariables(environment).rank.map { "\($0.name) \($0.value)" }
        }
        #expect(rank([:]) == nil)
        // The inner launcher wins over the outer one.
        var all: [String: String] = [:]
        for (value, name) in ["SLURM_PROCID", "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"].enumerated() {
            all[name] = "\(value)"
            #expect(rank(all) == "\(name) \(value)")
        }
        #expect(LauncherVariables(all).isOfMpirun && !LauncherVariables(["PMIX_RANK": "1"]).isOfMpirun)
        #expect(LauncherVariables.sizes(of: .slurm) == ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"])
        #expect(LauncherVariables.sizes(of: .openMPI) == ["OMPI_COMM_WORLD_SIZE"])
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

    // MARK: Kernel's files

    private static let limitRows = """
        Limit                     Soft Limit           Hard Limit           Units
        Max cpu time              3600                 unlimited            seconds
        Max file size             unlimited            unlimited            bytes
        Max open files            1024                 1048576              files
        Max locked memory         67108864             67108864             bytes
        Max address space         2147483648           unlimited            bytes
        """

    private func planted() throws -> (TemporaryFolder, SystemReader) {
        let folder = try TemporaryFolder()
        try folder.write(Self.limitRows, to: "proc/self/limits")
        try folder.write("Name:\tmile-dist\nVmSize:\t    2048 kB\n", to: "proc/self/status")
        try folder.write("MemAvailable:  100 kB\nCommitLimit:  90 kB\nCommitted_AS:  70 kB\n", to: "proc/meminfo")
        try folder.write("0::/job/step\n", to: "proc/self/cgroup")
        try folder.write("processor: 0\nflags\t\t: sse2 avx\n\nprocessor: 1\nflags : none\n", to: "proc/cpuinfo")
        try folder.write("Name: mpirun\nCpus_allowed_list:\t0-2\n", to: "proc/17/status")
        var reader = SystemReader()
        reader.environment = ["OMPI_COMM_WORLD_RANK": "0"]
        reader.proc = folder.path("proc")
        reader.sys = folder.path("sys")
        return (folder, reader)
    }

    @Test func limits() throws {
        let (folder, reader) = try planted()
        defer { withExtendedLifetime(folder) {} }
        var expected = LimitFacts(
            openFiles: 1024, openFilesHard: 1_048_576, fileSize: nil, addressSpace: 2_147_483_648, coreTime: 3600,
            lockedMemory: 67_108_864, virtualBytes: 2048 << 10, availableMemory: 100 << 10, groupMemory: nil,
            commitMemory: nil, infiniband: [])
        #expect(reader.limits == expected)
        try folder.write("2\n", to: "proc/sys/vm/overcommit_memory")
        try folder.write("", to: "sys/class/infiniband/mlx5_0")
        expected.commitMemory = 20 << 10
        expected.infiniband = ["mlx5_0"]
        #expect(reader.limits == expected)
        #expect(reader.processorFlags == ["sse2", "avx"])
    }

    @Test func coresOfTheLauncher() throws {
        let (folder, planted) = try planted()
        defer { withExtendedLifetime(folder) {} }
        var reader = planted
        func launcher(_ parent: Int) -> [Int]? {
            reader.cores(allowed: [1], threads: 1, isRequested: false, parent: parent).ofLauncher
        }
        #expect(launcher(17) == [0, 1, 2])
        #expect(launcher(18) == nil, "no such process")
        // The parent under Slurm is its daemon, which has all cores of the node.
        reader.environment = ["SLURM_PROCID": "0"]
        #expect(launcher(17) == nil)
    }

    /// The tightest limit of the group and its parents counts.
    @Test func controlGroupsOfVersionTwo() throws {
        let (folder, reader) = try planted()
        let group = ControlGroup(proc: reader.proc, sys: reader.sys)
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
        #expect(reader.limits.groupMemory == 0)
    }

    @Test func controlGroupsOfVersionOne() throws {
        let (folder, reader) = try planted()
        try folder.write("5:memory:/job\n4:cpu,cpuacct:/job\n", to: "proc/self/cgroup")
        let group = ControlGroup(proc: reader.proc, sys: reader.sys)
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

    @Test func thisMachineSaysSomething() {
        let limits = SystemReader().limits
        #expect(limits.virtualBytes > 1 << 20)
        #expect(limits.availableMemory ?? 0 > 1 << 20)
    }
}
