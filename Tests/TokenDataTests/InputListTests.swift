// InputListTests - directories, patterns and lists as files, in an order that no machine changes.

import DataFixtures
import Foundation
import InputFiles
import Testing

@testable import TokenData

@Suite struct InputListTests {
    private let directory: TemporaryDirectory
    private let folder: String

    init() throws {
        directory = try TemporaryDirectory()
        folder = directory.path("in")
        for name in ["in/sub/deep", "in/.hidden", "in/empty"] {
            try FileManager.default.createDirectory(atPath: directory.path(name), withIntermediateDirectories: true)
        }
        for name in [
            "b.jsonl", "B.TXT", "a.txt.gz", "é.txt", "c.json.zst", "sub/z.ndjson", "sub/deep/p.parquet", ".x.txt",
            ".hidden/y.txt", "README.md", "sub/LICENSE", "a.txt.bak",
        ] { _ = try directory.write("in/" + name, name) }
    }

    private func names(_ list: InputList) -> [String] { list.files.map { String($0.dropFirst(folder.count + 1)) } }

    @Test func aDirectoryIsItsTexts() throws {
        for path in [folder, folder + "/"] {
            let list = try InputList([path])
            #expect(
                names(list) == [
                    "B.TXT", "a.txt.gz", "b.jsonl", "c.json.zst", "sub/deep/p.parquet", "sub/z.ndjson", "é.txt",
                ])
            #expect(list.remarks.count == 1)
            #expect(list.remarks[0].hasPrefix("\(path): 3 files are ignored, because no text ends so: "))
            #expect(list.remarks[0].contains("README.md") && list.remarks[0].contains("LICENSE"))
        }
        #expect(try names(InputList([folder], readsTables: false)).contains("sub/deep/p.parquet") == false)
        let empty = try #require(throws: DataError.self) { try InputList([folder + "/empty"]) }
        #expect(empty.problem == "the directory holds no text" && empty.remedy.contains(".parquet"))
    }

    @Test func patternsAreThoseOfAShell() throws {
        func files(_ pattern: String) throws -> [String] { try names(InputList([folder + "/" + pattern])) }
        #expect(try files("*.jsonl") == ["b.jsonl"])
        #expect(try files("[ab]*") == ["a.txt.gz", "b.jsonl"])
        #expect(try files("{b.jsonl,?.txt.gz,B*}") == ["B.TXT", "a.txt.gz", "b.jsonl"])
        #expect(try files("su*") == ["sub/deep/p.parquet", "sub/z.ndjson"])
        #expect(try files("*/*.ndjson") == ["sub/z.ndjson"])
        #expect(try InputList([folder + "/a*"]).remarks.count == 1)
        let none = try #require(throws: DataError.self) { try files("*.csv") }
        #expect(none.problem == "no file matches the pattern" && none.remedy.contains("ls \(folder)/*.csv"))
        let other = try #require(throws: DataError.self) { try files("*.md") }
        #expect(other.problem == "no file that matches the pattern is text")
        // A file of that name is meant before a pattern.
        _ = try directory.write("in/[x].txt", "x")
        #expect(try files("[x].txt") == ["[x].txt"])
        // No pattern and no file: the reader names what is wrong.
        #expect(try InputList(["-", "absent.txt"]).files == ["-", "absent.txt"])
    }

    @Test func aFileIsTakenOnce() throws {
        let file = folder + "/b.jsonl"
        for second in [file, folder + "/./b.jsonl", folder + "//b.jsonl", folder, folder + "/b*"] {
            let error = try #require(throws: DataError.self) { try InputList([file, second]) }
            #expect(error.problem.hasPrefix("the file is given twice"), "\(error)")
        }
        #expect(throws: DataError.self) { try InputList(["-", "-"]) }
        // Another name of a file is said, and a link to a directory above is followed once.
        try FileManager.default.createSymbolicLink(atPath: folder + "/sub/link.txt", withDestinationPath: "../B.TXT")
        try FileManager.default.createSymbolicLink(atPath: folder + "/sub/up", withDestinationPath: "..")
        let list = try InputList([folder])
        #expect(names(list).count == 8)
        #expect(list.remarks.contains { $0.contains("are one file under two names") && $0.contains("link.txt") })
    }
}
