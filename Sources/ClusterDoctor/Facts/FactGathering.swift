// FactGathering - each rank reads its facts, and rank 0 gathers them.

package import Configuration
internal import Foundation
internal import Glibc
package import JobRuntime
internal import MessagePassing
internal import Planning
internal import Reporting

/// Reads this rank's facts and gathers those of all ranks.
package struct FactGathering {
    private let process: ProcessContext
    /// Directory of checkpoints. If empty: the configuration's `checkpoint.directory`, or the working directory.
    private let directory: String

    package init(_ process: ProcessContext, directory: String) {
        self.process = process
        self.directory = directory
    }

    /// Returns the facts of all ranks, in rank order, on rank 0 and nil on the others. Collective.
    package func run(_ configuration: RunConfiguration?) throws -> [NodeFacts]? {
        let communicator = process.communicator
        let reader = SystemReader()
        let faults = try communicator.agreed { try FaultInjection(rank: communicator.rank) }
        let requested = configuration?.training.threads ?? 0
        let threads = try process.threadPlan(requested: requested).threads
        let probe = StorageProbe(
            directory: directory.isEmpty ? configuration?.checkpoint.directory ?? "." : directory,
            environment: reader.environment, tag: "\(communicator.host)-\(getpid())")
        let own = try communicator.agreed {
            NodeFacts(
                rank: communicator.rank, size: communicator.size, nodeRank: communicator.nodeRank,
                nodeSize: communicator.nodeSize, host: communicator.host,
                launch: LaunchFacts(
                    announced: reader.announcement, library: Self.firstLine(Communicator.libraryVersion),
                    threadLevel: communicator.threadLevel, usesSharedMemory: communicator.usesSharedMemory,
                    sharedMemory: communicator.sharedMemoryRoom, version: VersionText.version,
                    programHash: try MachineIdentity.programHash()),
                cores: reader.cores(
                    allowed: Cores.available(), threads: threads, isRequested: requested > 0, parent: Int(getppid())),
                processor: reader.processor, storage: try probe.run(), limits: reader.limits,
                network: NetworkFacts(
                    interfaces: Links.interfaces(),
                    included: reader.environment["OMPI_MCA_btl_tcp_if_include"],
                    excluded: reader.environment["OMPI_MCA_btl_tcp_if_exclude"]),
                plan: configuration.map {
                    Self.plan($0, ranks: communicator.size, ranksOnNode: communicator.nodeSize, threads: threads)
                })
        }
        var completed = own
        completed.storage.seesRankZero = try seesRankZero(communicator, probe)
        let links = try Links.measure(communicator, skew: faults.clockSkewSeconds)
        let encoded = try communicator.agreed { [UInt8](try JSONEncoder().encode(completed)) }
        guard let all = try communicator.gather(encoded, root: 0) else { return nil }
        return try all.map { try JSONDecoder().decode(NodeFacts.self, from: Data($0)) }.map { facts in
            var facts = facts
            facts.network.clockOffset = links.clocks[facts.rank]?.offset
            facts.network.clockUncertainty = links.clocks[facts.rank]?.uncertainty
            facts.network.latency = links.links[facts.rank]?.latency
            facts.network.bandwidth = links.links[facts.rank]?.bandwidth
            return facts
        }
    }

    /// Whether this rank sees a file that rank 0 makes; nil on rank 0, or if rank 0 cannot make one. Collective.
    private func seesRankZero(_ communicator: Communicator, _ probe: StorageProbe) throws -> Bool? {
        let name = try communicator.textFromRankZero { probe.makeBeacon() ? probe.beacon : "" }
        let seen = communicator.rank == 0 || name.isEmpty ? nil : probe.sees(name)
        try communicator.barrier()
        if communicator.rank == 0 { probe.removeBeacon() }
        return seen
    }

    private static func plan(
        _ configuration: RunConfiguration, ranks: Int, ranksOnNode: Int, threads: Int
    ) -> PlanFacts {
        let layout = MemoryPlan(configuration, ranks: ranks, ranksOnNode: ranksOnNode)
        let parts = layout.parts(threads: threads)
        return PlanFacts(
            name: configuration.name, memoryBytes: parts.total, checkpointBytes: layout.checkpointBytes,
            // The snapshot is a copy of the rank's shard, so both have one size.
            shardBytes: parts.snapshot, keeps: configuration.checkpoint.keep,
            usesBFloat16: configuration.training.precision == .bf16,
            isReproducible: configuration.training.reproducible)
    }

    /// `text` up to its first comma or line end. Open MPI's version text has its details behind a comma.
    static func firstLine(_ text: String) -> String {
        String(text.prefix { $0 != "\n" && $0 != "," })
    }
}
