// PreparationMistakesTests - files that are mended, names that cannot be used, and texts that are none.

import DataFixtures
import Foundation
import InputFiles
import Testing

@testable import Preparation
@testable import TokenData

extension PreparationTests {
    /// A name that no file can have is that document's mistake and not the end of all.
    @Test func namesThatCannotBeUsedAreSkipped() throws {
        let long = String(repeating: "a", count: 161)
        let names = ["a b", "((((", "y", "x", long, "y", "((((", "a b"]
        let texts = names.indices.map { "text \($0)" }
        let file = try directory.write("a.jsonl", lines(texts) { names[$0] })
        for ranks in [1, 3] {
            let output = "q\(ranks)"
            let summary = try prepare(request([file], to: output, splits: true, skips: true), ranks: ranks)
            #expect(summary.outputs.map(\.prefix) == ["a_b", "x", "y"].map { directory.path("\(output)-\($0)") })
            #expect(try pair("\(output)-a_b").documents == ids(["text 0", "text 7"]))
            #expect(try pair("\(output)-x").documents == ids(["text 3"]))
            #expect(try pair("\(output)-y").documents == ids(["text 2", "text 5"]))
            #expect(summary.documents == 5 && summary.skippedCount == 3)
            #expect(summary.domains.map(\.name) == ["a b", "y", "x"])
            let unusable = "\"meta.pile_set_name\" cannot be part of a file's name"
            #expect(summary.skipped.reasons == [.init(problem: unusable, count: 3)])
            #expect(summary.skipped.examples.map(\.line) == [2, 5, 7])
        }
        let error = try #require(throws: DataError.self) { try prepare(request([file], splits: true)) }
        #expect(error.file == file && error.line == 2 && error.remedy.contains("160 bytes"))
        // Without outputs of their own, any name is a name.
        let together = try prepare(request([file], to: "r"))
        #expect(together.skippedCount == 0 && together.documents == 8)
    }

    /// Whole domains are never left out, whatever may be skipped.
    @Test func moreDomainsThanOutputs() throws {
        let file = try directory.write("a.jsonl", lines(["a", "b", "c", "d", "e", "f"]) { "d\($0 % 5)" })
        for (index, skips) in [true, false, true].enumerated() {
            var request = self.request([file], to: "p\(index)", splits: true, skips: skips)
            request.mostDomains = 3
            let ranks = index + 1
            let error = try #require(throws: DataError.self) { try prepare(request, ranks: ranks) }
            #expect(error.key == "--split-domains")
            #expect(error.problem.hasPrefix("there are more than 3 domains; one of them is \"d"), "\(error)")
            #expect(error.remedy.contains("at most 3") && error.remedy.contains("leave out --split-domains"))
            #expect(FileKind.at(directory.path("p\(index)-d0.idx")) == .missing)
            request.mostDomains = 5
            #expect(try prepare(request, ranks: ranks).outputs.map(\.domain) == ["d0", "d1", "d2", "d3", "d4"])
        }
    }

    // MARK: Texts that are no UTF-8

    /// "Schöne Grüße" in Latin-1.
    private static let latin =
        [UInt8]("Sch".utf8) + [0xF6] + [UInt8]("ne\nGr".utf8) + [0xFC, 0xDF] + [UInt8]("e\n".utf8)

    @Test func textsThatAreNotUTF8AreCounted() throws {
        let tokenizer = WholeTexts(readsAnyBytes: false)
        let bad = try directory.write("bad.txt", Self.latin)
        let good = try directory.write("good.txt", "Schöne Grüße\n")
        let summary = try prepare(request([good, bad], tokenizer: tokenizer, skips: true))
        // The bytes are read nevertheless.
        let expected = [Int](Self.latin.map { Int($0) }) + [299]
        #expect(try pair().documents == ids(["Schöne Grüße\n"], end: 299) + [expected])
        let replaced = try #require(summary.replaced)
        #expect(replaced.count == 3 && replaced.fileCount == 1 && summary.skippedCount == 0)
        #expect(replaced.files.map(\.file) == [bad])
        #expect(replaced.files[0].bytes == InvalidUTF8(in: Self.latin) && replaced.files[0].bytes.line == 1)
        #expect(replaced.lines().contains("  \(bad):1: 3 bytes are not valid UTF-8, the first at byte 3"))
        // The summary counts the bytes. With `fail`, a finished output with such bytes is an error.
        let strict = request([good, bad], tokenizer: tokenizer)
        let refused = try #require(throws: DataError.self) { try Preparation(strict).finished(overwrites: false) }
        #expect(refused.key == "--on-error" && refused.problem.hasPrefix("3 bytes that are no UTF-8"))
        #expect(
            try Preparation(request([good, bad], tokenizer: tokenizer, skips: true)).finished(overwrites: false)
                == summary)
    }

    @Test func textsThatAreNotUTF8AreMistakesWhereNothingMayBeSkipped() throws {
        let tokenizer = WholeTexts(readsAnyBytes: false)
        let bad = try directory.write("bad.txt", "first line\n".utf8 + Self.latin)
        let strict = request([bad], tokenizer: tokenizer)
        // Also where the part of an earlier start is there.
        for _ in 0..<2 {
            let error = try #require(throws: DataError.self) { try prepare(strict) }
            #expect(error.file == bad && error.line == 2)
            #expect(error.problem == "3 bytes are not valid UTF-8, the first at byte 14")
            #expect(error.remedy.contains("iconv") && error.remedy.contains("--on-error skip"))
            #expect(FileKind.at(directory.path("p.bin")) == .missing)
            _ = try makeParts(try Preparation(request([bad], tokenizer: tokenizer, skips: true)))
        }
        // Bytes are any bytes.
        let summary = try prepare(request([bad], to: "q"))
        #expect(summary.replaced?.count == 0 && summary.documents == 1)
    }

    @Test func filesOfSomethingElseAreNamed() throws {
        let tokenizer = WholeTexts(readsAnyBytes: false)
        let wide = try directory.write("wide.txt", [0xFF, 0xFE] + "wide text".utf16.flatMap { [UInt8($0), 0] })
        let gzip = try directory.write("a.jsonl", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0])
        let good = try directory.write("good.txt", "good")
        for (file, problem, remedy) in [
            (wide, "the text is UTF-16, not UTF-8", "iconv -f UTF-16 -t UTF-8 \(wide)"),
            (gzip, "this is gzip data", "gzip -dc \(gzip)"),
        ] {
            let error = try #require(throws: DataError.self) {
                try prepare(request([file, good], tokenizer: tokenizer))
            }
            #expect(error.file == file && error.problem == problem && error.remedy.contains(remedy))
        }
        let summary = try prepare(request([wide, gzip, good], tokenizer: tokenizer, skips: true))
        #expect(summary.documents == 1 && summary.skippedCount == 2)
        #expect(summary.skipped.examples.map(\.file) == [wide, gzip])
        // Compressed lines that are none end the command, as damaged ones do.
        let compressed = try directory.write("b.jsonl.zst", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0])
        let error = try #require(throws: DataError.self) { try Preparation(request([compressed, good], skips: true)) }
        #expect(error.file == compressed && error.problem == "this is gzip data")
        // A tokenizer of bytes reads any bytes; a remark tells the user.
        let bytes = try Preparation(request([wide], to: "q"))
        #expect(bytes.remarks.count == 1 && bytes.remarks[0].hasPrefix("\(wide): the text is UTF-16"))
        #expect(try prepare(request([wide], to: "q")).documents == 1)
    }

    /// The command is repeated after a line was mended: only the parts of the changed file are made again.
    @Test func aMendedFileIsNoOtherInput() throws {
        let (first, second) = (texts(60), texts(30, seed: 2))
        let good = try directory.write("a.jsonl", lines(first))
        let bad = try directory.write("b.jsonl", lines(second) + "nonsense\n")
        let broken = try Preparation(request([good, bad]))
        #expect(throws: DataError.self) { try makeParts(broken) }
        let goodParts = try OutputFolder.names(broken.folder).count { PartFile.isPart($0, ofFile: 0) }
        #expect(goodParts > 20)

        _ = try directory.write("b.jsonl", lines(second))
        let mended = try Preparation(request([good, bad]))
        try mended.makeFolder()
        let start = try mended.begin(overwrites: false)
        guard case .restart(goodParts, [bad]) = start else { Issue.record("\(start)"); return }
        let parts = try makeParts(mended)
        #expect(parts.reused == goodParts)
        _ = try mended.join(chunkCounts: parts.counts)
        #expect(try pair().documents == ids(first + second))
        #expect(FileKind.at(mended.folder) == .missing)
    }

    /// The size of parts grows with the files: where a mended file changes it, all parts are made again.
    @Test func aMendedFileMayChangeTheSizeOfParts() throws {
        let (first, second) = (texts(60), texts(30, seed: 2))
        let good = try directory.write("a.jsonl", lines(first))
        let bad = try directory.write("b.jsonl", lines(second) + "nonsense\n")
        #expect(throws: DataError.self) { try makeParts(Preparation(request([good, bad]))) }

        _ = try directory.write("b.jsonl", lines(second))
        let mended = try Preparation(request([good, bad], chunkSize: 128))
        try mended.makeFolder()
        let start = try mended.begin(overwrites: false)
        guard case .restart(0, [bad]) = start else { Issue.record("\(start)"); return }
        let parts = try makeParts(mended)
        #expect(parts.reused == 0)
        _ = try mended.join(chunkCounts: parts.counts)
        #expect(try pair().documents == ids(first + second))
    }

    /// Parts are numbered by file, so a file that had none before is not taken up; the error says why.
    @Test func aMendedFileThatHadNoPartsNeedsAWord() throws {
        let good = try directory.write("b.jsonl", lines(texts(20)))
        let bad = try directory.write("a.jsonl", "")
        _ = try makeParts(try Preparation(request([bad, good], skips: true)))
        _ = try directory.write("a.jsonl", lines(["a"]))
        let mended = try Preparation(request([bad, good], skips: true))
        let error = try #require(throws: DataError.self) { try makeParts(mended) }
        #expect(error.problem.hasSuffix("its files are \(good)"))
        #expect(error.remedy.contains("skipped as a whole and is mended (\(bad))"), "\(error)")
        #expect(error.remedy.contains("use --overwrite, which makes all parts again"), "\(error)")
        #expect(try makeParts(mended, overwrites: true).reused == 0)
    }

    /// If nothing is left, the error lists the skipped lines, and nothing blocks the mended file.
    @Test func whereNothingIsLeftTheReasonsAreSaid() throws {
        let file = try directory.write("a.jsonl", "{\"content\": \"x\"}\n{\"content\": \"y\"}\n")
        let empty = try directory.write("b.jsonl", "")
        let request = request([file, empty], skips: true)
        let error = try #require(throws: DataError.self) { try prepare(request) }
        #expect(error.problem == "the files hold no document that can be used")
        for words in [
            "3 lines or files", "2 times: the object has no \"text\"", "\(file):2: the object", "\(empty): the file",
        ] {
            #expect(error.remedy.contains(words), "\(error)")
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.url.path).sorted() == ["a.jsonl", "b.jsonl"])
        _ = try directory.write("a.jsonl", lines(["x"]))
        #expect(try prepare(request).documents == 1)

        let onlyEmpty = try #require(throws: DataError.self) { try Preparation(self.request([empty], skips: true)) }
        #expect(onlyEmpty.problem == "no file holds text that can be used")
        #expect(onlyEmpty.remedy.contains("\(empty): the file is empty"))
    }

    @Test func directoriesAndPreparedFilesAreNamed() throws {
        try FileManager.default.createDirectory(atPath: directory.path("folder"), withIntermediateDirectories: true)
        func error(_ name: String) throws -> DataError {
            try #require(throws: DataError.self) { try Preparation(request([directory.path(name)])) }
        }
        #expect(try error("folder").problem == "this is a directory")
        #expect(try error("folder").remedy.contains("holds none that ends in .txt"))
        _ = try directory.write("folder/a.jsonl", "")
        #expect(try error("folder").remedy == "give the files in it: \(directory.path("folder"))/*.jsonl")
        _ = try directory.write("train.bin", [1, 0, 2, 0])
        #expect(try error("train.bin").problem.contains("there is no \(directory.path("train")).idx"))
        #expect(try error("train.bin").remedy.contains("nanoGPT"))
        _ = try directory.write("train.idx", IndexedDataset.magic)
        #expect(try error("train.bin").problem == "this is one file of a prepared pair")
        #expect(try error("train.bin").remedy.contains("\(directory.path("train")) as a path"))
        // The other way round.
        _ = try directory.write("alone.idx", IndexedDataset.magic)
        #expect(try error("alone.idx").problem.contains("there is no \(directory.path("alone")).bin"))
        #expect(try error("alone.idx").remedy.hasPrefix("copy \(directory.path("alone")).bin to its place"))
        _ = try directory.write("a.csv", "x,y")
        #expect(try error("a.csv").problem == "the file's ending is not known")
        _ = try directory.write("a.csv.gz", [0x1F, 0x8B, 8, 0])
        #expect(try error("a.csv.gz").problem == "this is gzip data")
    }
}
