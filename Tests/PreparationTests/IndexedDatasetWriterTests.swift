// IndexedDatasetWriterTests - the bytes of .bin and .idx, against a layout written by hand.

import DataFixtures
import Testing

@testable import Preparation
@testable import TokenData

/// A reader of Megatron's indexed dataset, written from its layout for these tests.
struct MegatronPair: Equatable {
    var code: UInt8
    /// The ids of each document.
    var documents: [[Int]]
    /// Tokens of each sequence.
    var lengths: [Int]

    init(_ data: [UInt8], _ index: [UInt8]) throws {
        var offset = 0
        func integer(_ size: Int) -> Int {
            defer { offset += size }
            return index[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        try #require(Array(index.prefix(9)) == Array("MMIDIDX".utf8) + [0, 0])
        offset = 9
        try #require(integer(8) == 1)
        let code = UInt8(integer(1))
        let size = try #require([4: 4, 8: 2][code])
        let (sequences, boundaries) = (integer(8), integer(8))
        lengths = (0..<sequences).map { _ in integer(4) }
        let offsets = (0..<sequences).map { _ in integer(8) }
        let documentStarts = (0..<boundaries).map { _ in integer(8) }
        try #require(offset == index.count)
        try #require(documentStarts.first == 0 && documentStarts.last == sequences)
        self.code = code
        try #require(data.count == size * lengths.reduce(0, +))
        let texts = zip(lengths, offsets).map { length, offset in
            (0..<length).map { token in
                let start = offset + token * size
                return data[start..<(start + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
            }
        }
        documents = zip(documentStarts, documentStarts.dropFirst()).map { texts[$0..<$1].flatMap(\.self) }
    }
}

@Suite struct IndexedDatasetWriterTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func write(
        _ documents: [[Int32]], _ type: IndexedDataset.ElementType, longest: Int = Int(Int32.max), cut: Int = .max
    ) throws -> (data: [UInt8], index: [UInt8]) {
        let (data, index) = (directory.path("p.bin"), directory.path("p.idx"))
        let writer = try IndexedDatasetWriter(data: data, index: index, elementType: type, longest: longest)
        for document in documents {
            // In pieces, as a text arrives.
            for start in stride(from: 0, to: document.count, by: min(cut, document.count)) {
                let piece = Array(document[start..<min(document.count, start + min(cut, document.count))])
                try writer.append(IndexedDatasetWriter.bytes(of: piece, as: type, vocabularySize: 1 << 17))
                try writer.extendDocument(by: piece.count)
            }
            try writer.endDocument()
        }
        let sizes = try writer.finish()
        let result = (try directory.read("p.bin"), try directory.read("p.idx"))
        #expect(sizes.data == result.0.count && sizes.index == result.1.count)
        #expect(writer.documents == documents.count && writer.tokens == documents.reduce(0) { $0 + $1.count })
        return result
    }

    /// Two documents, three tokens: every byte.
    @Test func bytesByHand() throws {
        let (data, index) = try write([[1, 256], [65_498]], .uint16)
        #expect(data == [1, 0, 0, 1, 0xDA, 0xFF])
        let header: [UInt8] = [0x4D, 0x4D, 0x49, 0x44, 0x49, 0x44, 0x58, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8]
        let counts: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
        let lengths: [UInt8] = [2, 0, 0, 0, 1, 0, 0, 0]
        let offsets: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]
        let documents: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
        #expect(index == header + counts + lengths + offsets + documents)
        let wide = try write([[70_000]], .int32)
        #expect(wide.data == [0x70, 0x11, 1, 0] && wide.index[17] == 4)
    }

    @Test(arguments: [(257, 8), (65_499, 8), (65_500, 4), (128_000, 4)] as [(Int, UInt8)])
    func typeFollowsTheVocabulary(size: Int, code: UInt8) {
        #expect(IndexedDatasetWriter.elementType(vocabularySize: size).rawValue == code)
    }

    /// More sequences than are written at a time, and ids beyond the buffer.
    @Test func many() throws {
        let documents = (0..<150_000).map { document in
            (0...(document % 13)).map { Int32(truncatingIfNeeded: document &* 7 &+ $0) % 60_000 }
        }
        let (data, index) = try write(documents, .uint16)
        let pair = try MegatronPair(data, index)
        #expect(pair.documents == documents.map { $0.map { Int($0) } })
        #expect(pair.lengths == documents.map(\.count))
    }

    /// With sequences of at most 4 tokens; the format's own limit is 2^31 - 1.
    @Test(arguments: [1, 3, 4, 5, 100]) func longDocumentsAreSeveralSequences(cut: Int) throws {
        let documents = [[1, 2, 3], Array(1...4), Array(1...5), Array(1...8), Array(1...13), [7]] as [[Int32]]
        let (data, index) = try write(documents, .int32, longest: 4, cut: cut)
        let pair = try MegatronPair(data, index)
        #expect(pair.documents == documents.map { $0.map { Int($0) } })
        #expect(pair.lengths == [3, 4, 4, 1, 4, 4, 4, 4, 4, 1, 1])
        // The reader accepts the writer's files.
        let dataset = try IndexedDataset(prefix: directory.path("p"))
        #expect(try dataset.tokens(in: 0..<dataset.count) == documents.flatMap(\.self))
    }
}
