// TextFormTests - one text in every form gives one pair, and other settings are another input.

import DataFixtures
import Foundation
import Glibc
import InputFiles
import TestSupport
import Testing

@testable import Preparation
@testable import TokenData

extension PreparationTests {
    /// A .zst file of stored blocks (RFC 8878).
    private func zstandardFrame(_ bytes: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xA0] + (0..<4).map { UInt8(bytes.count >> (8 * $0) & 255) }
        var start = 0
        repeat {
            let end = min(start + 100_000, bytes.count)
            let header = (end - start) << 3 | (end == bytes.count ? 1 : 0)
            frame += (0..<3).map { UInt8(header >> (8 * $0) & 255) } + bytes[start..<end]
            start = end
        } while start < bytes.count
        return frame
    }

    /// Hashes of the pair that `request` gives for several ranks and threads, which must be equal.
    private func bytes(_ request: Preparation.Request, _ output: String) throws -> [[UInt8]] {
        var first: [[UInt8]]?
        for (ranks, threads) in [(1, 1), (3, 1), (2, 2)] {
            try prepare(request, ranks: ranks, threads: threads)
            let pair = [try directory.read(output + ".bin"), try directory.read(output + ".idx")]
            #expect(first == nil || pair == first, "\(output): \(ranks) ranks, \(threads) threads")
            first = pair
            for ending in ["bin", "idx", "json"] {
                try FileManager.default.removeItem(atPath: directory.path("\(output).\(ending)"))
            }
        }
        return try #require(first)
    }

    private func stream(_ content: [UInt8], _ number: Int = 0) throws -> SpooledInput {
        let pipe = directory.path("pipe\(number)")
        let made = unsafe mkfifo(pipe, 0o600)
        #expect(made == 0)
        Thread.detachNewThread { try? Data(content).write(to: URL(filePath: pipe)) }
        return try #require(
            try SpooledInput(
                pipe, to: directory.path("spool\(number)"), format: nil, reading: TextReading(), isStopped: { false }))
    }

    @Test func everyFormGivesThePair() throws {
        let all = texts(60)
        let content = Array(lines(all).utf8)
        let plain = try directory.write("a.jsonl", content)
        let expected = try bytes(request([plain], to: "plain"), "plain")
        for (name, data) in [
            ("b.ndjson", content), ("c.JSONL.GZ", gzipMember(content)), ("d.json.zst", zstandardFrame(content)),
            ("e.json", content), ("f.ndjson.zst", zstandardFrame(content)),
        ] { #expect(try bytes(request([try directory.write(name, data)], to: "p"), "p") == expected, "\(name)") }
        // Two files of a directory, and of a pattern.
        try FileManager.default.createDirectory(atPath: directory.path("d"), withIntermediateDirectories: true)
        _ = try directory.write("d/1.jsonl.gz", gzipMember(Array(lines(Array(all[..<25])).utf8)))
        _ = try directory.write("d/2.jsonl", lines(Array(all[25...])))
        for path in ["d", "d/*.json*", "d/{1,2}*"] {
            let list = try InputList([directory.path(path)])
            #expect(list.files.count == 2)
            #expect(try bytes(request(list.files, to: "p"), "p") == expected, "\(path)")
        }
        // Another key, and a path of keys.
        let keyed = all.map { "{\"a\": {\"b\": \"\($0)\"}, \"text\": \"no\"}\n" }.joined()
        var other = request([try directory.write("k.jsonl", keyed)], to: "p")
        other.reading.textKey = "a.b"
        #expect(try bytes(other, "p") == expected)
        // A text with separators, in UTF-16 too, where documents without characters are left out.
        let some = all.filter { !$0.isEmpty }
        let separated = some.joined(separator: "<|end|>") + "<|end|>\n"
        let documents = try bytes(request([try directory.write("n.jsonl", lines(some))], to: "p"), "p")
        for (name, encoding) in [("s.txt", TextEncoding.utf8), ("t.txt", .utf16), ("u.txt", .latin1)] {
            let data =
                encoding == .utf16 ? separated.utf16.flatMap { [UInt8($0), 0] as [UInt8] } : Array(separated.utf8)
            var form = request([try directory.write(name, data)], to: "p")
            form.reading = TextReading(separator: "<|end|>", encoding: encoding)
            #expect(try bytes(form, "p") == documents, "\(name)")
        }
        // Control.
        #expect(documents != expected)
    }

    @Test func aStreamGivesThePairAndIsKnownAgain() throws {
        let content = Array(lines(texts(60)).utf8)
        try prepare(request([try directory.write("a.jsonl", content)]))
        for (number, data) in [content, gzipMember(content)].enumerated() {
            let copy = try stream(data, number)
            var form = request([copy.name], to: "q\(number)")
            form.streams = [copy]
            let summary = try prepare(form)
            #expect(summary.manifest.files.map(\.path) == [copy.name] && summary.manifest.files[0].hash == copy.hash)
            #expect(try directory.read("q\(number).bin") == directory.read("p.bin"))
            #expect(try directory.read("q\(number).idx") == directory.read("p.idx"))
            // Equal bytes are the same input, although the copy is another file.
            #expect(try Preparation(form).finished(overwrites: false) == summary)
        }
        let other = try stream(Array(lines(texts(60, seed: 3)).utf8), 2)
        var form = request([directory.path("pipe0")], to: "q0")
        // The copy of another stream under the name of the first.
        let json = String(decoding: try JSONEncoder().encode(other), as: UTF8.self).replacing("pipe2", with: "pipe0")
        form.streams = [try JSONDecoder().decode(SpooledInput.self, from: Data(json.utf8))]
        let error = try #require(throws: DataError.self) { try Preparation(form).finished(overwrites: false) }
        #expect(error.problem.contains("pipe0 has changed since"))
    }

    @Test func otherSettingsAreAnotherInput() throws {
        let file = try directory.write("a.txt", "one|two")
        let one = request([file])
        try prepare(one)
        for (reading, words) in [
            (TextReading(textKey: "content"), "it has --text-key text"),
            (TextReading(separator: "|"), "it has no --document-separator"),
            (TextReading(encoding: .latin1), "it has --encoding utf-8"),
        ] {
            var other = one
            other.reading = reading
            let error = try #require(throws: DataError.self) { try Preparation(other).finished(overwrites: false) }
            #expect(error.problem.contains(words), "\(error)")
        }
        #expect(try Preparation(one).finished(overwrites: false) != nil)
        // The manifest of standard settings is that of earlier versions.
        #expect(try !PreparationJSON.text(Preparation(one).manifest).contains("reading"))
    }

    @Test func brokenUnitsAreReplacedAndCounted() throws {
        let wide: [UInt8] = [0x61, 0, 0x00, 0xD8, 0x7C, 0, 0x62, 0, 0x00, 0xDC]
        let file = try directory.write("w.txt", wide)
        for (separator, documents) in [(nil, ["a\u{FFFD}|b\u{FFFD}"]), ("|", ["a\u{FFFD}", "b\u{FFFD}"])] {
            var form = request([file], to: "w\(documents.count)", skips: true)
            form.reading = TextReading(separator: separator, encoding: .utf16)
            let summary = try prepare(form)
            #expect(try pair("w\(documents.count)").documents == ids(documents))
            #expect(
                summary.replaced?.count == 2 && summary.replacedLines[0].hasPrefix("2 units of 1 files are no UTF-16"))
            form.skipsMalformed = false
            form.output = directory.path("x")
            let error = try #require(throws: DataError.self) { try prepare(form) }
            #expect(error.file == file && error.problem.contains("not valid UTF-16"), "\(error)")
            try FileManager.default.removeItem(atPath: directory.path("x.parts"))
        }
    }

    /// A file that another program does not read to its end leaves no output.
    @Test func aDamagedTableEndsTheCommand() throws {
        let good = try directory.write("a.jsonl", lines(texts(9)))
        let table = try directory.write("b.parquet", Array("PAR1 no table PAR1".utf8))
        let error = try #require(throws: DataError.self) { try prepare(request([good, table], skips: true)) }
        #expect(error.file == table)
        #expect(FileKind.at(directory.path("p.bin")) == .missing && FileKind.at(directory.path("p.idx")) == .missing)
        let cut = try directory.write("c.parquet", Array("PAR1 only the beginning".utf8))
        let beginning = try #require(throws: DataError.self) { try Preparation(request([good, cut], skips: true)) }
        #expect(beginning.problem == "this is no Parquet file, or only its beginning")
    }
}
