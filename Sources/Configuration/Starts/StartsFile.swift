// StartsFile - `starts.jsonl` in a run directory: every start, one row each, never changed afterwards.

internal import Foundation
internal import Reporting

/// The file of one run directory.
package struct StartsFile: Sendable {
    package static let name = RunFiles.starts

    package let path: String

    package init(directory: String) { path = directory + "/" + Self.name }

    /// A row of the file as text, and its content.
    package typealias Row = (text: String, record: StartRecord)

    /// The rows; nil where there is no file.
    ///
    /// - Throws: ``ProgramFailure`` with status 2, naming file and line, for text that is no row.
    package func rows() throws -> [Row]? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ProgramFailure(.badInput, "\(path) cannot be read: \(FileErrors.reason(error))")
        }
        // A killed start may have left an unfinished line.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return try lines.enumerated().map { index, line in
            (String(line), try StartRecord(line: line, place: "\(path):\(index + 1)"))
        }
    }

    /// Appends rows, which are on the disk afterwards. An unfinished line at the end is cut off.
    package func append(_ lines: [String]) throws {
        do {
            let file = try SystemRowFile(path: path)
            var end = try file.lengthOfWholeLines()
            try file.truncate(to: end)
            var bytes = Array(lines.map { $0 + "\n" }.joined().utf8)[...]
            while !bytes.isEmpty {
                let count = try file.write(bytes, at: end)
                bytes = bytes.dropFirst(count)
                end += UInt64(count)
            }
            try file.synchronize()
        } catch {
            let reason = (error as? SystemError).map { "\($0)" } ?? FileErrors.reason(error)
            throw ProgramFailure(.badInput, "\(path) cannot be written: \(reason)")
        }
    }
}
