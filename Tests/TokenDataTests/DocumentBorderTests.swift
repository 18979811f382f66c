// DocumentBorderTests - where documents begin: in text, in prepared pairs, in sequences, batches and fingerprints.

import DataFixtures
import Foundation
import Glibc
import InputFiles
import TestSupport
import Tensors
import Testing

@testable import TokenData

/// A prepared pair of two-byte ids. Documents are named by the sequence with which they begin.
private struct Pair {
    var lengths: [Int]
    var boundaries: [Int]
    var tokens: [UInt16]

    init(lengths: [Int], boundaries: [Int], tokens: [UInt16]? = nil) {
        self.lengths = lengths
        self.boundaries = boundaries
        self.tokens = tokens ?? (0..<lengths.reduce(0, +)).map { UInt16($0 % 250) }
    }

    private func little(_ value: Int, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    /// The index, and the byte at which its boundaries begin.
    var index: (bytes: [UInt8], boundariesStart: Int) {
        var bytes = Array("MMIDIDX".utf8) + [0, 0] + little(1, 8) + [8]
        bytes += little(lengths.count, 8) + little(boundaries.count, 8) + lengths.flatMap { little($0, 4) }
        bytes += lengths.indices.flatMap { little(2 * lengths[..<$0].reduce(0, +), 8) }
        return (bytes + boundaries.flatMap { little($0, 8) }, bytes.count)
    }

    func write(to directory: TemporaryDirectory) throws -> String {
        _ = try directory.write("p.idx", index.bytes)
        return String(try directory.write("p.bin", tokens.flatMap { little(Int($0), 2) }).dropLast(4))
    }

    /// Positions above 0 at which a document begins.
    var starts: [Int] {
        let all = boundaries.filter { $0 < lengths.count }.map { lengths[..<$0].reduce(0, +) }
        return Set(all.filter { $0 > 0 && $0 < tokens.count }).sorted()
    }
}

@Suite struct DocumentBorderTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The domain of a file, with the borders of its documents unless `keeps` is false.
    private func domain(_ path: String, name: String = "only", sequenceLength: Int = 2, keeps: Bool = true) throws
        -> TokenDomain
    {
        let configuration = DataConfiguration(
            train: [DataConfiguration.Domain(name: name, path: path)], sequenceLength: sequenceLength,
            documentMask: keeps)
        return try loadDomains(configuration, vocabularySize: 257, purpose: .training)[0]
    }

    /// The sequences as batches have them: inputs, targets, and the targets that start a document.
    private func flags(_ source: any SequenceSource, sequenceLength: Int = 2) throws -> [[Bool]] {
        var batch = TokenBatch(capacity: 1, sequenceLength: sequenceLength)
        return try (0..<source.sequenceCount).map { sequence in
            batch.removeAll()
            try source.append(sequence: sequence, to: &batch)
            let tokens = try source.sequence(sequence)
            #expect(batch.inputs == Array(tokens.dropLast()) && batch.targets == Array(tokens.dropFirst()))
            return batch.startsDocument
        }
    }

    /// The end token belongs to the document that it ends; an end byte sequence inside a document is no border.
    @Test(arguments: [
        DataConfiguration(train: [], documentMask: true), DataConfiguration(train: [], maskDocumentStarts: true),
    ])
    func textHasTheBordersOfItsDocuments(configuration: DataConfiguration) throws {
        var configuration = configuration
        let path = try directory.write(
            "a.jsonl",
            #"{"text":"ab"}\n{"text":"c"}\n{"text":"defg"}\n"#
                .replacing(#"\n"#, with: "\n"))
        configuration.train = [DataConfiguration.Domain(name: "a", path: path)]
        configuration.sequenceLength = 2
        var lines: [String] = []
        let source = try loadDomains(
            configuration, vocabularySize: 257, purpose: .training, progress: { lines.append($0) })[0].source
        // a b END | c END | d e f g END
        #expect(try source.documentCount == 3)
        #expect(lines.last?.hasSuffix("10 tokens in 3 documents") == true)
        #expect(try source.sequence(1) == [256, 99, 256])
        #expect(try flags(source) == [[false, false], [true, false], [true, false], [false, false]])
    }

    /// One document, whatever it contains.
    @Test func aTextFileIsOneDocument() throws {
        let source = try domain(try directory.write("a.txt", "hello")).source
        #expect(try source.documentCount == 1)
        #expect(try flags(source).allSatisfy { !$0.contains(true) })
    }

    @Test func withoutTheKeysNothingIsKnown() throws {
        let text = try directory.write("a.jsonl", "{\"text\":\"ab\"}\n{\"text\":\"c\"}\n")
        let pair = try Pair(lengths: [3, 2], boundaries: [0, 1, 2]).write(to: directory)
        for path in [text, pair] {
            let source = try domain(path, keeps: false).source
            #expect(try source.documentCount == nil && source.documentFingerprint == nil)
            #expect(try flags(source).allSatisfy { !$0.contains(true) })
        }
        let known = try domain(pair).source
        #expect(try flags(known) == [[false, false], [true, false]])
    }

    /// Documents of several sequences, without tokens, without a boundary at 0, and no boundary at all. An end token
    /// inside a document is no border, and a document may lack one.
    @Test(arguments: [
        ([3, 0, 4], [0, 2, 3], [3], 2), ([3, 0, 4], [0, 1, 2, 3], [3], 3), ([3, 1, 3], [1, 2], [3, 4], 3),
        ([2, 2, 3], [], [], 1), ([2, 2, 3], [0, 3], [], 1), ([2, 2, 3], [0, 1, 2, 3, 3], [2, 4], 3),
        ([7, 0], [0, 1, 2], [], 2),
    ])
    func preparedPairsHaveTheBordersOfTheIndex(lengths: [Int], boundaries: [Int], starts: [Int], count: Int) throws {
        let tokens: [UInt16] = [1, 256, 2, 65, 256, 67, 68]
        let pair = Pair(lengths: lengths, boundaries: boundaries, tokens: tokens)
        let source = try domain(try pair.write(to: directory), sequenceLength: 6).source
        #expect(pair.starts == starts)
        #expect(try source.documentCount == count)
        #expect(try flags(source, sequenceLength: 6) == [(1...6).map { starts.contains($0) }])
    }

    /// Every range of a random index, found by bisection, against all of its boundaries.
    @Test func everyRangeHasItsStarts() throws {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<20 {
            let lengths = random.integers(1 + random.index(below: 30), below: 4).map { Int($0) } + [1]
            let boundaries = random.integers(random.index(below: 20), below: lengths.count + 1).map { Int($0) }.sorted()
            let pair = Pair(lengths: lengths, boundaries: boundaries)
            let dataset = try IndexedDataset(prefix: try pair.write(to: directory), findsDocuments: true)
            let count = pair.tokens.count
            #expect(dataset.count == count)
            for first in 1..<max(count, 2) {
                for end in first...count {
                    let starts = try dataset.documentStarts(in: first..<end)
                    #expect(starts == pair.starts.filter { (first..<end).contains($0) }, "\(first) ..< \(end): \(pair)")
                }
            }
        }
    }

    /// A text and its pair have the same borders and the same identity; other borders have another one.
    @Test func identityOfTheBorders() throws {
        let text = try domain(
            try directory.write("a.jsonl", "{\"text\":\"ab\"}\n{\"text\":\"c\"}\n"), sequenceLength: 1)
        var pair = Pair(lengths: [3, 2], boundaries: [0, 1, 2], tokens: [97, 98, 256, 99, 256])
        let same = try domain(try pair.write(to: directory), sequenceLength: 1)
        // SHA-256 of the eight bytes 03 00 00 00 00 00 00 00.
        let expected = "35be322d094f9d154a8aba4733b8497f180353bd7ae7b0a15f90b586b549f28b"
        #expect(try text.source.documentFingerprint == expected)
        #expect(try same.source.documentFingerprint == expected)
        func fingerprint(_ domain: TokenDomain) throws -> DataFingerprint {
            try DataFingerprint(
                json: TrainingStream(domains: [domain], sequenceLength: 1, seed: 1).fingerprint)
        }
        #expect(try fingerprint(same).differences(from: fingerprint(text)).isEmpty)
        pair.lengths = [2, 3]
        let other = try domain(try pair.write(to: directory), sequenceLength: 1)
        #expect(
            try fingerprint(other).differences(from: fingerprint(text))
                == ["the documents of \"only\" have other borders than the checkpoint's"])
        let off = try domain(try pair.write(to: directory), sequenceLength: 1, keeps: false)
        #expect(try !fingerprint(off).json.contains("documents"))
    }

    /// Borders follow the sequences through epochs, permutations and mixtures.
    @Test func batchesHaveTheBordersOfTheirSequences() throws {
        let pair = Pair(lengths: [3, 9, 1, 6, 14, 5, 5], boundaries: [0, 1, 2, 3, 4, 5, 6, 7])
        let (T, starts) = (5, Set(pair.starts))
        let text = try directory.write("b.jsonl", "{\"text\":\"abcd\"}\n{\"text\":\"efghijklmn\"}\n")
        let stream = try TrainingStream(
            domains: [
                try domain(try pair.write(to: directory), name: "pair", sequenceLength: T),
                try domain(text, name: "text", sequenceLength: T),
            ], sequenceLength: T, seed: 3)
        let borders = [starts, [5]]
        var batch = TokenBatch(capacity: 40, sequenceLength: T)
        var seen = Set<Int>()
        for positions in [0..<40, 1000..<1003, 77..<117] {
            try stream.fill(&batch, with: positions)
            let expected = positions.flatMap { position in
                let place = stream.location(of: position)
                seen.insert(place.epoch)
                return (1...T).map { borders[place.domain].contains(place.sequence * T + $0) }
            }
            #expect(batch.startsDocument == expected)
            #expect(expected.contains(true) && expected.contains(false))
        }
        #expect(seen.count > 3)
    }

    /// A file that changes under a run is an error; nothing ends the process.
    @Test func anIndexThatChangesUnderARun() throws {
        let pair = Pair(lengths: [3, 4, 2], boundaries: [0, 1, 2, 3])
        let prefix = try pair.write(to: directory)
        let source = try domain(prefix, sequenceLength: 8).source
        #expect(try flags(source, sequenceLength: 8)[0] == (1...8).map { [3, 7].contains($0) })
        let (bytes, start) = pair.index
        var changed = bytes
        // The second boundary names no sequence any more.
        for index in (start + 8)..<(start + 16) { changed[index] = 9 }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: prefix + ".idx"))
        try file.write(contentsOf: Data(changed))
        try file.close()
        let boundary = try #require(throws: InputError.self) { try flags(source, sequenceLength: 8) }
        #expect(boundary.file == prefix + ".idx")
        #expect(boundary.problem.hasSuffix("it holds the document boundary \(0x0909_0909_0909_0909) now"))
        #expect(unsafe truncate(prefix + ".idx", 40) == 0)
        var batch = TokenBatch(capacity: 1, sequenceLength: 8)
        let error = try #require(throws: InputError.self) { try source.append(sequence: 0, to: &batch) }
        #expect(error.file == prefix + ".idx" && error.problem.hasPrefix("the file became shorter"))
        #expect(batch.sequenceCount == 0 && batch.startsDocument.isEmpty)
    }
}
