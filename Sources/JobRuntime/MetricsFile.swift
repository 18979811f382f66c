// MetricsFile - `metrics.jsonl`, to which rank 0 appends, also across a time in which it cannot be written.

internal import Foundation
package import Reporting

/// The file that rows are appended to; rank 0 only.
///
/// Rows that cannot be written, because the disk is full or a server away, do not end a run: they are kept, and written
/// before the next one that can be. Only at the end of the run is a row that is still missing an error.
package final class MetricsFile {
    /// Bytes of rows that are kept at most: little beside a model, and as much as 100,000 steps write.
    static let mostWaitingBytes = 50_000_000

    private let file: any RowFile
    private let path: String
    /// Keeps the run directory locked for as long as rows may be written.
    private let directory: RunDirectory
    private let limit: Int
    private let warn: (String) -> Void
    /// End of what was written, which may be within a row.
    private var end: UInt64
    /// Rows that are not, or not wholly, in the file, oldest first.
    private var waiting: [[UInt8]] = []
    /// Bytes of the first of them that are.
    private var begun = 0
    /// Bytes of them that are not.
    private var waitingBytes = 0
    /// Rows that have had to wait since the last time when none did.
    private var delayed = 0
    /// Whether another job has taken the directory.
    private var hasLostPlace = false
    /// A place that was made again without a warning so far, because the file in it could not be made.
    private var untold: String?

    /// Opens for appending. A line that a killed run left unfinished is cut off: readers expect whole rows.
    ///
    /// - Parameter warn: is told when rows begin to wait, and when all are written.
    package convenience init(path: String, holding directory: RunDirectory, warn: @escaping (String) -> Void) throws {
        let (file, end): (SystemRowFile, UInt64)
        do {
            file = try SystemRowFile(path: path)
            end = try file.lengthOfWholeLines()
            try file.truncate(to: end)
        } catch {
            let reason = (error as? SystemError).map { "\($0)" } ?? error.localizedDescription
            throw ProgramFailure(.badInput, "\(path) cannot be written: \(reason)")
        }
        self.init(path: path, file: file, end: end, holding: directory, warn: warn)
    }

    /// - Parameters:
    ///   - path: its name in messages, and what ``lacksEvaluation(step:)`` reads.
    ///   - end: where the next row goes.
    ///   - limit: bytes of rows that may wait.
    package init(
        path: String, file: any RowFile, end: UInt64, holding directory: RunDirectory, limit: Int = mostWaitingBytes,
        warn: @escaping (String) -> Void
    ) {
        self.path = path
        self.file = file
        self.end = end
        self.directory = directory
        self.limit = limit
        self.warn = warn
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

    /// Appends a row, and before it those that wait.
    ///
    /// Throws only when so many wait that keeping more would take the memory that training needs.
    ///
    /// Where somebody has removed the file or its directory, they are made again, and a warning says so.
    package func append(_ row: JSONValue) throws {
        if hasLostPlace { return }
        let bytes = Array((row.text + "\n").utf8)
        waiting.append(bytes)
        waitingBytes += bytes.count
        do {
            try restore()
            try writeWaiting()
            if delayed > 0 { warn("\(path) is written again, with the \(delayed) rows that had to wait") }
            delayed = 0
        } catch let failure as ProgramFailure {
            // Another job writes there: the run ends, and what is still said of it has no place.
            hasLostPlace = true
            throw failure
        } catch {
            let text = "\(path) cannot be written: \(error)"
            if delayed == 0 { warn(text + "; training goes on, and its rows are kept until it can be") }
            delayed += 1
            if waitingBytes > limit { throw ProgramFailure(.runtimeFailure, text) }
        }
    }

    /// Makes the directory and the file again where somebody has removed them.
    private func restore() throws {
        if let place = try directory.restore() { untold = place }
        let start = try file.restore()
        if let start {
            end = start
            waitingBytes += begun
            begun = 0
            untold = untold ?? path
        }
        guard let place = untold else { return }
        untold = nil
        warn(
            "\(place) was removed or replaced under this run. It is made again, and training goes on"
                + (start == nil ? "" : "; the earlier rows of \(path) are lost"))
    }

    /// The end of the run: throws when rows are still missing.
    package func finish() throws {
        guard !waiting.isEmpty, !hasLostPlace else { return }
        do {
            // Rows in a file that somebody has removed would be lost without an error.
            try restore()
            try writeWaiting()
        } catch let failure as ProgramFailure {
            hasLostPlace = true
            throw failure
        } catch {
            let problem = cutOffBegunRow().map { ", and the beginning of a row not removed: \($0)" } ?? ""
            throw ProgramFailure(
                .runtimeFailure,
                "\(path) cannot be written: \(error)\(problem). Its last \(waiting.count) rows are lost; "
                    + "checkpoints are not concerned.")
        }
    }

    /// What brings written rows to the disk; for another thread, since that may take long.
    package var synchronizer: @Sendable () throws -> Void {
        { [file] in try file.synchronize() }
    }

    /// Goes on where the last attempt ended, be it within a row.
    private func writeWaiting() throws(SystemError) {
        var done = 0
        defer { waiting.removeFirst(done) }
        while done < waiting.count {
            let row = waiting[done]
            while begun < row.count {
                let count = try file.write(row[begun...], at: end)
                begun += count
                end += UInt64(count)
                waitingBytes -= count
            }
            begun = 0
            done += 1
        }
    }

    /// Readers expect whole rows.
    ///
    /// - Returns: why it could not be removed, if so; then the next start does it.
    private func cutOffBegunRow() -> SystemError? {
        guard begun > 0 else { return nil }
        do {
            try file.truncate(to: end - UInt64(begun))
        } catch {
            return error
        }
        end -= UInt64(begun)
        waitingBytes += begun
        begun = 0
        return nil
    }
}
