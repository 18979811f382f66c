// MetricsFile - `metrics.jsonl`, to which rank 0 appends, also across a time in which it cannot be written.

internal import Foundation

/// The file that rows are appended to; rank 0 only.
///
/// Rows that cannot be written, because the disk is full or a server away, do not end a run: they are kept, and written
/// before the next one that can be. Only at the end of the run is a row that is still missing an error.
final class MetricsFile {
    /// Rows that are kept at most, some 50 MB of them.
    static let mostWaiting = 100_000

    private let handle: FileHandle
    private let path: String
    /// Keeps the run directory locked for as long as rows may be written.
    private let directory: RunDirectory
    private let warn: (String) -> Void
    /// End of the last row that was written.
    private var end: UInt64 = 0
    /// Lines that could not be written yet, oldest first.
    private var waiting: [String] = []

    /// Opens for appending. A line that a killed run left unfinished is cut off: readers expect whole rows.
    ///
    /// - Parameter warn: is told when rows begin to wait, and when all are written.
    init(path: String, holding directory: RunDirectory, warn: @escaping (String) -> Void) throws {
        self.path = path
        self.directory = directory
        self.warn = warn
        do {
            if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
            handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            end = try Self.lengthOfWholeLines(handle)
            try handle.truncate(atOffset: end)
        } catch {
            throw ProgramFailure(.badInput, "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// Whether the last training row of `step` is followed by no evaluation of it: an earlier one is of an earlier pass. Where
    /// that row itself was lost, any evaluation of the step counts; a file without rows belongs to a new run.
    func lacksEvaluation(step: Int) throws -> Bool {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be read: \(error.localizedDescription)")
        }
        // As the rows of this program begin.
        let lines = text.split(separator: "\n")
        guard let trained = lines.lastIndex(where: { $0.hasPrefix("{\"step\": \(step), \"tokens\":") }) else {
            return !lines.isEmpty && !lines.contains { $0.hasPrefix("{\"step\": \(step), \"validation_ce\":") }
        }
        return !lines[trained...].contains { $0.hasPrefix("{\"step\": \(step), \"validation_ce\":") }
    }

    /// Appends a row, and before it those that wait.
    ///
    /// Throws only when so many wait that keeping more would take the memory that training needs.
    func append(_ row: JSONValue) throws {
        let before = waiting.count
        waiting.append(row.text + "\n")
        do {
            try writeWaiting()
            if before > 0 { warn("\(path) is written again, with the \(before) rows that had to wait") }
        } catch {
            let text = "\(path) cannot be written: \(error.localizedDescription)"
            if before == 0 { warn(text + "; training goes on, and its rows are kept until it can be") }
            if waiting.count > Self.mostWaiting { throw ProgramFailure(.runtimeFailure, text) }
        }
    }

    /// The end of the run: throws when rows are still missing.
    func finish() throws {
        guard !waiting.isEmpty else { return }
        do {
            try writeWaiting()
        } catch {
            throw ProgramFailure(
                .runtimeFailure,
                "\(path) cannot be written: \(error.localizedDescription). Its last \(waiting.count) rows are lost; "
                    + "checkpoints are not concerned.")
        }
    }

    /// What brings written rows to the disk; for another thread, since that may take long.
    var synchronizer: @Sendable () throws -> Void {
        { [handle] in try handle.synchronize() }
    }

    /// Always from the end of the last row: what a failed attempt has left behind it is written over.
    private func writeWaiting() throws {
        let data = Data(waiting.joined().utf8)
        try handle.seek(toOffset: end)
        try handle.write(contentsOf: data)
        end += UInt64(data.count)
        waiting = []
    }

    private static func lengthOfWholeLines(_ handle: FileHandle) throws -> UInt64 {
        let size = try handle.seekToEnd()
        var end = size
        // Rows are short: a few kilobytes from the end hold the last line break.
        while end > 0 {
            let start = end > 4096 ? end - 4096 : 0
            try handle.seek(toOffset: start)
            let piece = try handle.read(upToCount: Int(end - start)) ?? Data()
            if let last = piece.lastIndex(of: UInt8(ascii: "\n")) {
                return start + UInt64(last - piece.startIndex) + 1
            }
            end = start
        }
        return 0
    }
}
