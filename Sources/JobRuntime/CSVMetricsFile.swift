// CSVMetricsFile - `metrics.csv`: the numbers of every training step as a table.

internal import Foundation
package import Reporting

/// One line per training step below a fixed header, for spreadsheets and data frames; rank 0 only.
///
/// A step has one row, so a start removes the rows after the step that it continues from. (Readers of `metrics.jsonl`
/// take the last row of a step; readers of a table do not.) A value that is not finite is an empty cell.
package final class CSVMetricsFile: MetricsSink {
    /// The keys of a training row that the table has.
    static let columns = [
        "step", "tokens", "loss", "ce", "entropy", "alpha", "lr", "grad_norm", "step_seconds", "tokens_per_second",
    ]
    static let header = columns.joined(separator: ",")

    private let rows: AppendedRows

    /// Opens for appending, without the rows after `step`.
    ///
    /// - Parameter warn: is told when rows begin to wait, and when all are written.
    /// - Throws: status 2 for a file that is no table of this program, which stays as it is.
    package init(
        path: String, after step: Int, holding directory: RunDirectory, warn: @escaping (String) -> Void
    ) throws {
        let kept = try Self.length(of: path, upTo: step)
        rows = try AppendedRows(path: path, header: Self.header, kept: kept, holding: directory, warn: warn)
    }

    /// - Parameter file: an empty file.
    init(path: String, file: any RowFile, holding directory: RunDirectory, warn: @escaping (String) -> Void) {
        rows = AppendedRows(path: path, header: Self.header, file: file, end: 0, holding: directory, warn: warn)
    }

    package func append(_ row: JSONValue) throws {
        guard let cells = Self.cells(row) else { return }
        try rows.append(cells.joined(separator: ","))
    }

    package func finish() throws { try rows.finish() }

    package var synchronizer: @Sendable () throws -> Void { rows.synchronizer }

    /// The cells of a training row; nil for a row of another kind, which lacks some of the columns.
    private static func cells(_ row: JSONValue) -> [String]? {
        guard case .object(let pairs) = row else { return nil }
        let cells = columns.compactMap { column in
            pairs.first { $0.key == column }.map { $0.value == .null ? "" : $0.value.text }
        }
        return cells.count == columns.count ? cells : nil
    }

    /// Bytes of the table at `path` up to its last row of a step that is at most `step`; 0 where no table is.
    private static func length(of path: String, upTo step: Int) throws -> UInt64 {
        guard FileManager.default.fileExists(atPath: path) else { return 0 }
        let bytes: [UInt8]
        do {
            bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw ProgramFailure(.badInput, "\(path) cannot be read: \(FileErrors.reason(error))")
        }
        // What follows the last line break is a row that a killed run left unfinished.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
        guard let first = lines.first else { return 0 }
        try require(first.elementsEqual(header.utf8), path, 1, first, "the header \"\(header)\"")
        var length = first.count + 1
        for (index, line) in lines.dropFirst().enumerated() {
            let number = Int(String(decoding: line.prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self))
            try require(number != nil, path, index + 2, line, "a row that begins with the number of a step")
            guard let number, number <= step else { break }
            length += line.count + 1
        }
        return UInt64(length)
    }

    private static func require(
        _ isRight: Bool, _ path: String, _ number: Int, _ line: ArraySlice<UInt8>, _ allowed: String
    ) throws {
        guard !isRight else { return }
        throw ProgramFailure(
            .badInput,
            "\(path):\(number): found \"\(String(decoding: line.prefix(80), as: UTF8.self))\"; allowed: \(allowed). Move the "
                + "file away, or leave csv out of logging.sinks.")
    }
}
