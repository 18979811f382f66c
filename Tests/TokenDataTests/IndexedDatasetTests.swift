// IndexedDatasetTests - Megatron's .bin/.idx, well-formed and hostile.

import DataFixtures
import Foundation
import Glibc
import Testing
import InputFiles

@testable import TokenData

/// An index and its data, byte by byte as the format says, with every field open to damage.
private struct Pair {
    var magic = Array("MMIDIDX".utf8) + [0, 0]
    var version: UInt64 = 1
    var code: UInt8 = 8
    var sequences: UInt64?
    var boundaries: UInt64?
    var lengths: [Int32] = [3, 0, 4]
    var offsets: [Int64]?
    var documents: [Int64] = [0, 2, 3]
    var trailer: [UInt8] = []
    var tokens: [Int64] = [1, 2, 256, 65, 66, 67, 256]

    private static let sizes: [UInt8: Int] = [1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 8, 7: 4, 8: 2]

    private func little(_ value: some FixedWidthInteger, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: Int64(truncatingIfNeeded: value) >> Int64(8 * $0)) }
    }

    var index: [UInt8] {
        let size = Self.sizes[code] ?? 1
        var next = 0
        let starts = lengths.map { length in
            defer { next += Int(length) * size }
            return Int64(next)
        }
        var result = magic + little(version, 8) + [code]
        result += little(sequences ?? UInt64(lengths.count), 8) + little(boundaries ?? UInt64(documents.count), 8)
        result += lengths.flatMap { little($0, 4) }
        result += (offsets ?? starts).flatMap { little($0, 8) }
        return result + documents.flatMap { little($0, 8) } + trailer
    }

    /// Whole arrays at a time: some tests have hundreds of thousands of tokens.
    var data: [UInt8] {
        func bytes<Value: FixedWidthInteger>(_: Value.Type) -> [UInt8] {
            unsafe tokens.map { Value(truncatingIfNeeded: $0).littleEndian }.withUnsafeBytes { unsafe Array($0) }
        }
        return switch Self.sizes[code] {
        case 2: bytes(Int16.self)
        case 4: bytes(Int32.self)
        case 8: bytes(Int64.self)
        default: bytes(Int8.self)
        }
    }

    /// Writes both files and returns their prefix.
    func write(to directory: TemporaryDirectory) throws -> String {
        _ = try directory.write("p.idx", index)
        return String(try directory.write("p.bin", data).dropLast(4))
    }
}

@Suite struct IndexedDatasetTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func failure(
        _ file: String, sequenceLength: Int = 1, vocabularySize: Int = 257, _ change: (inout Pair) -> Void
    ) throws -> DataError {
        var pair = Pair()
        change(&pair)
        let prefix = try pair.write(to: directory)
        let error = try #require(throws: DataError.self) {
            try load(prefix, sequenceLength: sequenceLength, vocabularySize: vocabularySize)
        }
        #expect(error.key == "data.train[0].path" && error.file == prefix + file)
        return error
    }

    @Test(arguments: [3, 4, 5, 8] as [UInt8])
    func readsEveryIntegerType(code: UInt8) throws {
        let pair = Pair(code: code)
        let source = try load(try pair.write(to: directory), sequenceLength: 2)
        #expect(source.tokenCount == 7 && source.sequenceCount == 3)
        #expect(try covered(source) == pair.tokens.map { Int32($0) })
    }

    @Test(arguments: [1, 2] as [UInt8])
    func readsBytes(code: UInt8) throws {
        let pair = Pair(code: code, tokens: [1, 2, 3, 65, 66, 67, 127])
        #expect(
            try covered(try load(try pair.write(to: directory), sequenceLength: 2)) == pair.tokens.map { Int32($0) })
    }

    /// A text and its prepared pair have equal fingerprints, for every type of ids.
    @Test func fingerprintIsThatOfTheTokens() throws {
        let text = Array("hello".utf8)
        let expected = "5dfaf118ebf3f38efc5e84f7093899a307de0cc48eb127235be12afe4a3b671e"
        #expect(try load(try directory.write("a.txt", text), sequenceLength: 1).fingerprint == expected)
        for code in [3, 4, 5, 8] as [UInt8] {
            var pair = Pair(code: code, lengths: [6], documents: [0, 1], tokens: text.map { Int64($0) } + [256])
            #expect(try load(try pair.write(to: directory), sequenceLength: 1).fingerprint == expected)
            pair.tokens[0] += 1
            #expect(try load(try pair.write(to: directory), sequenceLength: 1).fingerprint != expected)
        }
    }

    @Test func multimodalModesArePassedOver() throws {
        #expect(try load(try Pair(trailer: [0, 0, 0]).write(to: directory), sequenceLength: 2).tokenCount == 7)
    }

    @Test func headerIsChecked() throws {
        #expect(try failure(".idx") { $0.magic[3] = 0 }.remedy.contains("MMIDIDX"))
        #expect(try failure(".idx") { $0.version = 2 }.problem == "the index has version 2")
        for code in [0, 6, 7, 9, 255] as [UInt8] {
            #expect(try failure(".idx") { $0.code = code }.problem.hasPrefix("the tokens have type code \(code)"))
        }
        let double = try failure(".idx") { $0.code = 6 }
        #expect(double.problem == "the tokens have type code 6 (float64)")
        #expect(try failure(".idx") { $0.code = 7 }.problem == "the tokens have type code 7 (float32)")
        #expect(double.remedy.hasSuffix("1 (uint8), 2 (int8), 3 (int16), 4 (int32), 5 (int64), 8 (uint16)"))
    }

    @Test(arguments: [4, UInt64(Int64.max), .max, UInt64.max / 12 + 1, UInt64(1) << 62, UInt64(1) << 33] as [UInt64])
    func countsAreComparedWithTheFile(count: UInt64) throws {
        #expect(try failure(".idx") { $0.sequences = count }.problem.contains("claims \(count) sequences"))
        let boundaries = try failure(".idx") { $0.boundaries = count }
        #expect(boundaries.problem.contains("and \(count) document boundaries"))
    }

    @Test func offsetsLengthsAndBoundariesAreChecked() throws {
        #expect(try failure(".idx") { $0.lengths[1] = -1 }.problem == "sequence 1 has the length -1")
        #expect(try failure(".idx") { $0.offsets = [0, 6, 8] }.problem.hasPrefix("sequence 2 starts at byte 8"))
        #expect(try failure(".idx") { $0.offsets = [-2, 6, 6] }.problem.hasPrefix("sequence 0 starts at byte -2"))
        #expect(try failure(".idx") { $0.documents = [0, 3, 2] }.problem.hasPrefix("document boundary 2 is 2"))
        #expect(try failure(".idx") { $0.documents = [0, 4] }.problem.hasPrefix("document boundary 1 is 4"))
        #expect(try failure(".idx") { $0.documents = [-1, 3] }.problem.hasPrefix("document boundary 0 is -1"))
        #expect(try failure(".idx") { $0.trailer = [1] }.problem.contains("1 bytes after"))
        let empty = try failure(".idx") { ($0.lengths, $0.documents, $0.tokens) = ([], [0], [1]) }
        #expect(empty.problem == "the index lists no tokens")
    }

    @Test func theTwoFilesMustFit() throws {
        #expect(try failure(".bin") { $0.tokens.removeLast() }.problem.contains("12 bytes, its index describes 14"))
        #expect(try failure(".bin") { $0.tokens.append(0) }.problem.contains("16 bytes, its index describes 14"))
        #expect(try failure(".bin") { $0.tokens = [] }.problem == "the file is empty")
    }

    /// Every proper prefix of an index is an error, never a crash.
    @Test func everyTruncatedIndexIsFound() throws {
        let pair = Pair()
        let prefix = try pair.write(to: directory)
        for count in 0..<pair.index.count {
            _ = try directory.write("p.idx", Array(pair.index.prefix(count)))
            let error = try #require(throws: DataError.self) { try load(prefix) }
            #expect(error.file == prefix + ".idx", "cut to \(count) bytes")
        }
    }

    @Test func idsMustBeInTheVocabulary() throws {
        let error = try failure(".bin", vocabularySize: 300) { $0.tokens[4] = 300 }
        #expect(error.problem == "the token at position 4 has id 300")
        #expect(error.remedy == "model.vocab_size 300 allows 0 to 299")
        let negative = try failure(".bin") { ($0.code, $0.tokens[2]) = (4, -5) }
        #expect(negative.problem == "the token at position 2 has id -5")
        // Beyond 32 bits: must not wrap around to a small id.
        #expect(try failure(".bin") { ($0.code, $0.tokens[1]) = (5, 1 << 32 + 7) }.problem.contains("position 1"))
    }

    // MARK: Files that change under a run

    /// A file that becomes shorter, or changes, is an error wherever it is read; nothing ends the process.
    @Test(arguments: [1, 3, 4, 5, 8] as [UInt8]) func aFileThatShrinksUnderARun(code: UInt8) throws {
        let tokens = [Int64](repeating: 7, count: 200_000)
        let pair = Pair(code: code, lengths: [200_000], documents: [0, 1], tokens: tokens)
        let prefix = try pair.write(to: directory)
        let source = try load(prefix, sequenceLength: 64)
        let last = source.sequenceCount - 1
        #expect(try source.sequence(last) == [Int32](repeating: 7, count: 65))
        #expect(unsafe truncate(prefix + ".bin", 1000) == 0)
        for read in [{ _ = try source.sequence(last) }, { _ = try source.piece(3) }, { _ = try source.fingerprint }] {
            let error = try #require(throws: InputError.self) { try read() }
            #expect(error.file == prefix + ".bin")
            #expect(error.problem.hasPrefix("the file became shorter while it was in use"))
            #expect(error.problem.hasSuffix("it had \(pair.data.count) bytes and has 1000 now"))
        }
        #expect(try source.sequence(0) == [Int32](repeating: 7, count: 65))
    }

    @Test func aFileThatChangesUnderARun() throws {
        var pair = Pair(code: 4)
        let prefix = try pair.write(to: directory)
        let source = try load(prefix, sequenceLength: 2, vocabularySize: 300)
        #expect(try source.sequence(0) == [1, 2, 256])
        for id in [300, -1] as [Int64] {
            pair.tokens[1] = id
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: prefix + ".bin"))
            try file.write(contentsOf: Data(pair.data))
            try file.close()
            let error = try #require(throws: InputError.self) { try source.sequence(0) }
            #expect(error.file == prefix + ".bin" && error.problem.hasSuffix("it holds id \(id) now"))
            #expect(try source.sequence(1) == [256, 65, 66])
        }
    }

    @Test func halfAPairIsNamed() throws {
        let prefix = try Pair().write(to: directory)
        let half = try #require(throws: DataError.self) { try load(prefix + ".bin") }
        #expect(half.remedy == "give \(prefix), without the ending")
        try FileManager.default.removeItem(atPath: prefix + ".bin")
        let missing = try #require(throws: DataError.self) { try load(prefix) }
        #expect(missing.file == prefix + ".bin" && missing.problem == "there is no such file")
        _ = try Pair().write(to: directory)
        try FileManager.default.removeItem(atPath: prefix + ".idx")
        let index = try #require(throws: DataError.self) { try load(prefix) }
        #expect(index.file == prefix + ".idx" && index.remedy.contains("nanoGPT"))
        let ids = try #require(throws: DataError.self) { try load(prefix + ".bin") }
        #expect(ids.problem.contains("there is no \(prefix).idx") && ids.remedy.contains("nanoGPT"))
    }

    @Test func tooFewTokens() throws {
        #expect(try failure(".bin", sequenceLength: 7) { _ in }.problem == "the file holds 7 tokens, no whole sequence")
    }
}
