// AppendedRows - lines that a run appends to a file; they are kept while the file cannot be written.

internal import Foundation
internal import Reporting

/// A file of lines, the rows of a metrics sink; rank 0 only.
///
/// Rows that cannot be written, because the disk is full or a server away, do not end a run. They are kept and written
/// before the next row. Only at the end of the run a missing row is an error.
final class AppendedRows {
    /// Bytes of rows that are kept, at most: those of 100,000 steps, little beside a model.
    static let mostWaitingBytes = 50_000_000

    private let file: any RowFile
    private let path: String
    /// The first line of the file, with its end; empty for none.
    private let header: [UInt8]
    /// Keeps the run directory locked for as long as rows may be written.
    private let directory: RunDirectory
    private let limit: Int
    private let warn: (String) -> Void
    /// End of the written bytes, as an offset in the file; it may be within a row.
    private var end: UInt64
    /// Rows that are not, or not wholly, in the file, oldest first.
    private var waiting: [[UInt8]] = []
    /// Bytes of the first waiting row that are in the file.
    private var begun = 0
    /// Bytes of all waiting rows that are not in the file.
    private var waitingBytes = 0
    /// Rows that could not be written at once, since the last time that no row waited.
    private var delayed = 0
    /// Whether another job has taken the directory.
    private var hasLostPlace = false
    /// A directory or file that was made again, and of which no warning has told yet.
    private var untold: String?

    /// Opens for appending. A line that a killed run left unfinished is cut off: readers expect whole rows.
    ///
    /// - Parameters:
    ///   - header: the first line of the file.
    ///   - kept: bytes of an existing file that stay, at most; nil: all whole lines.
    ///   - warn: is told when rows begin to wait, and when all are written.
    convenience init(
        path: String, header: String? = nil, kept: UInt64? = nil, holding directory: RunDirectory,
        warn: @escaping (String) -> Void
    ) throws {
        let (file, end): (SystemRowFile, UInt64)
        do {
            file = try SystemRowFile(path: path)
            end = min(try file.lengthOfWholeLines(), kept ?? .max)
            try file.truncate(to: end)
        } catch {
            let reason = (error as? SystemError).map { "\($0)" } ?? error.localizedDescription
            throw ProgramFailure(.badInput, "\(path) cannot be written: \(reason)")
        }
        self.init(path: path, header: header, file: file, end: end, holding: directory, warn: warn)
    }

    /// - Parameters:
    ///   - path: its name in messages.
    ///   - header: written before the first row of a file that is empty.
    ///   - end: offset of the next row in the file, in bytes.
    ///   - limit: bytes of rows that may wait.
    init(
        path: String, header: String? = nil, file: any RowFile, end: UInt64, holding directory: RunDirectory,
        limit: Int = mostWaitingBytes, warn: @escaping (String) -> Void
    ) {
        self.path = path
        self.header = header.map { Array(($0 + "\n").utf8) } ?? []
        self.file = file
        self.end = end
        self.directory = directory
        self.limit = limit
        self.warn = warn
    }

    /// Appends the waiting rows and then `row`. A removed file or directory is made again, with a warning.
    ///
    /// - Throws: when the waiting rows exceed the limit, beyond which they would take the memory that training needs;
    ///   when another job has taken the directory.
    func append(_ row: String) throws {
        if hasLostPlace { return }
        let bytes = Array((row + "\n").utf8)
        waiting.append(bytes)
        waitingBytes += bytes.count
        do {
            try restore()
            try writeWaiting()
            if delayed > 0 { warn("\(path) is written again, with the \(delayed) rows that had to wait") }
            delayed = 0
        } catch let failure as ProgramFailure {
            // Another job writes there: the run ends, and its further rows have no place.
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
        defer { addHeader() }
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

    /// An empty file begins with the header, which waits like a row.
    private func addHeader() {
        guard !header.isEmpty, end == 0, begun == 0, waiting.first != header else { return }
        waiting.insert(header, at: 0)
        waitingBytes += header.count
    }

    /// Writes the waiting rows at the end of the run.
    ///
    /// - Throws: when rows are still missing.
    func finish() throws {
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
                "\(path) cannot be written: \(error)\(problem). Its last \(waiting.count { $0 != header }) rows are lost; "
                    + "checkpoints are not concerned.")
        }
    }

    /// A function that brings the written rows to the disk; for another thread, since it may take long.
    var synchronizer: @Sendable () throws -> Void {
        { [file] in try file.synchronize() }
    }

    /// Writes the waiting rows, from the byte at which the last attempt ended.
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

    /// Removes the written bytes of an unfinished row from the file, because readers expect whole rows.
    ///
    /// - Returns: the error if that failed; the next start removes them then.
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
