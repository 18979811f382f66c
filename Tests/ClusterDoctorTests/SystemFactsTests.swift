// SystemFactsTests - the limits, cores and processor flags that are read from the kernel's files.

import JobRuntime
import TestSupport
import Testing

@testable import ClusterDoctor

@Suite struct SystemFactsTests {
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
        try folder.write("600\n", to: "sys/fs/cgroup/job/step/memory.max")
        try folder.write("650\n", to: "sys/fs/cgroup/job/step/memory.current")
        #expect(reader.limits.groupMemory == 0)
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
        // Slurm's daemon has all cores, whatever the job was given.
        reader.environment = ["SLURM_PROCID": "0"]
        #expect(launcher(17) == nil)
    }

    @Test func thisMachineSaysSomething() {
        let limits = SystemReader().limits
        #expect(limits.virtualBytes > 1 << 20)
        #expect(limits.availableMemory ?? 0 > 1 << 20)
    }
}
