// CarriedFileTests - carried files come back byte for byte, and no altered, missing or hostile one is read.

import CheckpointFixtures
@testable import Checkpointing
import FoundationEssentials
import LlamaModel
import Testing

struct CarriedFileTests {
    let files: TemporaryFiles
    let store: CheckpointStore

    init() throws {
        files = try TemporaryFiles()
        store = CheckpointStore(directory: files.path("store"))
    }

    static let carried = [
        CarriedFile(name: "config.json", bytes: Array("{\"a\": 1}".utf8)),
        CarriedFile(name: "tokenizer.json", bytes: (0..<3000).map { UInt8(truncatingIfNeeded: $0) }),
        CarriedFile(name: "README (żółć).md", bytes: []),
        // Names of a checkpoint's own files do no harm.
        CarriedFile(name: "checkpoint.h5", bytes: [1, 2]), CarriedFile(name: "COMPLETE", bytes: [3]),
    ]

    @discardableResult
    func save(step: Int = 5, _ carried: [CarriedFile] = Self.carried) throws -> String {
        let temporary = try store.begin(step: step)
        let shards = try writeShards(in: temporary, layout: [[0..<20], [20..<56]], values: Values(count: 56))
        return try store.complete(
            temporary, index: makeIndex(step: step, model: .tiny, shards: shards), carriedFiles: carried)
    }

    @Test func `files come back`() throws {
        let reader = try load(try save())
        #expect(try reader.carriedFiles() == Self.carried)
        #expect(try reader.carriedFiles { $0.hasSuffix(".json") } == Array(Self.carried[..<2]))
        #expect(reader.index.carriedFiles.map(\.byteCount) == [8, 3000, 0, 2, 1])
        #expect(try bytes(of: reader.directory + "/carried-config.json") == Self.carried[0].bytes)
        // A later save without them has none, and leaves none behind.
        let path = try save([])
        #expect(try load(path).carriedFiles().isEmpty)
        #expect(
            try names(in: path) == ["COMPLETE", "checkpoint.h5", "shard-00000-of-00002.h5", "shard-00001-of-00002.h5"])
        #expect(try names(in: store.directory) == ["step-00000005"])
    }

    /// Without carried files the index is the one of earlier versions.
    @Test func `no file leaves no trace in the index`() throws {
        var index = try CheckpointReader(directory: save([])).index
        let (without, with) = (files.path("without.h5"), files.path("with.h5"))
        try IndexFile.write(index, to: without)
        #expect(try IndexFile.read(without).index.carriedFiles.isEmpty)
        index.carriedFiles = [Self.carried[0].record]
        try IndexFile.write(index, to: with)
        #expect(try IndexFile.read(with).index == index)
        let name = Array("carried_files".utf8)
        func holds(_ path: String) throws -> Bool {
            let content = try bytes(of: path)
            return content.indices.contains { content[$0...].starts(with: name) }
        }
        #expect(try holds(with))
        #expect(try !holds(without))
    }

    @Test func `an altered file is noticed`() throws {
        let path = try save()
        let file = path + "/carried-tokenizer.json"
        let original = try bytes(of: file)
        func expectRefusal(_ kind: CheckpointError.Kind, atOpening: Bool, _ words: String) {
            let error = #expect(throws: CheckpointError.self, "\(words)") { try load(path) }
            #expect(error?.kind == kind && error?.file == file && error?.condemnsCheckpoint == true, "\(words)")
            #expect((try? CheckpointReader(directory: path)) == nil || !atOpening, "\(words)")
        }
        for offset in [0, 1500, 2999] {
            var altered = original
            altered[offset] ^= 4
            try overwrite(file, with: altered)
            expectRefusal(.corrupt, atOpening: false, "byte \(offset)")
            let reader = try CheckpointReader(directory: path)
            #expect(throws: CheckpointError.self) { try reader.carriedFiles() }
            #expect(throws: CheckpointError.self) { try reader.verifyCarriedFiles() }
            // Another file than the altered one can be read.
            #expect(try reader.carriedFiles { $0 == "config.json" } == [Self.carried[0]])
        }
        try overwrite(file, with: Array(original.dropLast()))
        expectRefusal(.corrupt, atOpening: true, "short")
        try overwrite(file, with: original + [0])
        expectRefusal(.corrupt, atOpening: true, "long")
        try FileManager.default.removeItem(atPath: file)
        expectRefusal(.missing, atOpening: true, "gone")
        try overwrite(file, with: original)
        #expect(try load(path).carriedFiles() == Self.carried)
    }

    @Test func `hostile names are refused`() throws {
        let bad = [
            "", ".", "..", ".hidden", "../x", "/etc/passwd", "a/b", "a\\b", "a\nb", "a\u{0}b", "a\u{7F}",
            String(repeating: "x", count: 201),
        ]
        for name in bad { #expect(!CarriedFile.isAllowed(name), "\(name)") }
        for name in ["x", "-x", "a..b", "LICENSE", "żółć", String(repeating: "x", count: 200)] {
            #expect(CarriedFile.isAllowed(name), "\(name)")
        }
        var index = try CheckpointReader(directory: save([])).index
        let file = files.path("index.h5")
        let good = Self.carried[0].record
        func expectRefusal(_ records: [CarriedFileRecord]) throws {
            index.carriedFiles = records
            try IndexFile.write(index, to: file)
            let error = #expect(throws: CheckpointError.self, "\(records)") { try IndexFile.read(file) }
            #expect(error?.kind == .corrupt, "\(records)")
        }
        for name in bad {
            try expectRefusal([CarriedFileRecord(name: name, byteCount: 1, sha256: good.sha256)])
        }
        try expectRefusal([good, good])
        for count in [-1, .min, (1 << 30) + 1, .max] {
            try expectRefusal([CarriedFileRecord(name: "x", byteCount: count, sha256: good.sha256)])
        }
        try expectRefusal([
            CarriedFileRecord(name: "x", byteCount: 1 << 30, sha256: good.sha256),
            CarriedFileRecord(name: "y", byteCount: 1, sha256: good.sha256),
        ])
        try expectRefusal([CarriedFileRecord(name: "x", byteCount: 1, sha256: "abc")])
        // Two names that are one string to Swift and two to a file system.
        index.carriedFiles = ["\u{E9}", "e\u{301}"].map {
            CarriedFileRecord(name: $0, byteCount: 1, sha256: good.sha256)
        }
        try IndexFile.write(index, to: file)
        #expect(try IndexFile.read(file).index.carriedFiles.count == 2)
    }

    @Test func `inspection lists them`() throws {
        let carried = [Self.carried[0]]
        let text = try CheckpointReader(directory: save(carried)).inspectionJSON()
        let record = carried[0].record
        #expect(
            text.hasPrefix(
                #"{"carried_files":{"config.json":{"byte_count":8,"sha256":"\#(record.sha256)"}},"configuration":"#),
            "\(text)")
        #expect(record.sha256.count == 64)
        #expect(try !CheckpointReader(directory: save([])).inspectionJSON().contains("carried_files"))
    }

    @Test func `tokenizer files stay with their tokenizer`() {
        let names = ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.tiktoken", "README.md"]
        let all = names.enumerated().map { CarriedFile(name: $0.element, bytes: [UInt8($0.offset)]) }
        func dropped(_ name: String, _ bytes: [UInt8]) -> [String] {
            let (kept, dropped) = CarriedFile.split(all, by: .init(name: name, bytes: bytes))
            #expect(kept.map(\.name) == names.filter { !dropped.contains($0) })
            return dropped
        }
        #expect(dropped("none", []).isEmpty)
        // The bytes count, not the name.
        #expect(dropped("other.json", [1]).isEmpty)
        let own = ["tokenizer.json", "tokenizer_config.json", "vocab.tiktoken"]
        #expect(dropped("tokenizer.json", [9]) == own && dropped("bytes", []) == own)
    }
}
