// CorruptionTests - no altered byte, and no missing or foreign file, is loaded.

import CheckpointFixtures
@testable import Checkpointing
import FoundationEssentials
import LlamaModel
import Tensors
import Testing

struct CorruptionTests {
    let files: TemporaryFiles
    let store: CheckpointStore
    let path: String

    static let names = [
        "COMPLETE", "checkpoint.h5", "shard-00000-of-00003.h5", "shard-00001-of-00003.h5", "shard-00002-of-00003.h5",
    ]

    init() throws {
        files = try TemporaryFiles()
        store = CheckpointStore(directory: files.directory)
        path = try save(store, step: 5)
    }

    /// Expects that loading fails with an error that names `file` and condemns the checkpoint.
    func expectRefusal(
        naming file: String, _ comment: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let text = comment()
        let error = #expect(throws: CheckpointError.self, "\(text)", sourceLocation: sourceLocation) { try load(path) }
        #expect(error?.condemnsCheckpoint == true, "\(text): \(String(describing: error))")
        #expect(error?.description.contains(file) == true, "\(text): \(String(describing: error))")
    }

    @Test func `an untouched copy verifies`() throws {
        let copy = files.path("copy")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        #expect(try load(copy).index.step == 5)
    }

    @Test(arguments: names) func `every flipped bit is noticed`(name: String) throws {
        let file = path + "/" + name
        let original = try bytes(of: file)
        // Every byte of a small file, else about 60 places with both ends.
        let step = max(1, original.count / 60)
        var offsets = Array(stride(from: 0, to: original.count, by: step))
        offsets.append(original.count - 1)
        for offset in offsets {
            var altered = original
            altered[offset] ^= UInt8(1 << (offset % 8))
            try overwrite(file, with: altered)
            expectRefusal(naming: path, "bit \(offset % 8) of byte \(offset) of \(name)")
        }
        try overwrite(file, with: original)
        try load(path)
    }

    @Test func `every other byte in COMPLETE is noticed`() throws {
        let file = path + "/COMPLETE"
        let original = try bytes(of: file)
        #expect(original.count == 65)
        for offset in original.indices {
            for value in [0, 10, 32, 48, 65, 97, 255] as [UInt8] where value != original[offset] {
                var altered = original
                altered[offset] = value
                try overwrite(file, with: altered)
                expectRefusal(naming: path, "byte \(offset) of COMPLETE as \(value)")
            }
        }
        // The same digest, spelled differently.
        try overwrite(file, with: Array(String(decoding: original, as: UTF8.self).uppercased().utf8))
        expectRefusal(naming: "COMPLETE", "upper case")
        try overwrite(file, with: original)
        try load(path)
    }

    @Test(arguments: names) func `shorter and longer files are noticed`(name: String) throws {
        let file = path + "/" + name
        let original = try bytes(of: file)
        for count in [0, 1, original.count / 2, original.count - 1] {
            try overwrite(file, with: Array(original.prefix(count)))
            expectRefusal(naming: name, "\(count) bytes of \(name)")
        }
        for extra in [[0], [10], [UInt8](repeating: 0, count: 4096)] as [[UInt8]] {
            try overwrite(file, with: original + extra)
            expectRefusal(naming: name, "\(extra.count) bytes after \(name)")
        }
    }

    @Test(arguments: names) func `a missing file is named`(name: String) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
        expectRefusal(naming: name, "without \(name)")
        let error = #expect(throws: CheckpointError.self) { try load(path) }
        #expect(error?.kind == (name == "COMPLETE" ? .incomplete : .missing))
    }

    @Test(arguments: names) func `a directory in the place of a file is refused`(name: String) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
        try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: false)
        expectRefusal(naming: name, "\(name) is a directory")
    }

    @Test(arguments: names) func `another step's file is noticed`(name: String) throws {
        let other = try save(store, step: 6)
        let foreign = try bytes(of: other + "/" + name)
        #expect(try foreign != bytes(of: path + "/" + name))
        try overwrite(path + "/" + name, with: foreign)
        expectRefusal(naming: path, "\(name) of another step")
    }

    @Test func `shards that trade places are noticed`() throws {
        let first = path + "/" + Self.names[2]
        let second = path + "/" + Self.names[3]
        let (a, b) = (try bytes(of: first), try bytes(of: second))
        try overwrite(first, with: b)
        try overwrite(second, with: a)
        expectRefusal(naming: "shard-0000", "traded shards")
        // Also where nobody compares hashes: a shard knows its runs. (Both have the same size here.)
        #expect(a.count == b.count)
        let reader = try CheckpointReader(directory: path)
        let error = #expect(throws: CheckpointError.self) {
            try reader.read(.parameter, range: 0..<1, into: Arena(count: 1).all)
        }
        #expect(error?.kind == .corrupt)
    }

    @Test func `a renamed shard is missing`() throws {
        let shard = path + "/" + Self.names[2]
        try FileManager.default.moveItem(atPath: shard, toPath: path + "/shard-00003-of-00003.h5")
        expectRefusal(naming: Self.names[2], "renamed shard")
    }

    @Test func `files that the index does not list are ignored`() throws {
        try overwrite(path + "/shard-00003-of-00004.h5", with: [1, 2, 3])
        try overwrite(path + "/notes.txt", with: [1, 2, 3])
        #expect(try load(path).index.shards.count == 3)
    }

    @Test func `a checksum catches a flipped bit that no hash was compared for`() throws {
        let file = path + "/" + Self.names[1 + 1]
        var altered = try bytes(of: file)
        // The third parameter of step 5, which is 7, and its neighbours.
        let marker = [5, 6, 7, 8].flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: Float(value).bitPattern >> (8 * $0)) }
        }
        let place = try #require(altered.firstRange(of: marker))
        altered[place.lowerBound + 10] ^= 1
        try overwrite(file, with: altered)
        let reader = try CheckpointReader(directory: path)
        let error = #expect(throws: CheckpointError.self) {
            try reader.read(.parameter, range: 20..<21, into: Arena(count: 1).all)
        }
        #expect(error?.kind == .corrupt)
        #expect(error?.file == file)
        // Another dataset of the same file is untouched: a negative control.
        let target = Arena(count: 1).all
        try reader.read(.firstMoment, range: 20..<21, into: target)
        #expect(target[0] == 12.5)
        let hashError = #expect(throws: CheckpointError.self) { try reader.verifyShard(0) }
        #expect(hashError?.kind == .corrupt)
        try reader.verifyShard(1)
    }

    @Test func `no directory and no checkpoint are told apart`() throws {
        let absent = #expect(throws: CheckpointError.self) { try load(files.path("absent")) }
        #expect(absent?.kind == .missing)
        let empty = files.path("empty")
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
        let incomplete = #expect(throws: CheckpointError.self) { try load(empty) }
        #expect(incomplete?.kind == .incomplete)
    }
}
