// DomainReaderTests - domains of a configuration: allowed data, and the error for each mistake.

import DataFixtures
import Foundation
import TestSupport
import Testing
import Tokenizers
import InputFiles

@testable import TokenData

@Suite struct DomainReaderTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func failure(
        _ train: [DataConfiguration.Domain], validation: [DataConfiguration.Domain] = [], tokenizer: String = "bytes",
        sequenceLength: Int = 4, ignored: [Int32] = [], vocabularySize: Int = 257, purpose: DataPurpose = .training
    ) throws -> DataError {
        let configuration = DataConfiguration(
            tokenizer: tokenizer, train: train, validation: validation, sequenceLength: sequenceLength,
            ignoredTargets: ignored)
        return try #require(throws: DataError.self) {
            try loadDomains(configuration, vocabularySize: vocabularySize, purpose: purpose)
        }
    }

    private func domain(_ path: String, name: String = "a", weight: Double = 1) -> DataConfiguration.Domain {
        DataConfiguration.Domain(name: name, path: path, weight: weight)
    }

    @Test func loadsEachListWithItsNamesAndWeights() throws {
        let path = try directory.write("a.txt", "some text")
        let configuration = DataConfiguration(
            train: [domain(path, name: "x", weight: 3), domain(path, name: "y", weight: 1)],
            validation: [domain(path, name: "x", weight: 0)], sequenceLength: 4)
        var lines: [String] = []
        let train = try loadDomains(configuration, vocabularySize: 300, purpose: .training) { lines.append($0) }
        #expect(train.map(\.name) == ["x", "y"] && train.map(\.weight) == [3, 1])
        #expect(lines.count == 2 && lines[0].contains("10 tokens"))
        // Weights mean nothing for validation, so that none is wrong there.
        #expect(try loadDomains(configuration, vocabularySize: 257, purpose: .validation).count == 1)
        let none = DataConfiguration(train: configuration.train, sequenceLength: 4)
        #expect(try loadDomains(none, vocabularySize: 257, purpose: .validation).isEmpty)
    }

    /// Tokenizers of characters read a byte that is none as U+FFFD: training and evaluation say so. Bytes are bytes.
    @Test func textsThatAreNotUTF8AreReadWithAWarning() throws {
        let model = try directory.write("t.model", HandmadeModel().bytes)
        let latin = try directory.write("l.txt", Array("line\naa".utf8) + [0xFC, 0xDF] + Array("aa\n".utf8))
        let good = try directory.write("g.txt", "line\naa\u{FFFD}\u{FFFD}aa\n")
        let wide = try directory.write("w.txt", [0xFF, 0xFE, 0x61, 0, 0x61, 0, 0x61, 0])
        func read(_ path: String, _ tokenizer: String) throws -> (tokens: [Int32], warnings: [String]) {
            let configuration = DataConfiguration(tokenizer: tokenizer, train: [domain(path)], sequenceLength: 1)
            var warnings: [String] = []
            let domains = try loadDomains(
                configuration, vocabularySize: 300, purpose: .training, tokenizer: makeTokenizer(tokenizer),
                warn: { warnings.append($0) })
            return (try covered(domains[0].source), warnings)
        }
        let replaced = try read(latin, model)
        #expect(replaced.warnings.count == 1, "\(replaced.warnings)")
        #expect(
            replaced.warnings.first?.hasPrefix(
                "\(latin):2: 2 bytes are not valid UTF-8, the first at byte 7; each is read as U+FFFD (convert it")
                == true)
        #expect(replaced.tokens == (try read(good, model)).tokens)
        #expect(try read(good, model).warnings.isEmpty && read(latin, "bytes").warnings.isEmpty)

        let refused = try #require(throws: DataError.self) { try read(wide, model) }
        #expect(refused.key == "data.train[0].path" && refused.problem == "the text is UTF-16, not UTF-8")
        let bytes = try read(wide, "bytes")
        #expect(bytes.tokens == [255, 254, 97, 0, 97, 0, 97, 0, 256])
        #expect(bytes.warnings.count == 1 && bytes.warnings[0].contains("byte by byte"), "\(bytes.warnings)")
    }

    @Test func aDirectoryIsNamed() throws {
        try FileManager.default.createDirectory(atPath: directory.path("d"), withIntermediateDirectories: true)
        _ = try directory.write("d/README.md", "no text")
        let error = try failure([domain(directory.path("d"))])
        #expect(error.problem == "the directory holds no text" && error.file == directory.path("d"))
        #expect(error.remedy.contains(".txt, .jsonl, .json or .ndjson") && !error.remedy.contains(".parquet"))
    }

    /// N = 13: with T = 4 sequences 0, 1, 2 use all; the last target is the last token.
    @Test(arguments: [(4, 3), (5, 2), (6, 2), (12, 1)])
    func sequencesOverlapByOneToken(sequenceLength: Int, count: Int) throws {
        let source = try load(try directory.write("a.txt", "abcdefghijkl"), sequenceLength: sequenceLength)
        #expect(source.sequenceCount == count)
        let all = "abcdefghijkl".utf8.map { Int32($0) } + [256]
        for s in 0..<count {
            #expect(try source.sequence(s) == Array(all[(s * sequenceLength)...(s * sequenceLength + sequenceLength)]))
        }
    }

    @Test func aFileShorterThanOneSequence() throws {
        let error = try failure([domain(try directory.write("a.txt", "abcdefghijkl"))], sequenceLength: 13)
        #expect(error.key == "data.train[0].path")
        #expect(error.problem == "the file holds 13 tokens, no whole sequence")
        #expect(error.remedy == "data.sequence_length 13 needs at least 14")
    }

    @Test func missingEmptyAndWrongFiles() throws {
        let good = domain(try directory.write("good.txt", "some text"), name: "good")
        for name in ["a.txt", "a.jsonl", "a.jsonl.zst"] {
            let error = try failure([good, domain(directory.path(name))])
            #expect(error.key == "data.train[1].path" && error.file == directory.path(name))
            #expect(error.problem == "there is no such file")
            let empty = try failure([domain(try directory.write(name, ""))])
            #expect(empty.problem == "the file is empty")
        }
        try FileManager.default.createDirectory(
            at: directory.url.appending(component: "d.txt"), withIntermediateDirectories: false)
        try FileManager.default.createDirectory(
            at: directory.url.appending(component: "d"), withIntermediateDirectories: false)
        #expect(try failure([domain(directory.path("d.txt"))]).problem == "the directory holds no text")
        #expect(try failure([domain(directory.path("d"))]).problem == "the directory holds no text")
        #expect(try failure([domain("/dev/null/a.txt")]).problem == "there is no such file")
        #expect(try failure([domain(directory.path("nothing"))]).problem.hasPrefix("there is no such file, and no"))
        let ending = try failure([domain(try directory.write("a.csv", "some text"))])
        #expect(ending.problem == "the file's ending is not known")
        #expect(ending.remedy.contains(".jsonl") && ending.remedy.contains(".bin/.idx"))
        let blank = try failure([domain(try directory.write("blank.jsonl", "\n \n"))])
        #expect(blank.problem.contains("0 tokens"))
    }

    @Test func validationErrorsNameTheirList() throws {
        let error = try failure([], validation: [domain("missing.txt")], purpose: .validation)
        #expect(error.key == "data.validation[0].path")
    }

    @Test(arguments: [-1, .nan, .infinity])
    func weightsMustBeShares(weight: Double) throws {
        let error = try failure([domain("synthetic:train"), domain("synthetic:train", name: "b", weight: weight)])
        #expect(error.key == "data.train[1].weight")
        #expect(error.remedy == "allowed: a number above zero, or 0 to switch the domain off")
    }

    /// The file need not exist, and the run is that without the domain: sequences, uses and fingerprint.
    @Test func aDomainOfWeightZeroIsNotRead() throws {
        let text = try directory.write("on.txt", String(repeating: "some text. ", count: 20))
        let (first, last) = (domain(text, name: "x", weight: 3), domain("synthetic:train", name: "z", weight: 1))
        var lines: [String] = []
        func stream(_ train: [DataConfiguration.Domain]) throws -> TrainingStream {
            let data = DataConfiguration(train: train, sequenceLength: 16)
            let domains = try loadDomains(data, vocabularySize: 257, purpose: .training) { lines.append($0) }
            return try TrainingStream(domains: domains, sequenceLength: 16, seed: 3)
        }
        let off = try stream([first, domain("absent.txt", name: "y", weight: 0), last])
        #expect(lines.contains("train domain y: weight 0, switched off"), "\(lines)")
        let without = try stream([first, last])
        #expect(try off.fingerprint == without.fingerprint)
        for position in 0..<2048 {
            #expect(off.location(of: position) == without.location(of: position), "position \(position)")
        }
        // The list of validation domains has no weights.
        let data = DataConfiguration(train: [first], validation: [domain(text, weight: 0)], sequenceLength: 16)
        #expect(try loadDomains(data, vocabularySize: 257, purpose: .validation).count == 1)
    }

    @Test func oneDomainMustBeOn() throws {
        let error = try failure([domain("absent.txt", weight: 0), domain("absent.txt", name: "b", weight: 0)])
        #expect(error.key == "data.train" && error.problem == "every weight is 0")
    }

    @Test func namesMustDiffer() throws {
        let error = try failure([domain("x.txt"), domain("y.txt", name: "b"), domain("z.txt")])
        #expect(error.key == "data.train[2].name" && error.problem.contains("data.train[0]"))
        #expect(try failure([domain("x.txt", name: "")]).key == "data.train[0].name")
        #expect(try failure([]).key == "data.train")
    }

    @Test func settingsMustFitTheVocabulary() throws {
        let synthetic = domain("synthetic:train")
        let small = try failure([synthetic], vocabularySize: 256)
        #expect(small.key == "model.vocab_size" && small.remedy == "allowed: 257 or more")
        #expect(try failure([synthetic], sequenceLength: 0).key == "data.sequence_length")
        let ignored = try failure([synthetic], ignored: [0, 257])
        #expect(ignored.key == "data.ignored_targets[1]" && ignored.remedy == "allowed: 0 to 256")
        #expect(try failure([synthetic], ignored: [-1]).key == "data.ignored_targets[0]")
        #expect(try failure([synthetic], tokenizer: "t.model").key == "data.tokenizer")
    }

    @Test func syntheticPathsNameNoFile() throws {
        #expect(try load("synthetic:train", sequenceLength: 64).sequenceCount == .max)
        let validation = try load("synthetic:validation", sequenceLength: 64)
        #expect(validation.sequenceCount == 256 && validation.tokenCount == 256 * 65)
        #expect(try validation.sequence(255).count == 65)
        #expect(try failure([domain("synthetic:test")]).remedy.contains("synthetic:validation"))
        let endless = try failure([], validation: [domain("synthetic:train")], purpose: .validation)
        #expect(endless.key == "data.validation[0].path" && endless.problem.contains("has no end"))
    }
}
