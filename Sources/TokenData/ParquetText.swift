// ParquetText - Parquet files as lines of JSON, read by Python and pyarrow in a child process.

internal import Foundation
internal import InputFiles

extension DocumentSource {
    /// Parquet. `prepare` and `tokenizer train` read it; training reads what they prepared.
    static let parquet = DocumentSource(suffix: ".parquet", layout: .lines, isTable: true)
}

/// The rows of a Parquet file, each a line of JSON.
///
/// The child tells the end of its rows and their number. A child that ends before, for any reason, is an error.
final class ParquetText: CompressedText {
    /// The environment variable that names another Python.
    static let variable = "MILE_PYTHON"
    private static let standardPython = "python3"
    /// Largest block that the child writes.
    private static let largestBlock = 1 << 24
    private static let lineFeed = UInt8(ascii: "\n")

    private let path: String
    private let python: String
    private let child: ReaderProcess
    /// Bytes from the child that are not used yet.
    private var input: [UInt8] = []
    private var start = 0
    private var hasBegun = false
    private var hasEnded = false
    private var rows = 0
    private(set) var offset = 0

    /// Starts the child.
    ///
    /// - Parameters:
    ///   - textKey: the column of the text, or a path of struct fields such as `a.b`.
    ///   - python: the program; nil: `MILE_PYTHON`, else `python3`.
    /// - Throws: ``DataError`` if Python cannot be started.
    init(path: String, textKey: String, python: String? = nil) throws {
        self.path = path
        let named = ProcessInfo.processInfo.environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
        self.python = python ?? named ?? Self.standardPython
        do throws(ReaderProcess.StartError) {
            child = try ReaderProcess(
                program: self.python, arguments: ["-c", ParquetScript.text, path, textKey])
        } catch {
            throw DataError(
                file: path, problem: "Parquet is read through \(self.python), which cannot be started: \(error.words)",
                remedy: Self.installation)
        }
    }

    /// The remedy that installs pyarrow.
    static let installation =
        "install pyarrow: python3 -m venv pyarrow && pyarrow/bin/pip install pyarrow, then set "
        + "\(variable)=$PWD/pyarrow/bin/python"

    /// The next lines; nil after the last row, and at every later call.
    ///
    /// - Throws: ``DataError`` for a file that pyarrow cannot read, and without pyarrow. ``InputError`` for a child that
    ///   was killed, or does not write what it should.
    func next() throws -> [UInt8]? {
        if hasEnded { return nil }
        if !hasBegun {
            guard try take(ParquetScript.magic.count) == ParquetScript.magic else {
                throw failure("it wrote other data")
            }
            hasBegun = true
        }
        let header = try take(ParquetScript.headerSize)
        let size = Self.number(header[..<4])
        guard size <= Self.largestBlock else { throw failure("it wrote other data") }
        offset = Self.number(header[4...])
        guard size == 0 else {
            let lines = try take(size)
            rows += lines.count { $0 == Self.lineFeed }
            return lines
        }
        let count = Self.number(try take(ParquetScript.trailerSize)[...])
        guard count == rows else { throw failure("it wrote \(rows) rows, and tells of \(count)") }
        guard try fill(1) == false else { throw failure("it wrote more than its rows") }
        let end = child.wait()
        guard end == .exited(0) || end == .unknown else { throw failure("it failed after its last row") }
        hasEnded = true
        return nil
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        // A number above Int's is no size.
        Int(clamping: bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// Exactly `count` bytes from the child.
    private func take(_ count: Int) throws -> [UInt8] {
        guard try fill(count) else { throw failure("it ended in the middle of the file") }
        defer { start += count }
        return Array(input[start..<(start + count)])
    }

    /// Reads until `count` bytes are there. Returns whether they are: the child may have ended.
    private func fill(_ count: Int) throws -> Bool {
        while input.count - start < count {
            input.removeFirst(start)
            start = 0
            let block: [UInt8]
            do throws(ReaderProcess.StartError) { block = try child.read(limit: 1 << 17) } catch {
                throw InputError(
                    file: path, problem: "reading from \(python) failed: \(error.words)",
                    remedy: "run the same command again")
            }
            if block.isEmpty { return false }
            input += block
        }
        return true
    }

    /// The error of a child that did not write all rows.
    ///
    /// - Parameter protocolProblem: the problem of what it wrote, which counts if it has no error of its own.
    private func failure(_ protocolProblem: String) -> any Error {
        // A child that goes on writing would not end.
        let end = hasEndedOutput ? child.wait() : .unknown
        let words = child.errorText().trimmingCharacters(in: .whitespacesAndNewlines)
        switch end {
        case .exited(let status):
            switch ParquetScript.Status(rawValue: status) {
            case .noLibrary:
                return DataError(
                    file: path, problem: "Parquet is read through pyarrow, which \(python) does not have (\(words))",
                    remedy: Self.installation)
            case .wrongColumn:
                return DataError(
                    file: path, problem: words,
                    remedy: "name the column of the text: --text-key COLUMN, or PARENT.FIELD")
            case .unreadable:
                return DataError(
                    file: path, problem: "pyarrow cannot read it: \(words)", remedy: "copy or download the file again")
            case nil: break
            }
            let last = words.split(separator: "\n").last.map { ": \($0)" } ?? ""
            return InputError(
                file: path,
                problem: "\(python), which reads Parquet, ended with status \(status); \(protocolProblem)\(last)",
                remedy: "see that \(python) runs here (\(Self.variable) names another), and run the same command again")
        case .killed(let signal):
            return InputError(
                file: path,
                problem: "\(python), which reads Parquet, was killed by signal \(signal) in the middle of the file",
                remedy: signal == 9
                    ? "see whether memory was short, and run the same command again" : "run the same command again")
        case .unknown:
            return InputError(
                file: path, problem: "\(python), which reads Parquet, gave no complete file: \(protocolProblem)",
                remedy: "see that \(python) is Python (\(Self.variable) names another), and run the same command again")
        }
    }

    /// Whether the child's output has ended, after what is there was thrown away. At most some blocks are read.
    private var hasEndedOutput: Bool {
        for _ in 0..<64 {
            guard let block = try? child.read(limit: 1 << 17) else { return false }
            if block.isEmpty { return true }
        }
        return false
    }
}
