// CheckTests - every check finds its fault, no other check does, and none finds one in a healthy job.

import LinearAlgebra
import MessagePassing
import Testing

@testable import ClusterDoctor
@testable import Reporting

@Suite struct CheckTests {
    private static let mebibyte = HealthyFacts.mebibyte

    // MARK: Controls

    @Test(arguments: [(1, 1), (1, 4), (2, 1), (3, 2)]) func healthyJobsHaveNoFindings(nodes: Int, perNode: Int) {
        let facts = HealthyFacts.job(nodes: nodes, perNode: perNode)
        #expect(Expected.all(of: facts) == [])
        var bare = facts
        for rank in bare.indices {
            bare[rank].plan = nil
            bare[rank].launch.announced = nil
            bare[rank].cores.ofLauncher = nil
        }
        #expect(Expected.all(of: bare) == [], "without configuration and launcher")
    }

    /// A change of one rank's healthy facts that one check must find.
    struct Plant: CustomTestStringConvertible, Sendable {
        let check: Check
        let severity: Diagnosis.Severity
        let testDescription: String
        let spoil: @Sendable (inout NodeFacts) -> Void

        init(
            _ check: Check, _ severity: Diagnosis.Severity, _ name: String = "",
            _ spoil: @escaping @Sendable (inout NodeFacts) -> Void
        ) {
            self.check = check
            self.severity = severity
            testDescription = "\(check.rawValue) \(name)"
            self.spoil = spoil
        }
    }

    static let plants: [Plant] = [
        Plant(.ranksAlone, .fault, "mpirun") { $0.launch.announced?.ranks = 2 },
        Plant(.ranksAlone, .fault, "Slurm") {
            $0.launch.announced = .init(launcher: .slurm, variable: "SLURM_STEP_NUM_TASKS", ranks: 4)
        },
        Plant(.ranksAlone, .fault, "PMI") {
            $0.launch.announced = .init(launcher: .pmi, variable: "PMI_SIZE", ranks: 2)
        },
        Plant(.binding, .warning) { $0.cores.threads = 3 },
        Plant(.idleCores, .warning) { $0.cores.ofLauncher = [0, 1, 2] },
        Plant(.coreQuota, .warning) { $0.cores.quota = 1.5 },
        Plant(.blasKernels, .warning, "chosen") {
            $0.processor.backends[0] = .init(
                name: "openblas", identity: "OpenBLAS 0.3.21 (Nehalem)", units: .sse,
                variable: "OPENBLAS_CORETYPE=Nehalem")
        },
        Plant(.blasKernels, .warning, "too old") { $0.processor.backends[0].units = .avx },
        Plant(.oneDNNKernels, .warning) { $0.processor.backends[1].units = .sse },
        Plant(.bfloat16, .warning) { $0.plan?.usesBFloat16 = true },
        Plant(.bfloat16, .warning, "on refused tiles") {
            $0.plan?.usesBFloat16 = true
            $0.processor.hasBFloat16GEMM = true
            $0.processor.tiles = .refused
        },
        Plant(.bfloat16, .warning, "kept from tiles") {
            $0.plan?.usesBFloat16 = true
            $0.processor.hasBFloat16GEMM = true
            $0.processor.tiles = .limited
        },
        Plant(.directory, .fault) { $0.storage.problem = "Permission denied" },
        Plant(.fileLocks, .fault) {
            $0.storage.lockProblem = "Function not implemented"
            $0.storage.hdf5Problem = "unable to lock file"
            $0.storage.hdf5WantsLocks = true
        },
        Plant(.hdf5, .fault) { $0.storage.hdf5Problem = "H5Fopen: no" },
        Plant(.lockVariable, .warning) { $0.storage.lockVariable = "false" },
        Plant(.freeSpace, .fault, "for one") { $0.storage.freeBytes = 899 * mebibyte },
        Plant(.freeSpace, .warning, "for all") { $0.storage.freeBytes = 3599 * mebibyte },
        Plant(.freeFiles, .fault) { $0.storage.freeFiles = 7 },
        Plant(.openFiles, .fault) { $0.limits.openFiles = 65 },
        Plant(.fileSize, .fault) { $0.limits.fileSize = 899 * mebibyte },
        Plant(.addressSpace, .fault) { $0.limits.addressSpace = 1891 * mebibyte },
        Plant(.coreTime, .warning) { $0.limits.coreTime = 3600 },
        Plant(.lockedMemory, .warning) { $0.limits.infiniband = ["mlx5_0"] },
        Plant(.memory, .fault, "of the node") { $0.limits.availableMemory = 999 * mebibyte },
        Plant(.memory, .fault, "of the group") { $0.limits.groupMemory = 999 * mebibyte },
        Plant(.memory, .fault, "that is promised") { $0.limits.commitMemory = 999 * mebibyte },
    ]

    @Test(arguments: plants) func aFaultOfOneRankIsFoundAlone(_ plant: Plant) {
        var facts = HealthyFacts.one
        plant.spoil(&facts)
        #expect(Expected.all(of: [facts]) == [Expected(plant.check, plant.severity, [0])])
    }

    /// The remedy of a full disk is space, and neither permission nor another HDF5.
    @Test func aFullDiskNeedsRoom() throws {
        var full = HealthyFacts.one
        full.storage.problem = "No space left on device"
        full.storage.isFull = true
        var fullForHDF5 = HealthyFacts.one
        fullForHDF5.storage.hdf5Problem = "H5Fclose: unable to flush"
        fullForHDF5.storage.hdf5WantsSpace = true
        for (facts, check) in [(full, Check.directory), (fullForHDF5, .hdf5)] {
            let result = try #require(StorageChecks.results([facts]).first)
            #expect(result.check == check)
            #expect(result.diagnosis.remedy.hasPrefix("make room (space, inodes or quota)"), "\(result)")
        }
        full.storage.isFull = false
        #expect(
            StorageChecks.results([full]).first?.diagnosis.remedy.hasPrefix("choose a directory that this user may")
                == true)
    }

    /// Limits that are met exactly.
    @Test func atTheLimitNothingIsSaid() {
        var facts = HealthyFacts.one
        facts.cores.quota = 2
        facts.storage.freeBytes = 3600 * Self.mebibyte
        facts.storage.freeFiles = 8
        facts.limits.openFiles = 66
        facts.limits.fileSize = 900 * Self.mebibyte
        // In MiB: in use 500, plan 1000, two threads 328, libraries 64.
        facts.limits.addressSpace = 1892 * Self.mebibyte
        facts.limits.availableMemory = 1000 * Self.mebibyte
        facts.limits.groupMemory = 1000 * Self.mebibyte
        facts.limits.commitMemory = 1000 * Self.mebibyte
        #expect(Expected.all(of: [facts]) == [])
    }

    /// Settings and facts that look like faults but are none.
    @Test func whatIsRightIsNotFound() {
        var facts = HealthyFacts.one
        // HDF5 told to do without locks, a file system without a count of files, no limits, no launcher.
        facts.storage.lockProblem = "Function not implemented"
        facts.storage.lockVariable = "FALSE"
        facts.storage.freeFiles = nil
        facts.limits.openFiles = nil
        facts.limits.infiniband = ["mlx5_0"]
        facts.limits.lockedMemory = nil
        facts.launch.announced = nil
        // Unknown kernels, and kernels wider than the processor's units.
        facts.processor.backends[0].units = nil
        facts.processor.backends[1].units = .avx512
        // Refused tiles do not matter to a run in fp32.
        facts.processor.tiles = .refused
        #expect(Expected.all(of: [facts]) == [])
        facts.processor.tiles = .used
        facts.plan?.usesBFloat16 = true
        facts.processor.hasBFloat16GEMM = true
        #expect(Expected.all(of: [facts]) == [])
        // Existing checkpoints count: only one more must fit.
        facts.storage.checkpoints = 3
        facts.storage.freeBytes = 900 * Self.mebibyte
        #expect(Expected.all(of: [facts]) == [])
    }

    // MARK: Several ranks

    private func results(
        nodes: Int, perNode: Int, _ spoil: (inout [NodeFacts]) -> Void
    ) -> [Expected] {
        var facts = HealthyFacts.job(nodes: nodes, perNode: perNode)
        spoil(&facts)
        return Expected.all(of: facts)
    }

    @Test func ranksThatShareCores() {
        // Both ranks on the first two cores: four threads.
        let shared = results(nodes: 1, perNode: 2) {
            $0[1].cores.allowed = [0, 1]
            for rank in 0...1 { $0[rank].cores.ofLauncher = [0, 1] }
        }
        #expect(shared == [Expected(.oversubscription, .warning, [0, 1])])
        // The ranks' cores overlap by one: 4 threads on 3 cores.
        let overlapping = results(nodes: 1, perNode: 2) {
            $0[1].cores.allowed = [1, 2]
            for rank in 0...1 { $0[rank].cores.ofLauncher = [0, 1, 2] }
        }
        #expect(overlapping == [Expected(.oversubscription, .warning, [0, 1])])
        // Unbound ranks on four cores: two threads each fit, three each do not.
        for (threads, expected) in [(2, []), (3, [Expected(.oversubscription, .warning, [2, 3])])] {
            let unbound = results(nodes: 2, perNode: 2) {
                for rank in 2...3 {
                    $0[rank].cores.allowed = [0, 1, 2, 3]
                    $0[rank].cores.threads = threads
                }
            }
            #expect(unbound == expected)
        }
        // The cores of the bound rank 1 are part of those of the unbound rank 0. All threads fit.
        let nested = results(nodes: 1, perNode: 2) { $0[0].cores.allowed = [0, 1, 2, 3] }
        #expect(nested == [])
    }

    @Test func ranksOfWhichOneHasTooManyThreads() {
        let results = results(nodes: 2, perNode: 2) { $0[3].cores.threads = 4 }
        // The cores of the other rank are not touched.
        #expect(results == [Expected(.binding, .warning, [3])])
    }

    @Test func sharedMemoryThatIsTooSmall() {
        let small = results(nodes: 2, perNode: 2) {
            for rank in 0..<4 { $0[rank].launch.usesSharedMemory = false }
            for rank in 2..<4 { $0[rank].launch.sharedMemory.freeBytes = 0 }
        }
        // Node 0 has enough memory. Its warning says that another node has not.
        #expect(small == [Expected(.sharedMemory, .warning, [0, 1]), Expected(.sharedMemory, .warning, [2, 3])])
        let irregular = results(nodes: 1, perNode: 3) { facts in
            for rank in 0..<3 { facts[rank].launch.usesSharedMemory = false }
            facts[2].nodeRank = 0
            facts[2].nodeSize = 1
            facts[2].host = "other"
            facts[2].network.interfaces = []
            for rank in 0..<2 {
                facts[rank].nodeSize = 2
                facts[rank].cores.ofLauncher = [0, 1, 2, 3]
            }
            facts[2].cores.ofLauncher = [4, 5]
        }
        #expect(irregular == [Expected(.sharedMemory, .warning, [0, 1])])
    }

    @Test func ranksThatDiffer() {
        #expect(
            results(nodes: 2, perNode: 2) { $0[3].launch.programHash = "ef" } == [Expected(.sameProgram, .fault, [3])])
        #expect(
            results(nodes: 2, perNode: 1) { $0[1].storage.hdf5Version = "1.14.0" }
                == [Expected(.sameProgram, .fault, [1])])
        for isReproducible in [false, true] {
            let results = results(nodes: 3, perNode: 1) {
                for rank in 0..<3 { $0[rank].plan?.isReproducible = isReproducible }
                for rank in 1..<3 { $0[rank].processor.model = "Xeon" }
            }
            #expect(results == [Expected(.sameMachine, isReproducible ? .fault : .warning, [1, 2])])
        }
    }

    @Test func directoriesThatAreNotShared() {
        let results = results(nodes: 2, perNode: 2) { for rank in 2...3 { $0[rank].storage.seesRankZero = false } }
        #expect(results == [Expected(.sharedDirectory, .fault, [2, 3])])
    }

    /// The ranks of a node share its memory.
    @Test func memoryIsAddedUp() {
        for (mebibytes, expected) in [(4000, []), (3999, [Expected(.memory, .fault, [4, 5, 6, 7])])] {
            let results = results(nodes: 2, perNode: 4) {
                for rank in 4..<8 { $0[rank].limits.availableMemory = mebibytes * Self.mebibyte }
            }
            #expect(results == expected)
        }
    }

    // MARK: Network

    @Test(arguments: [(-3.0, true), (1.5, true), (0.9, false), (-0.9, false)])
    func clocks(offset: Double, isFound: Bool) {
        let results = results(nodes: 2, perNode: 2) { $0[2].network.clockOffset = offset }
        #expect(results == (isFound ? [Expected(.clocks, .warning, [2])] : []))
        // The uncertainty is larger than the offset.
        let unsure = self.results(nodes: 2, perNode: 2) {
            $0[2].network.clockOffset = offset
            $0[2].network.clockUncertainty = 4
        }
        #expect(unsure == [])
    }

    @Test func slowNetworks() {
        #expect(
            results(nodes: 3, perNode: 2) { $0[4].network.latency = 600e-6 } == [Expected(.latency, .warning, [4])])
        // All links are slow.
        let slow = results(nodes: 3, perNode: 1) { for rank in 1...2 { $0[rank].network.bandwidth = 90e6 } }
        #expect(slow == [Expected(.bandwidth, .warning, [1, 2])])
        // One link is slower than the others.
        #expect(
            results(nodes: 4, perNode: 1) { $0[2].network.bandwidth = 0.5e9 } == [Expected(.bandwidth, .warning, [2])])
        #expect(results(nodes: 4, perNode: 1) { $0[2].network.bandwidth = 0.6e9 } == [])
    }

    @Test func bridgesWithOneAddressOnAllNodes() {
        func add(_ facts: inout [NodeFacts]) {
            for rank in facts.indices {
                facts[rank].network.interfaces.append(.init(name: "docker0", address: "172.17.0.1"))
            }
        }
        #expect(results(nodes: 2, perNode: 2, add) == [Expected(.interfaces, .warning, [0, 1, 2, 3])])
        #expect(results(nodes: 1, perNode: 2, add) == [], "one node needs no network")
        let chosen = results(nodes: 2, perNode: 2) {
            add(&$0)
            for rank in 0..<4 { $0[rank].network.included = "eth0" }
        }
        #expect(chosen == [])
        for (excluded, ranks) in [
            ("lo,docker0", [2, 3]), ("127.0.0.1/8,172.16.0.0/12", [2, 3]), ("eth0", [0, 1, 2, 3]),
        ] {
            let left = results(nodes: 2, perNode: 2) {
                add(&$0)
                for rank in 0..<2 { $0[rank].network.excluded = excluded }
            }
            #expect(left == [Expected(.interfaces, .warning, ranks)], "\(excluded)")
        }
    }

    @Test(arguments: [
        ("eth0", true), ("eth1", false), ("10.1.2.3/32", true), ("10.1.2.2/32", false), ("10.1.2.2/31", true),
        ("10.1.0.0/16", true), ("10.2.0.0/16", false), ("0.0.0.0/0", true), ("10.1.2/24", false),
        ("10.1.2.3/33", false),
    ])
    func entriesThatStandForAnInterface(entry: String, isIt: Bool) {
        #expect(NetworkChecks.matches(entry, .init(name: "eth0", address: "10.1.2.3")) == isIt)
    }

    // MARK: Texts

    @Test func everyFindingHasARemedyOfItsOwn() {
        var remedies: [String: Check] = [:]
        for plant in Self.plants {
            var facts = HealthyFacts.one
            plant.spoil(&facts)
            for result in CheckResult.all(of: [facts]) {
                #expect(result.diagnosis.remedy.count > 15 && result.diagnosis.what.count > 15, "\(result)")
                let other = remedies.updateValue(result.check, forKey: result.diagnosis.remedy)
                #expect(other == nil || other == result.check, "\(result)")
            }
        }
    }

    @Test func lists() {
        #expect(NumberRanges.text([]) == "")
        #expect(NumberRanges.text([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8")
    }
}
