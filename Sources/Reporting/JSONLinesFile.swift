// JSONLinesFile - a file that an option names and that receives a JSON value per line.

internal import Foundation

/// Written by rank 0 only; opened before anything is computed, so that a path that cannot be written ends a command early.
package final class JSONLinesFile {
    private let handle: FileHandle
    private let path: String
    private let option: String

    /// Replaces a file at `path`.
    ///
    /// - Parameter option: what messages call it, for example `--per-token`.
    package init(path: String, option: String) throws {
        self.path = path
        self.option = option
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ProgramFailure(.badInput, "\(option): \(path) cannot be written") }
        self.handle = handle
    }

    package func append(_ rows: [JSONValue]) throws {
        do {
            try handle.write(contentsOf: Data(rows.map { $0.text + "\n" }.joined().utf8))
        } catch {
            throw ProgramFailure(
                .runtimeFailure, "\(option): \(path) cannot be written: \(FileErrors.reason(error))")
        }
    }
}
