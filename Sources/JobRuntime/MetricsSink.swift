// MetricsSink - receivers of the rows of a run's metrics, and all sinks of a run as one.

package import Configuration
package import Reporting

/// Receives the rows of a run's metrics, in their order; rank 0 only.
package protocol MetricsSink: AnyObject {
    /// Takes a row of any kind: of a step, an evaluation or a save.
    ///
    /// A sink keeps rows that cannot be written at the moment, and throws only where the run cannot go on.
    func append(_ row: JSONValue) throws

    /// Writes what is left at the end of the run.
    ///
    /// - Throws: when rows are still missing.
    func finish() throws

    /// A function that brings written rows to the disk. Another thread calls it before a checkpoint is published.
    var synchronizer: @Sendable () throws -> Void { get }
}

/// All sinks of a run (`logging.sinks`): each receives every row.
package final class MetricsSinks: MetricsSink {
    /// `metrics.jsonl`, in which a resume looks for evaluations.
    package let file: MetricsFile
    private let sinks: [any MetricsSink]

    /// Opens the sinks of a start.
    ///
    /// - Parameters:
    ///   - step: the last step before the start; rows of later steps are out of date.
    ///   - warn: is told when rows begin to wait, and when all are written.
    package convenience init(
        _ kinds: [LoggingConfiguration.Sink], in directory: RunDirectory, after step: Int,
        warn: @escaping (String) -> Void
    ) throws {
        let file = try MetricsFile(path: directory.metricsPath, holding: directory, warn: warn)
        let sinks = try kinds.map { kind -> any MetricsSink in
            switch kind {
            case .jsonl: file
            case .csv:
                try CSVMetricsFile(
                    path: directory.path + "/" + kind.fileName, after: step, holding: directory, warn: warn)
            }
        }
        self.init(file: file, sinks: sinks)
    }

    /// - Parameter sinks: all of them, `file` included.
    init(file: MetricsFile, sinks: [any MetricsSink]) {
        self.file = file
        self.sinks = sinks
    }

    package func append(_ row: JSONValue) throws { for sink in sinks { try sink.append(row) } }

    package func finish() throws { try Self.forEach(sinks) { try $0.finish() } }

    package var synchronizer: @Sendable () throws -> Void {
        let synchronizers = sinks.map(\.synchronizer)
        return { try Self.forEach(synchronizers) { try $0() } }
    }

    /// Runs `body` for all sinks, and throws the first error afterwards. Why: the failure of one sink must not cost the
    /// rows of another.
    private static func forEach<Element>(_ elements: [Element], _ body: (Element) throws -> Void) throws {
        var failures: [any Error] = []
        for element in elements {
            do { try body(element) } catch { failures.append(error) }
        }
        guard let first = failures.first else { return }
        guard failures.count > 1 else { throw first }
        throw ProgramFailure(
            ProgramFailure(first).status, failures.map { ProgramFailure($0).message }.joined(separator: "\n"))
    }
}
