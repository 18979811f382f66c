// DoctorCommand - `mile-dist doctor`: facts of all ranks, gathered and judged on rank 0.

internal import Configuration
internal import Foundation
internal import Glibc
internal import MessagePassing

/// `mile-dist doctor [CONFIG]`
public struct DoctorCommand: Sendable {
    public var config: String?
    public var overrides: [String]
    /// Where checkpoints would go; empty: the configuration's `checkpoint.directory`, or the working directory.
    public var directory: String
    public var isJSON: Bool
    public var isVerbose: Bool
    /// Whether warnings count like faults.
    public var isStrict: Bool
    /// Seconds that ranks wait for each other before the network, or a file system, is given up.
    public var patience: Double

    public init(
        config: String?, overrides: [String] = [], directory: String = "", isJSON: Bool = false,
        isVerbose: Bool = false, isStrict: Bool = false, patience: Double = 120
    ) {
        self.config = config
        self.overrides = overrides
        self.directory = directory
        self.isJSON = isJSON
        self.isVerbose = isVerbose
        self.isStrict = isStrict
        self.patience = patience
    }

    /// What can be said before MPI is started: that it cannot be. Nil where it can.
    public static func judgeLaunch() -> ExitStatus? {
        let reader = FactReader()
        guard reader.isStrandedUnderSlurm, let announced = reader.announcement else { return nil }
        let console = Console(speaks: Launcher.isFirstRank)
        let lines = DoctorReport.lines(
            LaunchJudgement.stranded(announced), .ranksAlone, place: ProcessInfo.processInfo.hostName)
        for line in lines { console.line(line) }
        return .runtimeFailure
    }

    public func run(_ session: Session) throws -> ExitStatus {
        let communicator = session.communicator
        communicator.deadlineSeconds = patience
        defer { communicator.deadlineSeconds = nil }
        let configuration = try config.map {
            try ConfigurationSource(session, path: $0).load(overrides: overrides)
        }
        let facts = try gather(session, configuration)
        // Rank 0 knows; the status is everybody's.
        let report = facts.map(DoctorReport.init)
        let hasFailed = report.map { $0.faultCount > 0 || isStrict && !$0.findings.isEmpty } ?? false
        // Where ranks do not find each other each takes itself for rank 0: the launcher's numbers tell who speaks.
        if let report, communicator.size > 1 || Launcher.isFirstRank { show(report, session.console) }
        return try communicator.isTrueOnAny(hasFailed) ? .runtimeFailure : .done
    }

    private func show(_ report: DoctorReport, _ console: Console) {
        if isJSON { return console.raw(report.json.text + "\n") }
        for line in (isVerbose ? report.factLines : []) + report.lines { console.line(line) }
    }

    // MARK: Facts

    /// The facts of all ranks in their order, on rank 0; nil on the others. Collective.
    private func gather(_ session: Session, _ configuration: RunConfiguration?) throws -> [NodeFacts]? {
        let communicator = session.communicator
        let reader = FactReader()
        let faults = try communicator.agreed { try FaultInjection(rank: communicator.rank) }
        let requested = configuration?.training.threads ?? 0
        let threads = try session.threadPlan(requested: requested).threads
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

    /// Whether this rank sees a file that rank 0 makes; nil on rank 0, and where it cannot make one. Collective.
    private func seesRankZero(_ communicator: Communicator, _ probe: StorageProbe) throws -> Bool? {
        let name = try communicator.textFromRankZero { probe.light() ? probe.beacon : "" }
        let seen = communicator.rank == 0 || name.isEmpty ? nil : probe.sees(name)
        try communicator.barrier()
        if communicator.rank == 0 { probe.extinguish() }
        return seen
    }

    private static func plan(
        _ configuration: RunConfiguration, ranks: Int, ranksOnNode: Int, threads: Int
    ) -> PlanFacts {
        let layout = MemoryLayoutPlan(configuration, ranks: ranks, ranksOnNode: ranksOnNode)
        let parts = layout.parts(threads: threads)
        return PlanFacts(
            name: configuration.name, memoryBytes: parts.total, checkpointBytes: layout.checkpointBytes,
            // A shard holds what the snapshot is a copy of.
            shardBytes: parts.snapshot, keeps: configuration.checkpoint.keep,
            usesBFloat16: configuration.training.precision == .bf16,
            isReproducible: configuration.training.reproducible)
    }

    /// Open MPI's version has all its details behind a comma.
    static func firstLine(_ text: String) -> String {
        String(text.prefix { $0 != "\n" && $0 != "," })
    }
}
