// MetricsFile - `metrics.jsonl`: every row of a run's metrics as a line of JSON.

internal import Foundation
package import Reporting

/// The sink that every run has, because `compare` and a resume read it; rank 0 only.
package final class MetricsFile: MetricsSink {
    private let path: String
    private let rows: AppendedRows

    /// Opens for appending. A line that a killed run left unfinished is cut off.
    ///
    /// - Parameter warn: is told when rows begin to wait, and when all are written.
    package init(path: String, holding directory: RunDirectory, warn: @escaping (String) -> Void) throws {
        self.path = path
        rows = try AppendedRows(path: path, holding: directory, warn: warn)
    }

    /// - Parameters:
    ///   - path: its name in messages, and what ``lacksEvaluation(step:)`` reads.
    ///   - end: where the next row goes.
    ///   - limit: bytes of rows that may wait.
    package init(
        path: String, file: any RowFile, end: UInt64, holding directory: RunDirectory,
        limit: Int = AppendedRows.mostWaitingBytes, warn: @escaping (String) -> Void
    ) {
        self.path = path
        rows = AppendedRows(path: path, file: file, end: end, holding: directory, limit: limit, warn: warn)
    }

    /// Whether the last training row of `step` is followed by no evaluation of it: an earlier one is of an earlier pass. Where
    /// that row itself was lost, any evaluation of the step counts; a file without rows belongs to a new run.
    package func lacksEvaluation(step: Int) throws -> Bool {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be read: \(error.localizedDescription)")
        }
        // As the rows of this program begin.
        let lines = text.split(separator: "\n")
        let trained = lines.lastIndex { $0.hasPrefix("{\"step\": \(step), \"tokens\":") } ?? 0
        return !lines.isEmpty
            && !lines[trained...].contains { $0.hasPrefix("{\"step\": \(step), \"validation_ce\":") }
    }

    package func append(_ row: JSONValue) throws { try rows.append(row.text) }

    package func finish() throws { try rows.finish() }

    package var synchronizer: @Sendable () throws -> Void { rows.synchronizer }
}
