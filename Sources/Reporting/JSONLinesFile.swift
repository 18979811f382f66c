// JSONLinesFile - a file that an option names and that receives a JSON value per line.

internal import Foundation

/// A file of JSON lines; rank 0 only.
///
/// Open it before anything is computed, so that a path that cannot be written ends a command early.
package final class JSONLinesFile {
    private let handle: FileHandle
    private let path: String
    private let option: String

    /// Creates the file, or replaces one at `path`.
    ///
    /// - Parameter option: the option that names the file, for messages: `--per-token`.
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
