// HealthyFacts - facts of healthy nodes, which tests change.

import LinearAlgebra
import MessagePassing

@testable import ClusterDoctor
@testable import Reporting

enum HealthyFacts {
    static let mebibyte = 1 << 20

    /// One rank with two threads on a node of two cores.
    static let one = rank(0, of: 1, perNode: 1)

    /// A job of `nodes` nodes with `perNode` ranks, two cores and two threads each.
    static func job(nodes: Int, perNode: Int) -> [NodeFacts] {
        (0..<(nodes * perNode)).map { rank($0, of: nodes * perNode, perNode: perNode) }
    }

    private static func rank(_ rank: Int, of size: Int, perNode: Int) -> NodeFacts {
        let (node, place) = (rank / perNode, rank % perNode)
        let library = "Open MPI v4.1.4"
        return NodeFacts(
            rank: rank, size: size, nodeRank: place, nodeSize: perNode, host: "node\(node)",
            launch: LaunchFacts(
                announced: .init(launcher: .openMPI, variable: "OMPI_COMM_WORLD_SIZE", ranks: size), library: library,
                threadLevel: 1, usesSharedMemory: perNode > 1,
                sharedMemory: SharedMemoryRoom(
                    directory: "/dev/shm", freeBytes: 64 * mebibyte, neededBytes: mebibyte, wantedBytes: 8 * mebibyte),
                version: "0.1.0", programHash: "abcd"),
            cores: CoreFacts(
                allowed: [2 * place, 2 * place + 1], ofLauncher: Array(0..<(2 * perNode)), threads: 2,
                isRequested: false),
            processor: ProcessorFacts(
                model: "EPYC", units: .avx2,
                backends: [
                    .init(name: "openblas", identity: "OpenBLAS 0.3.21 (Zen)", units: .avx2),
                    .init(name: "onednn", identity: "oneDNN 2.6.3 (AVX2)", units: .avx2),
                ],
                hasBFloat16GEMM: false, builtFor: "x86-64-v3"),
            storage: StorageFacts(
                directory: "/data/run", probed: "/data/run", hdf5Version: "1.10.8", freeBytes: 4000 * mebibyte,
                freeFiles: 1000, seesRankZero: rank == 0 ? nil : true),
            limits: LimitFacts(
                openFiles: 1024, openFilesHard: 4096, lockedMemory: 64 << 10, virtualBytes: 500 * mebibyte,
                availableMemory: 8000 * mebibyte, infiniband: []),
            network: NetworkFacts(
                interfaces: [.init(name: "eth0", address: "10.0.0.\(node + 1)")],
                clockOffset: rank == 0 ? nil : 0.002, clockUncertainty: rank == 0 ? nil : 0.0001,
                latency: place == 0 && node > 0 ? 30e-6 : nil, bandwidth: place == 0 && node > 0 ? 1.1e9 : nil),
            plan: PlanFacts(
                name: "run", memoryBytes: 1000 * mebibyte, checkpointBytes: 900 * mebibyte,
                shardBytes: 900 * mebibyte / size, keeps: 3, usesBFloat16: false, isReproducible: false))
    }
}

/// The expected result of a check, without its texts.
struct Expected: Equatable, CustomStringConvertible {
    var check: Check
    var severity: Diagnosis.Severity
    var ranks: [Int]

    init(_ check: Check, _ severity: Diagnosis.Severity, _ ranks: [Int]) {
        (self.check, self.severity, self.ranks) = (check, severity, ranks)
    }

    var description: String { "\(check.rawValue) \(severity.rawValue) \(ranks)" }

    static func all(of facts: [NodeFacts]) -> [Expected] {
        CheckResult.all(of: facts).map { Expected($0.check, $0.diagnosis.severity, $0.ranks) }
    }
}
