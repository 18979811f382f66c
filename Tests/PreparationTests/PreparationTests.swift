// PreparationTests - text becomes equal token files for any number of ranks and threads, also after a stop.

import DataFixtures
import Foundation
import TestSupport
import Testing
import Tokenizers
import InputFiles

@testable import Preparation
@testable import TokenData

/// One id per byte, in a vocabulary of any size; texts are encoded whole, as most tokenizers need.
struct WholeTexts: Tokenizer {
    var name = "whole"
    var size = 300
    var endToken: Int32 = 299
    var modelBytes: [UInt8] = [1, 2, 3]
    /// Texts that start so cannot be encoded.
    var refused = "refused"
    var readsAnyBytes = true

    func encode(_ text: [UInt8]) throws -> [Int32] {
        guard !text.starts(with: refused.utf8) else { throw DataError(problem: "refused", remedy: "another text") }
        return text.map { Int32($0) }
    }

    func decode(_ tokens: [Int32]) -> [UInt8] { tokens.compactMap { UInt8(exactly: $0) } }
}

@Suite struct PreparationTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    func request(
        _ files: [String], to output: String = "p", tokenizer: any Tokenizer = ByteTokenizer(), splits: Bool = false,
        skips: Bool = false, chunkSize: Int? = 64
    ) -> Preparation.Request {
        var request = Preparation.Request(
            tokenizer: tokenizer, files: files, output: directory.path(output), splitsDomains: splits,
            skipsMalformed: skips)
        request.chunkSize = chunkSize
        return request
    }

    /// Makes all parts, one rank after the other.
    func makeParts(
        _ preparation: Preparation, ranks: Int = 1, threads: Int = 1, overwrites: Bool = false
    ) throws -> (counts: [Int], reused: Int) {
        try preparation.makeFolder()
        _ = try preparation.begin(overwrites: overwrites)
        try preparation.requireShared()
        var (counts, reused) = ([Int](repeating: 0, count: preparation.layout.files.count), 0)
        for rank in 0..<ranks {
            let run = PreparationRun(preparation, rank: rank, rankCount: ranks)
            run.start(threads: threads)
            while !run.wait(seconds: 10) {}
            if let failure = run.failure { throw failure.error }
            counts = zip(counts, run.chunkCounts(rank: rank, rankCount: ranks)).map(+)
            reused += run.progress.reusedParts
        }
        return (counts, reused)
    }

    @discardableResult
    func prepare(
        _ request: Preparation.Request, ranks: Int = 1, threads: Int = 1
    ) throws -> PreparationSummary {
        let preparation = try Preparation(request)
        #expect(try preparation.finished(overwrites: false) == nil)
        let parts = try makeParts(preparation, ranks: ranks, threads: threads)
        let summary = try preparation.join(chunkCounts: parts.counts)
        #expect(FileKind.at(preparation.folder) == .missing)
        return summary
    }

    func pair(_ output: String = "p") throws -> MegatronPair {
        try MegatronPair(try directory.read(output + ".bin"), try directory.read(output + ".idx"))
    }

    func ids(_ texts: [String], end: Int = 256) -> [[Int]] { texts.map { $0.utf8.map { Int($0) } + [end] } }

    /// Texts of 0 to some hundred bytes: shorter and longer than a chunk of 64.
    func texts(_ count: Int, seed: UInt64 = 1) -> [String] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { number in
            String(repeating: "\(number) ", count: Int.random(in: 0...(number % 7 == 0 ? 80 : 8), using: &random))
        }
    }

    func lines(_ texts: [String], domain: (Int) -> String? = { _ in nil }) -> String {
        texts.enumerated().map { index, text in
            let meta = domain(index).map { ", \"meta\": {\"pile_set_name\": \"\($0)\"}" } ?? ""
            return "{\"text\": \"\(text)\"\(meta)}\n"
        }.joined()
    }

    @Test func everyNumberOfRanksAndThreadsGivesTheSameBytes() throws {
        let (first, second) = (texts(60), texts(90, seed: 2))
        let long = String(repeating: "A text of many chunks. ", count: 30)
        let files = [
            try directory.write("a.jsonl", lines(first)), try directory.write("b.txt", long),
            try directory.write("c.jsonl", lines(second)), try directory.write("d.txt", "x"),
        ]
        let one = try prepare(request(files))
        let all = first + [long] + second + ["x"]
        #expect(try pair().documents == ids(all) && pair().code == 8)
        #expect(one.documents == all.count && one.bytes == all.reduce(0) { $0 + $1.utf8.count })
        #expect(one.tokens == one.bytes + one.documents && one.parts > 50)
        for (ranks, threads) in [(1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (64, 1)] {
            let summary = try prepare(request(files, to: "q"), ranks: ranks, threads: threads)
            #expect(try directory.read("q.bin") == directory.read("p.bin"), "\(ranks) ranks, \(threads) threads")
            #expect(try directory.read("q.idx") == directory.read("p.idx"), "\(ranks) ranks, \(threads) threads")
            #expect(summary.domains == one.domains && summary.parts == one.parts)
            for ending in ["bin", "idx", "json"] {
                try FileManager.default.removeItem(atPath: directory.path("q." + ending))
            }
        }
        // Another order is another output.
        try prepare(request(files.reversed(), to: "r"))
        #expect(try directory.read("r.bin") != directory.read("p.bin"))
    }

    /// Lines that end just before, at and behind the end of a chunk; no line feed at the end; a line of many chunks.
    @Test(arguments: [61, 62, 63, 64, 65, 66, 127, 128, 129, 1000]) func chunkBoundaries(length: Int) throws {
        let frame = "{\"text\": \"\"}\n".utf8.count
        let documents = [String(repeating: "a", count: length - frame), "", "b", ""]
        let content = lines(documents)
        #expect(content.split(separator: "\n", omittingEmptySubsequences: false)[0].utf8.count == length - 1)
        for (name, text) in [("a", content), ("b", String(content.dropLast())), ("c", "\n\n" + content + "\n \r\n")] {
            let file = try directory.write(name + ".jsonl", text)
            let summary = try prepare(request([file], to: name, tokenizer: WholeTexts()))
            #expect(try pair(name).documents == ids(documents, end: 299))
            #expect(summary.blankLines == (name == "c" ? 4 : 0))
        }
    }

    @Test func textsThatAreCutAndTextsThatAreNot() throws {
        for length in [1, 63, 64, 65, 128, 129, 500] {
            // Every byte value, so that no encoding is asked for.
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let files = [try directory.write("a.txt", bytes), try directory.write("b.txt", bytes)]
            let expected = [Int](bytes.map { Int($0) })
            let cut = try prepare(request(files, to: "cut-\(length)"), ranks: 2)
            #expect(try pair("cut-\(length)").documents == [expected + [256], expected + [256]])
            #expect(cut.parts == 2 * ((length + 63) / 64) && cut.documents == 2)
            let whole = try prepare(request(files, to: "whole-\(length)", tokenizer: WholeTexts()))
            #expect(try pair("whole-\(length)").documents == [expected + [299], expected + [299]])
            #expect(whole.parts == 2)
        }
    }

    @Test(arguments: [(65_499, 8), (65_500, 4)] as [(Int, UInt8)]) func idsAtTheBorder(size: Int, code: UInt8) throws {
        let file = try directory.write("a.txt", "ab")
        let summary = try prepare(
            request([file], tokenizer: WholeTexts(size: size, endToken: Int32(size - 1))))
        #expect(try pair().documents == [[97, 98, size - 1]] && pair().code == code)
        #expect(summary.elementType == (code == 8 ? "uint16" : "int32"))
    }

    /// Training reads equal sequences from text and prepared data, and their fingerprints are equal.
    @Test func trainingReadsTheSameTokens() throws {
        let file = try directory.write("a.jsonl", lines(texts(50)))
        try prepare(request([file]))
        let (prepared, raw) = (try load(directory.path("p")), try load(file))
        #expect(try covered(prepared) == covered(raw) && prepared.fingerprint == raw.fingerprint)
        let other = try directory.write("b.jsonl", lines(texts(50, seed: 9)))
        #expect(try load(other).fingerprint != prepared.fingerprint)
    }

    @Test func malformedLinesAreCountedWithTheirPlaces() throws {
        var content = texts(40).map { "{\"text\": \"\($0)\"}" }
        for index in [3, 17, 29] { content[index] = "nonsense" }
        content[30] = "{\"text\": null}"
        let bad = try directory.write("bad.jsonl", content.joined(separator: "\n"))
        let good = try directory.write("good.jsonl", lines(["one", "two"]))
        let empty = try directory.write("empty.jsonl", "")
        let summary = try prepare(request([good, bad, empty], skips: true), ranks: 3, threads: 2)
        let notJSON = JSONDocument.Problem.notJSON.words
        #expect(summary.skippedCount == 5 && summary.documents == 38)
        #expect(
            summary.skipped.reasons == [
                .init(problem: "the file is empty", count: 1), .init(problem: notJSON, count: 3),
                .init(problem: "\"text\" is null", count: 1),
            ])
        let locations = summary.skipped.examples.map { "\($0.file ?? ""):\($0.line ?? 0)" }
        #expect(locations == ["\(empty):0", "\(bad):4", "\(bad):18", "\(bad):30", "\(bad):31"])
        #expect(try pair().documents.count == 38)
    }

    /// Whichever thread finds a mistake first: the first of the input is reported, and nothing is written.
    @Test func theFirstMalformedLineIsTheError() throws {
        var content = texts(200).map { "{\"text\": \"\($0)\"}" }
        for index in [120, 150, 199] { content[index] = "[]" }
        let good = try directory.write("good.jsonl", lines(texts(20)))
        let bad = try directory.write("bad.jsonl", content.joined(separator: "\n"))
        for _ in 0..<10 {
            let error = try #require(throws: DataError.self) { try prepare(request([good, bad]), threads: 4) }
            #expect(error.file == bad && error.line == 121 && error.problem == "the line is no JSON object")
        }
        #expect(FileKind.at(directory.path("p.bin")) == .missing)
        let empty = try directory.write("empty.txt", "")
        let error = try #require(throws: DataError.self) { try prepare(request([good, empty])) }
        #expect(error.file == empty && error.problem == "the file is empty")
    }

    @Test func whatATokenizerRefusesIsMalformed() throws {
        let file = try directory.write("a.jsonl", lines(["a", "refused", "b"]))
        let text = try directory.write("b.txt", "refused")
        let summary = try prepare(request([file, text], tokenizer: WholeTexts(), skips: true))
        #expect(try pair().documents == ids(["a", "b"], end: 299))
        #expect(summary.skipped.reasons == [.init(problem: "refused", count: 2)])
        #expect(summary.skipped.examples.map(\.line) == [2, nil])
        let request = request([file], to: "q", tokenizer: WholeTexts())
        let error = try #require(throws: DataError.self) { try prepare(request) }
        #expect(error.file == file && error.line == 2 && error.remedy == "another text")
    }

    @Test func domainsHaveOutputsOfTheirOwn() throws {
        let all = texts(60)
        let names = ["Pile-CC", "Wikipedia (en)", "Books"]
        let file = try directory.write("a.jsonl", lines(all) { names[$0 % 3] })
        let summary = try prepare(request([file], splits: true), ranks: 2, threads: 2)
        #expect(
            summary.outputs.map(\.prefix) == ["Books", "Pile-CC", "Wikipedia_en"].map { directory.path("p-" + $0) })
        for (index, name) in ["Pile-CC", "Wikipedia_en", "Books"].enumerated() {
            let own = all.enumerated().filter { $0.offset % 3 == index }.map(\.element)
            #expect(try pair("p-" + name).documents == ids(own))
        }
        #expect(summary.domains.map(\.documents) == [20, 20, 20])
        #expect(FileKind.at(directory.path("p.bin")) == .missing)
        // Without a split, domains are counted too.
        let together = try prepare(request([file], to: "q"))
        #expect(together.domains == summary.domains && together.outputs.count == 1)
        #expect(try pair("q").documents == ids(all))
    }

    @Test func documentsWithoutADomainCannotBeSplit() throws {
        let file = try directory.write("a.jsonl", lines(["a", "b", "c"]) { $0 == 1 ? nil : "x" })
        let text = try directory.write("b.txt", "text")
        let error = try #require(throws: DataError.self) { try prepare(request([file], splits: true)) }
        #expect(error.line == 2 && error.problem == "the document has no \"meta.pile_set_name\"")
        #expect(try #require(throws: DataError.self) { try prepare(request([text], splits: true)) }.file == text)
        let summary = try prepare(request([file, text], to: "q", splits: true, skips: true))
        #expect(summary.skipped.examples.map(\.file) == [text, file] && summary.skippedCount == 2)
        #expect(try pair("q-x").documents == ids(["a", "c"]))
    }

    @Test func namesThatWouldCollide() throws {
        let file = try directory.write("a.jsonl", lines(["a", "b"]) { ["a b", "a/b"][$0] })
        for (index, skips) in [false, true, true].enumerated() {
            let request = request([file], to: "p\(index)", splits: true, skips: skips)
            let error = try #require(throws: DataError.self) { try prepare(request, ranks: index + 1) }
            #expect(error.problem == "\"a b\" and \"a/b\" would both be -a_b")
            #expect(error.remedy == "rename one in the input, or leave out --split-domains")
        }
        #expect(DomainNames.safe("../../etc/passwd") == ".._.._etc_passwd")
        #expect(DomainNames.safe("Bücher, 中文") == "Bücher_中文" && DomainNames.safe("/ *") == "")
        var names = DomainNames()
        #expect(throws: DataError.self) { try names.add("/") }
        #expect(throws: DataError.self) { try names.add(String(repeating: "a", count: 161)) }
        for number in 0..<1024 { try names.add("\(number)") }
        #expect(throws: DataError.self) { try names.add("one more") }
        try names.add("7")
    }

    // MARK: Stops

    @Test func partsAreUsedAgainAndDamagedOnesMadeAgain() throws {
        let file = try directory.write("a.jsonl", lines(texts(60)))
        let expected = try prepare(request([file], to: "straight"))
        let preparation = try Preparation(request([file]))
        #expect(try makeParts(preparation).reused == 0)
        let names = try OutputFolder.names(preparation.folder).filter { $0.hasPrefix("part-") }
        #expect(names.count == expected.parts && names.count > 20)
        // One is gone, one has another bit in its last byte, one is cut, one is empty.
        func path(_ index: Int) -> String { preparation.folder + "/" + names[index] }
        try FileManager.default.removeItem(atPath: path(3))
        var altered = try directory.read("p.parts/" + names[5])
        altered[altered.count - 1] ^= 1
        _ = try directory.write("p.parts/" + names[5], altered)
        _ = try directory.write("p.parts/" + names[7], Array(try directory.read("p.parts/" + names[7]).dropLast()))
        _ = try directory.write("p.parts/" + names[9], [])
        _ = try directory.write("p.parts/part-00000-0000011.new", [1, 2, 3])
        // Joined as they are, they would be noticed too.
        let counts = [names.count]
        #expect(throws: OutputError.self) { try preparation.join(chunkCounts: counts) }

        let again = try makeParts(preparation, ranks: 2)
        #expect(again.reused == names.count - 4 && again.counts == counts)
        _ = try preparation.join(chunkCounts: again.counts)
        #expect(try directory.read("p.bin") == directory.read("straight.bin"))
        #expect(try directory.read("p.idx") == directory.read("straight.idx"))
        #expect(FileKind.at(preparation.folder) == .missing)
    }

    @Test func anotherInputIsNotMixedIn() throws {
        let file = try directory.write("a.jsonl", lines(texts(20)))
        let other = try directory.write("b.jsonl", lines(texts(20)))
        _ = try makeParts(try Preparation(request([file])))
        func difference(_ request: Preparation.Request) throws -> String {
            let error = try #require(throws: DataError.self) { try makeParts(Preparation(request)) }
            #expect(error.key == "--output" && error.file == directory.path("p.parts"))
            return error.problem
        }
        #expect(try difference(request([file, other])).hasSuffix("its files are \(file)"))
        #expect(try difference(request([file], tokenizer: WholeTexts())).hasSuffix("the tokenizer is another"))
        #expect(try difference(request([file], splits: true)).hasSuffix("it has no --split-domains"))
        #expect(try difference(request([file], chunkSize: 65)).hasSuffix("its parts have another size"))
        // Unless the user says so.
        #expect(try makeParts(Preparation(request([file], splits: true, skips: true)), overwrites: true).reused == 0)
    }

    @Test func skippedLinesOfAnEarlierStartAreErrorsWhenNothingMayBeSkipped() throws {
        let file = try directory.write("a.jsonl", lines(texts(20)) + "nonsense\n" + lines(texts(5)))
        _ = try makeParts(try Preparation(request([file], skips: true)))
        let error = try #require(throws: DataError.self) { try makeParts(try Preparation(request([file]))) }
        #expect(error.file == file && error.line == 21)
    }

    @Test func aFinishedOutputIsLeftAlone() throws {
        let file = try directory.write("a.jsonl", lines(texts(20)) + "nonsense\n")
        let summary = try prepare(request([file], skips: true))
        func finished(_ request: Preparation.Request, overwrites: Bool = false) throws -> PreparationSummary? {
            try Preparation(request).finished(overwrites: overwrites)
        }
        #expect(try finished(request([file], skips: true)) == summary)
        #expect(try finished(request([file], skips: true), overwrites: true) == nil)
        let strict = try #require(throws: DataError.self) { try finished(request([file])) }
        #expect(strict.key == "--on-error" && strict.problem.hasPrefix("1 lines or files were skipped"))
        let other = try directory.write("b.jsonl", lines(texts(3)))
        let another = try #require(throws: DataError.self) { try finished(request([other], skips: true)) }
        #expect(another.problem.hasPrefix("prepared from another input") && another.remedy.contains("--overwrite"))
        // Half an output, and one that another program has made.
        _ = try directory.write("p.bin", [1])
        #expect(
            try #require(throws: DataError.self) { try finished(request([file], skips: true)) }.problem
                == "the file exists")
        _ = try directory.write("q.idx", [1])
        #expect(
            try #require(throws: DataError.self) { try finished(request([file], to: "q")) }.file
                == directory.path("q.idx"))
    }

    @Test func aFolderOfSomethingElseIsLeftAlone() throws {
        let file = try directory.write("a.txt", "text")
        let preparation = try Preparation(request([file]))
        try preparation.makeFolder()
        _ = try directory.write("p.parts/mine", "precious")
        #expect(throws: DataError.self) { try preparation.begin(overwrites: true) }
        #expect(try directory.read("p.parts/mine") == Array("precious".utf8))
    }

    @Test func aFileThatChangesMeanwhile() throws {
        let file = try directory.write("a.txt", "text")
        let preparation = try Preparation(request([file]))
        let counts = try makeParts(preparation).counts
        _ = try directory.write("a.txt", "another text")
        let error = try #require(throws: DataError.self) { try preparation.join(chunkCounts: counts) }
        #expect(error.file == file && error.problem.contains("has changed"))
    }

    @Test func badArguments() throws {
        let file = try directory.write("a.txt", "text")
        func problem(_ files: [String], to output: String = "p") throws -> String {
            try #require(throws: DataError.self) { try Preparation(request(files, to: output)) }.problem
        }
        #expect(try problem([file, file]) == "the file is given twice")
        #expect(try problem([directory.path("a.csv")]) == "the file's ending is not known")
        #expect(try problem([directory.path("b.txt")]) == "there is no such file")
        #expect(try problem([file], to: "p.bin") == "this is the name of one file")
        #expect(try problem([file], to: "") == "this is a directory")
        let blank = try directory.write("a.jsonl", "\n\n")
        let nothing = try #require(throws: DataError.self) { try prepare(request([blank])) }
        #expect(nothing.problem == "the files hold no document that can be used")
        #expect(nothing.remedy.contains("2 blank lines"))
    }

    // MARK: Shared data

    /// Counted with Python's json: 668 documents of the four domains.
    @Test(.enabled(if: hasSharedData, "the shared texts are not part of the repository"))
    func realLinesCompressed() throws {
        let file = sharedData.appending(component: "train-00.jsonl.zst").path
        let summary = try prepare(request([file], chunkSize: nil), ranks: 2, threads: 2)
        #expect(summary.documents == 668 && summary.bytes == 8_000_638 && summary.tokens == 8_001_306)
        let (prepared, raw) = (try load(directory.path("p")), try load(file))
        #expect(try prepared.fingerprint == raw.fingerprint)
        try prepare(request([file], to: "q", splits: true, chunkSize: nil), ranks: 3)
        let documents = try ["Gutenberg", "PythonCode", "Shakespeare", "SwiftCode"].map {
            try pair("q-" + $0).documents.count
        }
        #expect(documents == [150, 203, 45, 270])
    }
}
