// DoctorCommand - `mile-dist doctor`: facts of all ranks, gathered and judged on rank 0.

internal import ClusterDoctor
internal import Configuration
internal import Foundation
internal import Glibc
public import JobRuntime
internal import MessagePassing
internal import Planning
public import Reporting
internal import Training

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
        let reader = SystemReader()
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
        let facts = try FactGathering(session, directory: directory).run(configuration)
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
}
