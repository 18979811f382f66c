// IndexFileTests - an index with a right hash and wrong content is refused without a trap.

import CheckpointFixtures
@testable import Checkpointing
import HDF5Store
import LlamaModel
import Tensors
import Testing

struct IndexFileTests {
    let files: TemporaryFiles
    let path: String
    /// A copy of the index as it was saved.
    let pristine: String

    init() throws {
        files = try TemporaryFiles()
        path = try save(CheckpointStore(directory: files.directory), step: 5, model: .tiny)
        pristine = files.path("pristine.h5")
        try overwrite(pristine, with: bytes(of: path + "/checkpoint.h5"))
    }

    /// Rewrites the index with some values replaced, or left out where nil, and a `COMPLETE` that agrees with it.
    func rewrite(integers: [String: [Int64]?] = [:], texts: [String: String?] = [:]) throws {
        let file = path + "/checkpoint.h5"
        let integerNames = ["format", "step", "position", "tokens", "optimizer_steps", "ranks_written"]
        let textNames = [
            "seed", "configuration", "model", "tensors", "tokenizer_name", "data_fingerprint", "processor", "blas",
            "shards",
        ]
        let old = try HDF5File.open(pristine)
        let oldIntegers = try integerNames.map { try old.readIntegers($0, limit: 1) }
        let oldTexts = try textNames.map { try old.readText($0, limit: 1 << 20) }
        let tokenizer = try old.readBytes("tokenizer", limit: 100)
        try old.close()
        let new = try HDF5File.create(file)
        for (name, values) in zip(integerNames, oldIntegers) {
            if let values = integers[name, default: values] { try new.writeIntegers(values, to: name) }
        }
        if let values = integers["tokenizer_end_token"], let values {
            try new.writeIntegers(values, to: "tokenizer_end_token")
        }
        for (name, text) in zip(textNames, oldTexts) {
            if let text = texts[name, default: text] { try new.writeText(text, to: name) }
        }
        try new.writeBytes(tokenizer, to: "tokenizer")
        try new.close()
        try overwrite(path + "/COMPLETE", with: Array((Hash.file(file) + "\n").utf8))
    }

    @Test func `recent losses and skipped steps come back and may be absent`() throws {
        var index = try CheckpointReader(directory: path).index
        #expect(index.recentLosses == [] && index.skippedInARow == 0)
        index.skippedInARow = 3
        index.recentLosses = [0.1, 1e-300, -0.0, .pi]
        let file = files.path("losses.h5")
        try IndexFile.write(index, to: file)
        let back = try IndexFile.read(file).index
        #expect(back.recentLosses.map(\.bitPattern) == index.recentLosses.map(\.bitPattern))
        #expect(back.skippedInARow == 3)
        // As earlier versions wrote it: without.
        try rewrite()
        #expect(try CheckpointReader(directory: path).index.recentLosses == [])
    }

    @Test func `token counts come back and may be absent`() throws {
        var index = try CheckpointReader(directory: path).index
        #expect(index.tokenCounts == [])
        let vocabulary = index.model.vocabularySize
        index.tokenCounts = (0..<vocabulary).map { $0 == 1 ? 1 << 50 : 3 * $0 }
        let file = files.path("counts.h5")
        try IndexFile.write(index, to: file)
        #expect(try IndexFile.read(file).index == index)
        // As an import or an earlier version writes it: without.
        index.tokenCounts = []
        try IndexFile.write(index, to: file)
        #expect(try IndexFile.read(file).index.tokenCounts == [])
        let ones = [Int](repeating: 1, count: vocabulary)
        for bad in [[1], ones.dropLast() + [-1], ones.dropLast() + [1 << 56], ones + [1]] {
            index.tokenCounts = bad
            try IndexFile.write(index, to: file)
            #expect(throws: CheckpointError.self) { try IndexFile.read(file) }
        }
    }

    @Test func `the end token of a tokenizer comes back and may be absent`() throws {
        var index = try CheckpointReader(directory: path).index
        // As earlier versions and other tokenizers write it: without.
        #expect(index.tokenizer.endToken == nil)
        #expect(try !HDF5File.open(pristine).contains("tokenizer_end_token"))
        let file = files.path("end.h5")
        for endToken in [0, 128_001, Int(Int32.max), nil] {
            index.tokenizer = .init(name: "t.json", bytes: [0x7B, 0x7D], endToken: endToken)
            try IndexFile.write(index, to: file)
            let back = try IndexFile.read(file).index
            #expect(back == index && back.tokenizer.endToken == endToken)
        }
        // Another end token is another index.
        var other = index
        other.tokenizer.endToken = 1
        #expect(other != index)
        for values in [[], [1, 2]] as [[Int64]] {
            try rewrite(integers: ["tokenizer_end_token": values])
            #expect(refusal()?.kind == .corrupt)
        }
        try rewrite(integers: ["tokenizer_end_token": [7]])
        #expect(try load(path).index.tokenizer == .init(name: "bytes", bytes: [0, 1, 255], endToken: 7))
        try rewrite()
        #expect(try load(path).index.tokenizer.endToken == nil)
    }

    func text(_ name: String) throws -> String {
        try HDF5File.open(pristine).readText(name, limit: 1 << 20)
    }

    func refusal() -> CheckpointError? { #expect(throws: CheckpointError.self) { try load(path) } }

    @Test func `a faithful rewrite loads`() throws {
        try rewrite()
        #expect(try load(path).index.step == 5)
    }

    @Test func `another format version is incompatible and not condemned`() throws {
        try rewrite(integers: ["format": [2]])
        let error = refusal()
        #expect(error?.kind == .incompatible)
        #expect(error?.condemnsCheckpoint == false)
        #expect(error?.message.contains("format version 2") == true)
    }

    @Test(arguments: ["format", "step", "position", "tokens", "optimizer_steps", "ranks_written"])
    func `impossible integers are refused`(name: String) throws {
        for values in [[], [-1], [.min], [5, 5], nil] as [[Int64]?] {
            try rewrite(integers: [name: values])
            let isVersion = name == "format" && values?.count == 1
            #expect(refusal()?.kind == (isVersion ? .incompatible : .corrupt), "\(String(describing: values))")
        }
    }

    @Test(arguments: ["seed", "model", "tensors", "shards"])
    func `malformed text is refused`(name: String) throws {
        let original = try text(name)
        for text in ["", "x", "{}", "[]", "null", "-1", "[{}]", "\(original.dropLast(2)),"] {
            try rewrite(texts: [name: text])
            // An empty table is well-formed, but no model's.
            #expect(refusal()?.kind == (name == "tensors" && text == "[]" ? .incompatible : .corrupt), "\(text)")
        }
        try rewrite(texts: [name: original])
        try load(path)
    }

    @Test(arguments: [
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "max_position_embeddings",
    ])
    func `impossible sizes are refused`(key: String) throws {
        let original = try text("model")
        let place = try #require(original.firstRange(of: "\"\(key)\":"))
        let rest = original[place.upperBound...]
        let end = try #require(rest.firstIndex { !$0.isNumber })
        let sizes = [
            "0", "-1", "-9223372036854775808", "9223372036854775807", "4194305", "1e99", "1.5", "\"2\"", "null",
        ]
        // A model of no layers is odd but well-formed; its table differs, which another test shows.
        for size in sizes where !(key == "num_hidden_layers" && size == "0") {
            try rewrite(texts: ["model": original[..<place.upperBound] + size + original[end...]])
            #expect(refusal()?.kind == .corrupt, "\(key) \(size)")
        }
    }

    @Test func `runs that do not cover everything once are refused`() throws {
        let original = try text("shards")
        let runs = "[[0,18]]"
        #expect(original.contains(runs))
        for replacement in [
            "[[0,17]]", "[[1,18]]", "[[0,19]]", "[]", "[[0,9],[8,18]]", "[[9,18],[0,9]]", "[[0,0],[0,18]]",
            "[[18,0]]", "[[-1,18]]", "[[0,18],[56,60]]", "[[0,9223372036854775807]]", "[0,18]",
        ] {
            try rewrite(texts: ["shards": original.replacing(runs, with: replacement)])
            #expect(refusal()?.kind == .corrupt, "\(replacement)")
        }
        // Covering, but not what the shard holds.
        try rewrite(texts: ["shards": original.replacing(runs, with: "[[0,9],[9,18]]")])
        #expect(refusal()?.kind == .corrupt)
    }

    @Test func `shard names cannot lead elsewhere`() throws {
        let original = try text("shards")
        for name in ["../shard-00000-of-00003.h5", "shard-00001-of-00003.h5", "", "/etc/passwd", "COMPLETE"] {
            try rewrite(texts: ["shards": original.replacing("shard-00000-of-00003.h5", with: name)])
            #expect(refusal()?.kind == .corrupt, "\(name)")
        }
        try rewrite(texts: ["shards": original.replacing("\"byte_count\":", with: "\"byte_count\":-")])
        #expect(refusal()?.kind == .corrupt)
    }

    @Test func `another tensor table is incompatible`() throws {
        let original = try text("tensors")
        try rewrite(texts: ["tensors": original.replacing("lm_head", with: "head")])
        #expect(refusal()?.kind == .incompatible)
        try rewrite(texts: ["tensors": original.replacing("[4,2]", with: "[2,4]")])
        #expect(refusal()?.kind == .incompatible)
    }

    @Test(arguments: ["seed", "model", "configuration", "blas", "tokenizer_name"])
    func `a value that is not there is refused`(name: String) throws {
        try rewrite(texts: [name: nil])
        #expect(refusal()?.kind == .corrupt)
    }

    @Test func `an index that is no HDF5 file is refused`() throws {
        for content in [[], Array("not HDF5".utf8)] as [[UInt8]] {
            try overwrite(path + "/checkpoint.h5", with: content)
            try overwrite(path + "/COMPLETE", with: Array((Hash.bytes(content) + "\n").utf8))
            #expect(refusal()?.kind == .corrupt)
        }
    }
}
