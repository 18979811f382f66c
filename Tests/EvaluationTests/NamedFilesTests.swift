// NamedFilesTests - how the files of `eval --data` and `--counts` are named.

import Testing
import TestSupport
import TokenData
import InputFiles

@testable import Evaluation

@Suite struct NamedFilesTests {
    private func names(_ arguments: String...) throws -> [String] { try NamedFiles.domains(arguments).map(\.name) }

    @Test func givenNamesStayAndOthersComeFromTheFile() throws {
        #expect(try names("a/b.txt", "x=c.jsonl.zst", "d") == ["b", "x", "d"])
        #expect(try NamedFiles.domains(["x=c=d.txt"]) == [.init(name: "x", path: "c=d.txt")])
        // Two files of one name: their folders tell them apart. A name that was given stays.
        #expect(try names("a/b.txt", "c/b.txt") == ["a/b.txt", "c/b.txt"])
        #expect(try names("b=a.txt", "c/b.txt", "e.txt") == ["b", "c/b.txt", "e"])
    }

    @Test(arguments: [
        (["x=a.txt", "x=b.txt"], "--data: \"x\" names a.txt and b.txt; give each file a name of its own"),
        (["a.txt", "a.txt"], "--data: \"a.txt\" names a.txt and a.txt; give each file a name of its own"),
        (["b=a.txt", "c.txt", "b=c.txt"], "--data: \"b\" names a.txt and c.txt"),
    ])
    func aNameIsNeverDropped(arguments: [String], message: String) throws {
        let error = try #require(throws: DataError.self) { try NamedFiles.domains(arguments) }
        #expect(error.description.hasPrefix(message), "\(error)")
    }

    @Test func aFileWithTheCharacterInItsNameIsAFile() throws {
        let folder = try TemporaryFolder()
        for name in ["x=1.txt", "y=2.idx"] { try folder.write("text", to: name) }
        #expect(
            try NamedFiles.domains([folder.path + "/x=1.txt", folder.path + "/y=2"]).map(\.path)
                == [folder.path + "/x=1.txt", folder.path + "/y=2"])
    }

    /// The names are not shown.
    @Test func countedFilesNeedNoNames() throws {
        let files = try NamedFiles.unnamedDomains(["x=a.txt", "x=b.txt", "c/a.txt"])
        #expect(files.map(\.path) == ["a.txt", "b.txt", "c/a.txt"])
        let error = try #require(throws: DataError.self) { try NamedFiles.unnamedDomains(["x=a.txt", "a.txt"]) }
        #expect(error.description == "--counts: a.txt: the file is given twice; give each file once")
    }
}
