// AppendedRows - lines that a run appends to a file, also across a time in which it cannot be written.

internal import Foundation
internal import Reporting

/// A file of lines, the rows of a metrics sink; rank 0 only.
///
/// Rows that cannot be written, because the disk is full or a server away, do not end a run: they are kept, and written
/// before the next one that can be. Only at the end of the run is a row that is still missing an error.
final class AppendedRows {
    /// Bytes of rows that are kept at most: little beside a model, and as much as 100,000 steps write.
    static let mostWaitingBytes = 50_000_000

    private let file: any RowFile
    private let path: String
    /// The first line of the file, with its end; empty for none.
    private let header: [UInt8]
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
    ///   - end: where the next row goes.
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

    /// Appends a row, and before it those that wait.
    ///
    /// Throws only when so many wait that keeping more would take the memory that training needs.
    ///
    /// Where somebody has removed the file or its directory, they are made again, and a warning says so.
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

    /// The end of the run: throws when rows are still missing.
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

    /// What brings written rows to the disk; for another thread, since that may take long.
    var synchronizer: @Sendable () throws -> Void {
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
