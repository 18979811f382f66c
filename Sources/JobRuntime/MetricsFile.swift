// MetricsFile - `metrics.jsonl`: every row of a run's metrics as a line of JSON.

internal import Foundation
package import Reporting

/// The sink `metrics.jsonl`, which every run has, because `compare` and a resume read it; rank 0 only.
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
    ///   - path: the file's name in messages; ``lacksEvaluation(step:)`` reads it.
    ///   - end: offset of the next row in the file, in bytes.
    ///   - limit: bytes of rows that may wait.
    package init(
        path: String, file: any RowFile, end: UInt64, holding directory: RunDirectory,
        limit: Int = AppendedRows.mostWaitingBytes, warn: @escaping (String) -> Void
    ) {
        self.path = path
        rows = AppendedRows(path: path, file: file, end: end, holding: directory, limit: limit, warn: warn)
    }

    /// Whether no evaluation of `step` follows the last training row of the step. An evaluation before that row belongs
    /// to an earlier pass. If the row was lost, any evaluation of the step counts. A file without rows belongs to a new
    /// run.
    package func lacksEvaluation(step: Int) throws -> Bool {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be read: \(error.localizedDescription)")
        }
        // Rows of this program begin so.
        let lines = text.split(separator: "\n")
        let trained = lines.lastIndex { $0.hasPrefix("{\"step\": \(step), \"tokens\":") } ?? 0
        return !lines.isEmpty
            && !lines[trained...].contains { $0.hasPrefix("{\"step\": \(step), \"validation_ce\":") }
    }

    package func append(_ row: JSONValue) throws { try rows.append(row.text) }

    package func finish() throws { try rows.finish() }

    package var synchronizer: @Sendable () throws -> Void { rows.synchronizer }
}
