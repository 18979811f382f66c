// RoundTripTests - what is saved by any number of ranks is read back by any other number.

import CheckpointFixtures
@testable import Checkpointing
import LlamaModel
import Primitives
import Tensors
import Testing

struct RoundTripTests {
    let files: TemporaryFiles
    let store: CheckpointStore

    init() throws {
        files = try TemporaryFiles()
        store = CheckpointStore(directory: files.path("checkpoints"))
    }

    @Test(arguments: [1, 3, 4, 64]) func `random layouts give every range back`(shards: Int) throws {
        let model = ModelConfiguration.small
        let count = model.tensorTable.count
        var random = SplitMix64(seed: UInt64(shards))
        // Few trials of many shards: every shard is synced to disk, which takes milliseconds.
        for trial in 0..<(shards == 64 ? 1 : 4) {
            let layout = randomLayout(count: count, shards: shards, using: &random)
            let path = try save(store, step: trial, model: model, layout: layout, valueOffset: trial * 100)
            let reader = try load(path)
            let values = Values(count: count, offset: trial * 100)
            for role in TensorRole.allCases {
                let everything = Arena(count: count).all
                try reader.read(role, range: 0..<count, into: everything)
                #expect(everything.array == values[role].array)
                for _ in 0..<60 {
                    let start = Int.random(in: 0...count, using: &random)
                    let end = Int.random(in: start...count, using: &random)
                    let target = Arena(count: end - start).all
                    try reader.read(role, range: start..<end, into: target)
                    #expect(target.array == values[role][start..<end].array)
                }
            }
        }
    }

    @Test func `more shards than stay open can be read in any order`() throws {
        let model = ModelConfiguration.small
        let count = model.tensorTable.count
        let path = try save(store, step: 1, model: model, layout: evenLayout(count: count, shards: 20))
        let reader = try load(path)
        for start in stride(from: 0, to: count - 1, by: 13) {
            for position in [start, count - 1 - start] {
                let target = Arena(count: 1).all
                try reader.read(.firstMoment, range: position..<position + 1, into: target)
                #expect(target[0] == Float(position + 1) * 0.5)
            }
        }
    }

    @Test func `runs longer than a chunk and a block come back`() throws {
        let model = ModelConfiguration.wide
        let count = model.tensorTable.count
        // 3 runs, none aligned to a chunk; the middle shard's data are packed from both ends.
        let layout = [[100_001..<600_003], [0..<100_001, 600_003..<count]]
        let path = try save(store, step: 7, model: model, layout: layout)
        let reader = try load(path)
        let target = Arena(count: count).all
        let values = Values(count: count, offset: 7)
        for role in TensorRole.allCases {
            try reader.read(role, range: 0..<count, into: target)
            #expect(target.hasSameBits(as: values[role]))
        }
    }

    @Test func `the index comes back as it was`() throws {
        let model = ModelConfiguration.small
        let path = try save(store, step: 41, model: model)
        let reader = try CheckpointReader(directory: path)
        #expect(reader.index == makeIndex(step: 41, model: model, shards: reader.index.shards))
        #expect(reader.index.shards.map(\.fileName) == (0..<3).map { "shard-0000\($0)-of-00003.h5" })
        #expect(reader.index.shards.map(\.runs) == evenLayout(count: model.tensorTable.count, shards: 3))
        #expect(path.hasSuffix("/checkpoints/step-00000041"))
        #expect(
            try names(in: path) == [
                "COMPLETE", "checkpoint.h5", "shard-00000-of-00003.h5", "shard-00001-of-00003.h5",
                "shard-00002-of-00003.h5",
            ])
        #expect(try names(in: store.directory) == ["step-00000041"])
    }

    @Test func `an empty configuration and large counts come back`() throws {
        let model = ModelConfiguration.tiny
        let temporary = try store.begin(step: 123_456_789)
        let shards = try writeShards(in: temporary, layout: [[0..<56]], values: Values(count: 56))
        var index = makeIndex(step: 123_456_789, model: model, shards: shards)
        index.configuration = ""
        index.tokens = .max
        index.seed = 0
        index.tokenizer = .init(name: "llama.model", bytes: (0..<600_000).map { UInt8(truncatingIfNeeded: $0) })
        let path = try store.complete(temporary, index: index)
        #expect(path.hasSuffix("/step-123456789"))
        #expect(try CheckpointReader(directory: path).index == index)
    }

    @Test func `NaNs and signed zeros keep their bits`() throws {
        let patterns: [UInt32] = [0x7FC0_1234, 0x8000_0000, 1, 0x7F80_0000]
        let values = FloatSlice((0..<56).map { Float(bitPattern: patterns[$0 % 4]) })
        let temporary = try store.begin(step: 1)
        let shard = try CheckpointStore.writeShard(
            in: temporary, shard: 0, of: 1, runs: [0..<56], parameters: [values],
            state: moments(values, values))
        let path = try store.complete(temporary, index: makeIndex(step: 1, model: .tiny, shards: [shard]))
        let target = Arena(count: 56).all
        try load(path).read(.secondMoment, range: 0..<56, into: target)
        #expect(target.array.map(\.bitPattern) == values.array.map(\.bitPattern))
    }

    @Test func `a shard record survives a gather`() throws {
        let record = ShardRecord(fileName: "shard-00000-of-00002.h5", byteCount: 5, sha256: "ab", runs: [0..<3, 7..<9])
        #expect(try ShardRecord(decoding: record.encoded()) == record)
        #expect(
            String(decoding: try record.encoded(), as: UTF8.self)
                == #"{"byte_count":5,"file_name":"shard-00000-of-00002.h5","runs":[[0,3],[7,9]],"sha256":"ab"}"#)
        for text in ["", "{}", #"{"byte_count":5,"file_name":"x","runs":[[3,0]],"sha256":"ab"}"#] {
            #expect(throws: CheckpointError.self) { try ShardRecord(decoding: Array(text.utf8)) }
        }
    }

    @Test func `tensor hashes are those of row-major little-endian floats`() throws {
        // Python: hashlib.sha256(struct.pack("<...f", ...)) over i, i/2 and i/4 for the tensor's places i in the table.
        let expected: [(String, [Int], String, String, String)] = [
            (
                "model.embed_tokens.weight", [4, 2], "0571cfe42be5c7b95de9afc7c7ba1286fb7a2ef10a9035f8d6b87d21a3bc8387",
                "c550add093344b2e34da9d0628e6598698b8ed797de8781c51d1240d84afa5f2",
                "4d116713db1fcd25655501d0ab20ccaef04a2fda35cd2d71480429addcdfb102"
            ),
            (
                "model.layers.0.mlp.down_proj.weight", [2, 3],
                "26d4b5717d6a9ed1a987c23e9cf779cfffee11e996be50688d90de9de49bace7",
                "e5c0012640ed7632180a1568ea311908e628a093c406bea003a5a4423d9c4669",
                "d59582bf945d8519b195866ba142d06b8fd5d7dbdff2e4da12a83c78ef3b428d"
            ),
            (
                "lm_head.weight", [4, 2], "4ac069bce1bc898df23f70b97a771a0c1aa7c5100ded2e6fa023aefbcaf06a92",
                "22a975ec3b865c81f099c3777f4c8e125874af7e5f5e659846ed91693e8a3e29",
                "d6cd1af1786a3f9c11342b49fbb211908a34fa720edc9dec833f3cfd6a64ae18"
            ),
        ]
        var random = SplitMix64(seed: 9)
        for (step, shards) in [1, 5].enumerated() {
            let layout = randomLayout(count: 56, shards: shards, using: &random)
            let reader = try load(try save(store, step: step, model: .tiny, layout: layout, valueOffset: 0))
            let hashes = try reader.tensorHashes()
            #expect(hashes.map(\.name) == ModelConfiguration.tiny.tensorTable.entries.map(\.name))
            for (name, shape, parameter, firstMoment, secondMoment) in expected {
                let hash = try #require(hashes.first { $0.name == name })
                #expect(
                    hash
                        == CheckpointReader.TensorHash(
                            name: name, shape: shape,
                            hashes: [.parameter: parameter, .firstMoment: firstMoment, .secondMoment: secondMoment],
                            nonFinite: [.parameter: 0, .firstMoment: 0, .secondMoment: 0]))
            }
        }
        // Negative control: other values, other hashes.
        let other = try load(try save(store, step: 2, model: .tiny, valueOffset: 1)).tensorHashes()
        #expect(other[0].hashes[.parameter] != expected[0].2)
    }

    @Test func `a tied model has no head`() throws {
        let hashes = try load(try save(store, step: 1, model: .small)).tensorHashes()
        #expect(hashes.count == 2 + 9 * 3)
        #expect(!hashes.contains { $0.name == "lm_head.weight" })
    }
}
