// ParquetTextTests - what a reader of Parquet writes is taken whole or not at all; pyarrow's rows are read.

import DataFixtures
import Foundation
import InputFiles
import Testing

@testable import TokenData

/// The Python with pyarrow that `MILE_PYTHON` names, or python3.
let pythonOfTests = ProcessInfo.processInfo.environment[ParquetText.variable] ?? "python3"

/// Whether that Python has pyarrow.
let hasPyarrow: Bool = {
    let child = try? ReaderProcess(program: pythonOfTests, arguments: ["-c", "import pyarrow.parquet"])
    return child?.wait() == .exited(0)
}()

@Suite struct ParquetTextTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private func block(_ lines: String, position: Int = 7) -> [UInt8] {
        little(lines.utf8.count, 4) + little(position, 8) + Array(lines.utf8)
    }

    private func end(rows: Int) -> [UInt8] { little(0, 4) + little(99, 8) + little(rows, 8) }

    private static let magic = ParquetScript.magic

    /// A program that writes `bytes`, then runs `rest` in a shell.
    private func program(_ bytes: [UInt8], _ rest: String = "exit 0") throws -> String {
        let content = try directory.write("bytes-\(UUID().uuidString)", bytes)
        let path = try directory.write("python-\(UUID().uuidString)", "#!/bin/sh\ncat '\(content)'\n\(rest)\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private func lines(_ python: String, path: String = "a.parquet", key: String = "text") throws -> String {
        let text = try ParquetText(path: path, textKey: key, python: python)
        var bytes: [UInt8] = []
        while let block = try text.next() { bytes += block }
        #expect(try text.next() == nil)
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: The protocol

    @Test func wholeOutputIsTaken() throws {
        let rows = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n"
        let bytes = Self.magic + block(rows, position: 5) + block("{\"text\":\"c\"}\n", position: 8) + end(rows: 3)
        let python = try program(bytes)
        #expect(try lines(python) == rows + "{\"text\":\"c\"}\n")
        let text = try ParquetText(path: "a.parquet", textKey: "text", python: python)
        _ = try text.next()
        #expect(text.offset == 5)
        #expect(try lines(try program(Self.magic + end(rows: 0))) == "")
        // A row may be longer than a block.
        #expect(
            try lines(try program(Self.magic + block("{\"text\":") + block("\"a\"}\n") + end(rows: 1)))
                == "{\"text\":\"a\"}\n")
    }

    /// Output that ends anywhere, also where a block ends, is an error; so are other counts and bytes behind the end.
    @Test func partOfTheOutputIsNotTaken() throws {
        let whole = Self.magic + block("{\"text\":\"a\"}\n") + block("{\"text\":\"b\"}\n") + end(rows: 2)
        let starts = [0, 3, 8, 15, 20, 33, 34, 45, 58, whole.count - 20, whole.count - 8, whole.count - 1]
        for count in starts {
            let error = try #require(throws: InputError.self) { try lines(try program(Array(whole[..<count]))) }
            #expect(
                error.file == "a.parquet" && error.problem.contains("it ended in the middle of the file"), "\(error)")
        }
        let fewer = Self.magic + block("{\"text\":\"a\"}\n") + end(rows: 2)
        #expect(
            try #require(throws: InputError.self) { try lines(try program(fewer)) }.problem
                .contains("it wrote 1 rows, and tells of 2"))
        #expect(throws: InputError.self) { try lines(try program(whole + [1])) }
        #expect(throws: InputError.self) { try lines(try program(whole, "exit 9")) }
        #expect(throws: InputError.self) { try lines(try program(Self.magic + [255, 255, 255, 255] + little(0, 8))) }
    }

    @Test func theEndOfTheChildIsNamed() throws {
        let begun = Self.magic + block("{\"text\":\"a\"}\n")
        let killed = try #require(throws: InputError.self) { try lines(try program(begun, "kill -9 $$")) }
        #expect(killed.problem.contains("was killed by signal 9 in the middle of the file"))
        #expect(killed.remedy.contains("memory"))
        let failed = try #require(throws: InputError.self) {
            try lines(try program(begun, "echo Traceback >&2; echo 'KeyError: x' >&2; exit 1"))
        }
        #expect(failed.problem.contains("ended with status 1") && failed.problem.hasSuffix(": KeyError: x"))
        let damaged = try #require(throws: DataError.self) {
            try lines(try program(begun, "echo bad page >&2; exit 5"))
        }
        #expect(damaged.problem == "pyarrow cannot read it: bad page" && damaged.file == "a.parquet")
        let column = try #require(throws: DataError.self) { try lines(try program([], "echo no column >&2; exit 4")) }
        #expect(column.problem == "no column" && column.remedy.contains("--text-key"))
        let absent = try #require(throws: DataError.self) { try lines(try program([], "echo none >&2; exit 3")) }
        #expect(absent.problem.contains("pyarrow, which") && absent.remedy.contains("pip install pyarrow"))
        let missing = try #require(throws: DataError.self) { try lines(directory.path("no-python")) }
        #expect(
            missing.problem.contains("cannot be started: No such file") && missing.remedy == ParquetText.installation)
        let banner = try #require(throws: InputError.self) { try lines("/bin/echo") }
        #expect(banner.problem.contains("it wrote other data"))
        // Standard error of any length blocks nobody.
        let loud = Self.magic + end(rows: 0)
        #expect(try lines(try program(loud, "head -c 3000000 /dev/zero >&2")) == "")
    }

    /// The child has no files of this process, and ends with its reader.
    @Test func theChildIsAlone() throws {
        let file = try ReadableFile(path: try directory.write("open", "x"))
        let child = try ReaderProcess(
            program: "/bin/sh", arguments: ["-c", "ls /proc/$$/fd; cat; echo $PPID; ps -o pgid= $$"])
        var output: [UInt8] = []
        while true {
            let block = try child.read(limit: 100)
            if block.isEmpty { break }
            output += block
        }
        #expect(child.wait() == .exited(0) || child.wait() == .exited(127))
        let words = String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(Array(words.prefix(3)) == ["0", "1", "2"] && words[3] == "\(getpid())", "\(words)")
        withExtendedLifetime(file) {}
        let marker = directory.path("alive")
        var endless: ReaderProcess? = try ReaderProcess(
            program: "/bin/sh", arguments: ["-c", "echo $$; while sleep 0.05; do touch '\(marker)'; done"])
        let announced = try endless?.read(limit: 20) ?? []
        let digits = String(decoding: announced, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        let identifier = try #require(Int32(digits))
        #expect(kill(identifier, 0) == 0)
        endless = nil
        #expect(kill(identifier, 0) == -1)
    }

    // MARK: pyarrow

    /// Runs Python code that writes a table `t` to `path`.
    private func table(_ code: String, _ name: String = "a.parquet") throws -> String {
        let path = directory.path(name)
        let script = "import pyarrow as pa, pyarrow.parquet as pq, sys\npath = sys.argv[1]\n" + code
        let child = try ReaderProcess(program: pythonOfTests, arguments: ["-c", script, path])
        #expect(child.wait() == .exited(0), "\(child.errorText())")
        return path
    }

    private func texts(_ path: String, key: String = "text") throws -> [String?] {
        let lines = try lines(pythonOfTests, path: path, key: key)
        return lines.split(separator: "\n").map { line in
            do {
                return String(
                    decoding: try JSONDocument(line: Array(line.utf8), reading: TextReading(textKey: key)).text,
                    as: UTF8.self)
            } catch {
                #expect((error as? JSONDocument.Problem)?.words == "\"\(key)\" is null")
                return nil
            }
        }
    }

    @Test(.enabled(if: hasPyarrow, "MILE_PYTHON and python3 have no pyarrow"))
    func rowsOfEveryKindAreRead() throws {
        let path = try table(
            """
            x = [None if i % 5 == 4 else "é\\n\\t\\"\\\\ \\u2028 \\0 %d" % i for i in range(1000)]
            t = pa.table({
                "text": x, "large": pa.array(x, pa.large_string()), "coded": pa.array(x).dictionary_encode(),
                "bytes": pa.array([None if s is None else s.encode() for s in x], pa.binary()),
                "a": pa.array([None if s is None else {"b": {"c": s}, "n": 1} for s in x]), "a.b.c": ["literal"] * 1000,
                "p": pa.array([{"q": s} for s in x]), "n": range(1000), "nulls": pa.nulls(1000),
                "meta": pa.array([{"pile_set_name": "P%d" % (i % 3)} for i in range(1000)])})
            pq.write_table(t, path, row_group_size=37)
            """)
        let expected = (0..<1000).map { $0 % 5 == 4 ? nil : "é\n\t\"\\ \u{2028} \0 \($0)" }
        for key in ["text", "large", "coded", "bytes", "p.q"] {
            #expect(try texts(path, key: key) == expected, "\(key)")
        }
        #expect(try texts(path, key: "a.b.c") == [String?](repeating: "literal", count: 1000))
        #expect(try texts(path, key: "nulls") == [String?](repeating: nil, count: 1000))
        let first = try lines(pythonOfTests, path: path).split(separator: "\n")[1]
        #expect(try JSONDocument(line: Array(first.utf8)).domain == .named("P1"))
        for (key, words) in [("n", "\"n\" is int64, not text"), ("none", "no column \"none\""), ("a", "is struct<")] {
            let error = try #require(throws: DataError.self) { try texts(path, key: key) }
            #expect(error.problem.contains(words), "\(error)")
        }
        let nested = try table(
            "pq.write_table(pa.table({'a': pa.array([{'b': 'x'}, None, {'b': None}])}), path)", "n.parquet")
        #expect(try texts(nested, key: "a.b") == ["x", nil, nil])
        let empty = try table("pq.write_table(pa.table({'text': pa.array([], pa.string())}), path)", "e.parquet")
        #expect(try texts(empty) == [])
    }

    @Test(.enabled(if: hasPyarrow, "MILE_PYTHON and python3 have no pyarrow"))
    func bytesThatAreNoTextAreFound() throws {
        let path = try table("pq.write_table(pa.table({'text': pa.array([b'ok', b'a\\xff'], pa.binary())}), path)")
        let text = try ParquetText(path: path, textKey: "text", python: pythonOfTests)
        let lines = try #require(try text.next()).split(separator: 10)
        #expect(throws: JSONDocument.Problem.notUTF8) { try JSONDocument(line: Array(lines[1])) }
        #expect(try JSONDocument(line: Array(lines[0])).text == Array("ok".utf8))
    }

    @Test(.enabled(if: hasPyarrow, "MILE_PYTHON and python3 have no pyarrow"))
    func damageIsNamed() throws {
        let path = try table(
            "pq.write_table(pa.table({'text': ['text %d' % (i * i) for i in range(9999)]}), path, write_page_checksum=True)"
        )
        #expect(try texts(path).count == 9999)
        var bytes = Array(try Data(contentsOf: URL(filePath: path)))
        bytes[bytes.count / 2] ^= 0x55
        let damaged = try directory.write("damaged.parquet", bytes)
        let error = try #require(throws: DataError.self) { try texts(damaged) }
        #expect(error.file == damaged && error.problem.hasPrefix("pyarrow cannot read it: "))
        let cut = try directory.write("cut.parquet", Array(bytes.dropLast(9)))
        #expect(try #require(throws: DataError.self) { try texts(cut) }.problem.hasPrefix("pyarrow cannot read it: "))
    }
}
