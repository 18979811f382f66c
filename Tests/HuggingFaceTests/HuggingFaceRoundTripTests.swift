// HuggingFaceRoundTripTests - models that move in and out keep every name and every bit.

import CheckpointFixtures
import Checkpointing
import JSONReading
import LlamaModel
import Tensors
import Testing

@testable import HuggingFace

@Suite struct HuggingFaceRoundTripTests {
    private let files: TemporaryFiles
    init() throws { files = try TemporaryFiles() }

    private func expectEqual(_ a: [String: StoredTensor], _ b: [String: StoredTensor]) {
        #expect(a.keys.sorted() == b.keys.sorted())
        for (name, tensor) in a {
            let other = b[name]
            #expect(
                tensor.type == other?.type && tensor.shape == other?.shape && tensor.bytes == other?.bytes, "\(name)")
        }
    }

    private func expectSameFiles(_ a: String, _ b: String) throws {
        #expect(try names(in: a) == names(in: b))
        for name in try names(in: a) { #expect(try bytes(of: a + "/" + name) == bytes(of: b + "/" + name), "\(name)") }
    }

    /// Grouped heads, tied, rope_theta 500000, as the issue has it; and an untied one.
    @Test(arguments: [true, false])
    func importThenExportKeepsEveryTensor(isTied: Bool) throws {
        var model = ModelDirectory.grouped
        model.tieWordEmbeddings = isTied
        let source = try ModelDirectory(model).write(files)
        let reader = try HuggingFaceImport.checkpoint(source, at: files.path("checkpoints"))
        #expect(reader.directory == files.path("checkpoints/step-00000000"))
        #expect(reader.index.model == model)
        // The directory has no tokenizer files, and gets none.
        let notes = try HuggingFaceExport(reader).write(to: files.path("out"))
        #expect(notes.count == 1 && notes[0].contains("has no tokenizer"))
        let exported = try storedTensors(files.path("out"))
        expectEqual(try storedTensors(source), exported)
        #expect(exported.count == (isTied ? 20 : 21) && (exported["lm_head.weight"] == nil) == isTied)
        let written = try HuggingFaceConfiguration(bytes(of: files.path("out/config.json")), file: "config.json")
        #expect(written.model == model)
        // The comparison sees one bit.
        var changed = exported
        changed["model.norm.weight"]?.bytes[5] ^= 1
        #expect(changed["model.norm.weight"]?.bytes != exported["model.norm.weight"]?.bytes)
    }

    @Test func importedCheckpointHasNothingBehindIt() throws {
        let source = try ModelDirectory(.small).write(files)
        let reader = try HuggingFaceImport.checkpoint(source, at: files.path("checkpoints"))
        let index = reader.index
        #expect(index.step == 0 && index.position == 0 && index.tokens == 0 && index.optimizerSteps == 0)
        #expect(index.configuration == "{}" && index.ranksWritten == 1)
        for role in [TensorRole.firstMoment, .secondMoment] {
            let moments = FloatSlice([Float](repeating: 1, count: 1816))
            try reader.read(role, range: 0..<1816, into: moments)
            #expect(moments.array.allSatisfy { $0.bitPattern == 0 })
        }
    }

    @Test func exportImportExportGivesTheSameFiles() throws {
        for (number, model) in [ModelConfiguration.small, .tiny, ModelDirectory.grouped].enumerated() {
            let first = files.path("first-\(number)")
            let second = files.path("second-\(number)")
            let path = try save(CheckpointStore(directory: files.path("store-\(number)")), step: 7, model: model)
            _ = try HuggingFaceExport(try CheckpointReader(directory: path)).write(to: first)
            let reader = try HuggingFaceImport.checkpoint(first, at: files.path("imported-\(number)"))
            _ = try HuggingFaceExport(reader).write(to: second)
            try expectSameFiles(first, second)
            #expect(try names(in: first).contains("model.safetensors"))
        }
    }

    @Test func modelsAboveTheLimitAreSharded() throws {
        let path = try save(CheckpointStore(directory: files.path("store")), step: 3)
        let reader = try CheckpointReader(directory: path)
        _ = try HuggingFaceExport(reader).write(to: files.path("single"))
        let byteCount = 1816 * 4
        _ = try HuggingFaceExport(reader, shardByteCount: byteCount).write(to: files.path("whole"))
        try expectSameFiles(files.path("single"), files.path("whole"))
        for (limit, count) in [(byteCount - 1, 2), (2000, 4), (1, 29)] {
            let directory = files.path("limit-\(limit)")
            _ = try HuggingFaceExport(reader, shardByteCount: limit).write(to: directory)
            let shards = try names(in: directory).filter { $0.hasSuffix(".safetensors") }
            #expect(shards.count == count && shards[0].hasPrefix("model-00001-of-000"), "\(limit): \(shards)")
            if limit > 1280 {
                for shard in shards {
                    let tensors = try parse(bytes(of: directory + "/" + shard)).tensors
                    #expect(tensors.reduce(0) { $0 + $1.bytes.count } <= limit)
                }
            }
            expectEqual(try storedTensors(directory), try storedTensors(files.path("single")))
            let index = try JSONTree(bytes(of: directory + "/model.safetensors.index.json"), file: "index")
            #expect(index["metadata"]?["total_size"] == .integer(byteCount))
            let again = try HuggingFaceImport.checkpoint(directory, at: files.path("imported-\(limit)"))
            _ = try HuggingFaceExport(again, shardByteCount: limit).write(to: directory + "-again")
            try expectSameFiles(directory, directory + "-again")
        }
    }

    /// The file that the safetensors library itself writes for these tensors, byte for byte.
    @Test func fileIsThatOfTheLibrary() throws {
        let table = TensorTable([("b", [2]), ("a.x", [1, 1])])
        let values = FloatSlice([1, -2, 0.5])
        try SafetensorsWriter.write(table.entries, to: files.path("f"), buffer: Arena(count: 1).all) { range, target in
            target.copy(from: values[range])
        }
        let header =
            #"{"__metadata__":{"format":"pt"},"a.x":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"#
            + #""b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#
        #expect(header.utf8.count == 143)
        let data: [UInt8] = [0, 0, 0, 63, 0, 0, 128, 63, 0, 0, 0, 192]
        #expect(try bytes(of: files.path("f")) == [144, 0, 0, 0, 0, 0, 0, 0] + Array((header + " ").utf8) + data)
    }

    /// Every bfloat16 and every half is a float of its own. Read from the file: an import refuses NaN and infinity.
    @Test func halvesBecomeTheSameNumbers() throws {
        let halves = (0..<1 << 16).map { UInt16($0) }
        for type in ["BF16", "F16"] {
            try overwrite(
                files.path(type), with: file(of: [StoredTensor("x", type: type, shape: [1 << 16], halves: halves)]))
            let stored = try SafetensorsFile(path: files.path(type))
            let values = Arena(count: 1 << 16).all
            try stored.read(try #require(stored.header.tensors.first), into: values)
            for bits in 0..<1 << 16 {
                let exponent = type == "BF16" ? bits >> 7 & 0xFF : bits >> 10 & 0x1F
                let fraction = type == "BF16" ? bits & 0x7F : bits & 0x3FF
                let (bias, digits, most) = type == "BF16" ? (127, 7, 0xFF) : (15, 10, 0x1F)
                let found = values[bits]
                if exponent == most {
                    #expect(fraction == 0 ? found.isInfinite : found.isNaN, "\(bits)")
                    continue
                }
                // The definition: a sign, a power of two, and a fraction with a hidden one unless subnormal.
                let significand = Double(fraction + (exponent == 0 ? 0 : 1 << digits))
                let expected = Float(scalbn(significand, max(exponent, 1) - bias - digits))
                #expect(found.bitPattern == expected.bitPattern | (bits >> 15 == 1 ? 1 << 31 : 0), "\(bits)")
            }
            // And so does an import, in blocks, of those that it takes.
            var directory = ModelDirectory(.wide)
            let finite = halves.filter { type == "BF16" ? $0 & 0x7F80 != 0x7F80 : $0 & 0x7C00 != 0x7C00 }
            directory["model.embed_tokens.weight"] = StoredTensor(
                "model.embed_tokens.weight", type: type, shape: [40_000, 16],
                halves: (0..<640_000).map { finite[$0 % finite.count] })
            let source = try directory.write(files, "hf-" + type)
            let reader = try HuggingFaceImport.checkpoint(source, at: files.path("checkpoints-" + type))
            let imported = Arena(count: 640_000).all
            try reader.read(.parameter, range: 0..<640_000, into: imported)
            let differ = (0..<640_000).filter {
                imported[$0].bitPattern != values[Int(finite[$0 % finite.count])].bitPattern
            }
            #expect(differ.isEmpty, "\(differ.count) differ")
        }
    }

    /// Each architecture's tensors and configuration, as its own class of transformers names them.
    @Test(arguments: HuggingFaceConfigurationTests.models)
    func everyArchitectureGoesOutAndComesBack(model: ModelConfiguration) throws {
        let path = try save(CheckpointStore(directory: files.path("store")), step: 7, model: model)
        let original = try CheckpointReader(directory: path)
        #expect(original.index.model == model)
        _ = try HuggingFaceExport(original).write(to: files.path("first"))
        let reader = try HuggingFaceImport.checkpoint(files.path("first"), at: files.path("imported"))
        #expect(reader.index.model == model)
        _ = try HuggingFaceExport(reader).write(to: files.path("second"))
        try expectSameFiles(files.path("first"), files.path("second"))
        let names = try storedTensors(files.path("first")).keys.sorted()
        #expect(names == model.tensorTable.entries.map(\.name).sorted())
    }

    /// Halves are the nearest, ties to even; what they hold reads back without a difference.
    @Test(arguments: [ExportedType.bf16, .fp16])
    func weightsAreRoundedToTheType(type: ExportedType) throws {
        let table = TensorTable([("x", [6])])
        // Ties between two numbers of 8 and of 11 bits, a subnormal half, and numbers that are exact.
        let values = FloatSlice([1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-11, 1 + 0x3p-11, 0x1.8p-20, -2.5])
        try SafetensorsWriter.write(table.entries, to: files.path("f"), type: type, buffer: Arena(count: 4).all) {
            range, target in
            target.copy(from: values[range])
        }
        let stored = try SafetensorsFile(path: files.path("f"))
        let tensor = try #require(stored.header.tensors.first)
        #expect(tensor.type == type.stored && tensor.shape == [6])
        let found = Arena(count: 6).all
        try stored.read(tensor, into: found)
        let expected: [Float] =
            type == .bf16
            ? [1, 1 + 0x4p-8, 1, 1, 0x1.8p-20, -2.5]
            : [1 + 0x1p-8, 1 + 0x3p-8, 1, 1 + 0x4p-11, 0x1.8p-20, -2.5]
        #expect(found.array == expected)
    }

    @Test func exportHasTheTypeThatIsAskedFor() throws {
        let path = try save(CheckpointStore(directory: files.path("store")), step: 7, model: .tiny)
        for type in ExportedType.allCases {
            let output = files.path(type.rawValue)
            _ = try HuggingFaceExport(load(path), type: type).write(to: output)
            #expect(try storedTensors(output).values.allSatisfy { $0.type == type.stored.rawValue })
            let tree = try JSONTree(bytes(of: output + "/config.json"), file: "config.json")
            #expect(tree["torch_dtype"] == .string(type.torchName))
        }
    }

    @Test func numbersBeyondTheTypeAreRefused() throws {
        func write(_ value: Float, _ type: ExportedType) throws {
            try SafetensorsWriter.write(
                TensorTable([("x", [1])]).entries, to: files.path("f"), type: type, buffer: Arena(count: 1).all
            ) { _, target in target.fill(value) }
        }
        try write(65504, .fp16)
        try write(65536, .bf16)
        let error = try #require(throws: HuggingFaceError.self) { try write(65536, .fp16) }
        #expect(error.kind == .nonFinite && error.message.contains("x has the number 65536.0"))
        // The largest number of bf16, and the first that is rounded up to infinity.
        try write(0x1.FEp127, .bf16)
        let infinite = try #require(throws: HuggingFaceError.self) { try write(0x1.FFp127, .bf16) }
        #expect(infinite.kind == .nonFinite && infinite.message.contains("bf16 ends at 3.3895e38"))
        // What is not finite stays so: the export warns of it.
        for type in ExportedType.allCases { try write(.infinity, type) }
    }

    private func scalbn(_ value: Double, _ exponent: Int) -> Double {
        Double(sign: .plus, exponent: exponent, significand: value)
    }

    @Test func bytesTokenizerGoesOutAndComesBack() throws {
        let source = try ModelDirectory(ModelDirectory.grouped).write(files)
        let imported = try HuggingFaceImport(directory: source, tokenizer: .init(name: "bytes"))
        #expect(imported.tokenizer == .init(name: "bytes") && imported.notes.isEmpty)
        let path = try imported.write(to: files.path("checkpoints/step-00000000"), processor: "", blas: "")
        #expect(path == files.path("checkpoints/step-00000000"))
        _ = try HuggingFaceExport(load(path)).write(to: files.path("out"))
        #expect(
            try names(in: files.path("out")) == [
                "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
            ])
        #expect(try bytes(of: files.path("out/config.json")) == bytes(of: source + "/config.json"))
        let generation = try JSONTree(bytes(of: files.path("out/generation_config.json")), file: "generation")
        #expect(generation["eos_token_id"] == .integer(256))
        let tokenizer = try JSONTree(bytes(of: files.path("out/tokenizer.json")), file: "tokenizer.json")
        let vocabulary = tokenizer["model"]?["vocab"]
        // The characters that byte-level tokenizers have for these bytes since GPT-2.
        for (character, byte) in [("A", 65), ("\u{120}", 32), ("\u{10A}", 10), ("\u{FF}", 255), ("\u{143}", 173)] {
            #expect(vocabulary?[character] == .integer(byte))
        }
        let again = try HuggingFaceImport(directory: files.path("out"))
        #expect(again.tokenizer == .init(name: "bytes") && again.notes.isEmpty)
    }

    @Test func otherTokenizersAreNotMistakenForBytes() throws {
        var directory = ModelDirectory(ModelDirectory.grouped)
        directory.extra = [("tokenizer.json", Array("{}".utf8))]
        let imported = try HuggingFaceImport(directory: try directory.write(files))
        #expect(imported.tokenizer == .init(name: "none") && imported.notes[0].contains("not a SentencePiece model"))
        let path = try imported.write(to: files.path("checkpoints"), processor: "", blas: "")
        #expect(try HuggingFaceExport(load(path)).write(to: files.path("out")).isEmpty)
        #expect(try names(in: files.path("out")) == ["config.json", "model.safetensors", "tokenizer.json"])
        #expect(try bytes(of: files.path("out/tokenizer.json")) == Array("{}".utf8))
        // Too few tokens for 256 bytes and an end.
        #expect(try HuggingFaceImport(directory: try ModelDirectory(.small).write(files, "s")).tokenizer.name == "none")
    }
}
