// SpooledInputTests - pipes become files whose endings tell what they hold.

import DataFixtures
import Foundation
import Glibc
import InputFiles
import TestSupport
import Testing

@testable import TokenData

@Suite struct SpooledInputTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The copy of a pipe that another thread fills.
    private func copy(
        _ bytes: [UInt8], _ format: StreamFormat? = nil, reading: TextReading = TextReading(), isStopped: Bool = false
    ) throws -> SpooledInput? {
        let pipe = directory.path("pipe-\(UUID().uuidString)")
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        #expect(
            SpooledInput.isStream(pipe) && SpooledInput.isStream("-") && !SpooledInput.isStream(directory.path("x")))
        if !isStopped {
            // Opening waits for the reader.
            Thread.detachNewThread {
                guard let handle = FileHandle(forWritingAtPath: pipe) else { return }
                // A reader that refuses the first bytes closes the pipe.
                _ = signal(SIGPIPE, SIG_IGN)
                try? handle.write(contentsOf: Data(bytes))
                try? handle.close()
            }
        }
        return try SpooledInput(
            pipe, to: directory.path("copy"), format: format, reading: reading, isStopped: { isStopped })
    }

    @Test func endingsTellTheFormat() throws {
        let lines = Array("\u{FEFF} {\"text\": \"a\"}\n".utf8) + [UInt8](repeating: 10, count: 3 << 17)
        let wide: [UInt8] = "{\"text\": 1}".utf16.flatMap { [UInt8($0), 0] }
        for (bytes, format, reading, ending) in [
            (lines, nil, TextReading(), ".jsonl"), (gzipMember(lines), nil, TextReading(), ".jsonl.gz"),
            (lines, .txt, TextReading(), ".txt"), (gzipMember(lines), .txt, TextReading(), ".txt.gz"),
            (Array("nonsense".utf8), .jsonl, TextReading(), ".jsonl"), ([], nil, TextReading(), ".txt"),
            (Array("PAR1....PAR1 and more".utf8), nil, TextReading(), ".parquet"),
            (wide, nil, TextReading(encoding: .utf16), ".jsonl"),
        ] as [([UInt8], StreamFormat?, TextReading, String)] {
            let copy = try #require(try self.copy(bytes, format, reading: reading))
            #expect(copy.path == directory.path("copy") + ending && copy.size == bytes.count)
            #expect(try directory.read("copy" + ending) == bytes)
            copy.remove()
            #expect(FileKind.at(copy.path) == .missing)
        }
        // Two texts of one size differ by their hashes.
        #expect(try copy(Array("{1".utf8))?.hash != copy(Array("{2".utf8))?.hash)
        #expect(try copy(Array("{1".utf8))?.hash == copy(Array("{1".utf8))?.hash)
    }

    @Test func otherTextNeedsAWord() throws {
        for bytes in [Array("plain text, and more of it".utf8), gzipMember(Array("plain text".utf8)), Array("x".utf8)] {
            let error = try #require(throws: DataError.self) { try copy(bytes) }
            #expect(error.remedy.contains("--input-format txt") && error.file?.contains("pipe") == true)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.url.path).allSatisfy { $0.hasPrefix("pipe") })
    }

    @Test func aStopEndsTheCopying() throws {
        #expect(try copy([], isStopped: true) == nil)
        #expect(FileKind.at(directory.path("copy.unfinished")) == .missing)
    }
}
