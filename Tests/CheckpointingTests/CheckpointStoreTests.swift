// CheckpointStoreTests - saving: names, replacement, crashes, refusals, retention, resolution.

import CheckpointFixtures
@testable import Checkpointing
import FoundationEssentials
import LlamaModel
import Tensors
import Testing

struct CheckpointStoreTests {
    let files: TemporaryFiles
    let store: CheckpointStore

    init() throws {
        files = try TemporaryFiles()
        store = CheckpointStore(directory: files.path("checkpoints"))
    }

    func rename(_ old: String, _ new: String) throws {
        try FileManager.default.moveItem(atPath: store.directory + "/" + old, toPath: store.directory + "/" + new)
    }

    func firstParameter(_ path: String) throws -> Float {
        let target = Arena(count: 1).all
        try load(path).read(.parameter, range: 0..<1, into: target)
        return target[0]
    }

    /// Flips a bit in the last shard.
    func damage(_ path: String) throws {
        let file = path + "/shard-00002-of-00003.h5"
        var content = try bytes(of: file)
        content[content.count / 2] ^= 1
        try overwrite(file, with: content)
    }

    // MARK: Names

    @Test func `names are read exactly as they are written`() {
        #expect(StepName(step: 1000).text == "step-00001000")
        #expect(StepName(step: 123_456_789, suffix: .partial).text == "step-123456789.partial")
        #expect(StepName("step-00001000") == StepName(step: 1000))
        #expect(StepName("step-00000000.replaced") == StepName(step: 0, suffix: .replaced))
        for name in [
            "step-1000", "step-000001000", "step-", "step-0000100x", "step-00001000.corrupt", "step-00001000.",
            "step--0001000",
            "Step-00001000", "step-00001000 ", "step-99999999999999999999", "step-0000100٣", "checkpoint.h5", "",
        ] {
            #expect(StepName(name) == nil, "\(name)")
        }
    }

    @Test func `step directories are listed newest first and nothing else is`() throws {
        #expect(try store.stepDirectories().isEmpty)
        for step in [20, 3, 100] { try save(store, step: step, model: .tiny) }
        for name in ["step-00000200.partial", "step-00000300.corrupt", "other", "step-400"] {
            try FileManager.default.createDirectory(
                atPath: store.directory + "/" + name, withIntermediateDirectories: false)
        }
        try overwrite(store.directory + "/step-00000500", with: [])
        #expect(try store.stepDirectories().map(\.step) == [100, 20, 3])
        #expect(try store.stepDirectories()[0].path == store.directory + "/step-00000100")
    }

    // MARK: Saving again, and crashes

    @Test func `saving a step again replaces it`() throws {
        let first = try save(store, step: 5, valueOffset: 1)
        let second = try save(store, step: 5, layout: evenLayout(count: 1816, shards: 1), valueOffset: 2)
        #expect(first == second)
        #expect(try firstParameter(second) == 2)
        #expect(try names(in: second) == ["COMPLETE", "checkpoint.h5", "shard-00000-of-00001.h5"])
        #expect(try names(in: store.directory) == ["step-00000005"])
    }

    @Test func `a save that fails leaves the old checkpoint of its step`() throws {
        let path = try save(store, step: 5, valueOffset: 1)
        let temporary = try store.begin(step: 5)
        let shards = try writeShards(
            in: temporary, layout: evenLayout(count: 1816, shards: 3), values: Values(count: 1816))
        try FileManager.default.removeItem(atPath: temporary + "/" + shards[1].fileName)
        #expect(throws: CheckpointError.self) {
            try store.complete(temporary, index: makeIndex(step: 5, model: .small, shards: shards))
        }
        #expect(try firstParameter(path) == 1)
    }

    @Test func `a save that died is cleared by the next`() throws {
        let temporary = try store.begin(step: 5)
        _ = try writeShards(in: temporary, layout: evenLayout(count: 1816, shards: 7), values: Values(count: 1816))
        // It is no checkpoint.
        #expect(try store.stepDirectories().isEmpty)
        let path = try save(store, step: 6)
        #expect(try names(in: store.directory) == ["step-00000006"])
        let again = try store.begin(step: 6)
        #expect(try names(in: again) == [])
        try load(path)
        #expect(try store.recover() == ["removed \(again): a save did not finish"])
        #expect(try names(in: store.directory) == ["step-00000006"])
        #expect(try store.recover() == [])
    }

    @Test func `a crash before the new one has its name brings the old one back`() throws {
        try save(store, step: 5, valueOffset: 1)
        try rename("step-00000005", "step-00000005.replaced")
        _ = try store.begin(step: 9)
        #expect(try names(in: store.directory) == ["step-00000005", "step-00000009.partial"])
        #expect(try firstParameter(store.directory + "/step-00000005") == 1)
    }

    @Test func `a crash after the new one has its name keeps the new one`() throws {
        try save(store, step: 5, valueOffset: 1)
        try rename("step-00000005", "step-00000005.aside")
        try save(store, step: 5, valueOffset: 2)
        try rename("step-00000005.aside", "step-00000005.replaced")
        try store.recover()
        #expect(try names(in: store.directory) == ["step-00000005"])
        #expect(try firstParameter(store.directory + "/step-00000005") == 2)
    }

    @Test func `a new one that does not verify gives way to the old one`() throws {
        try save(store, step: 5, valueOffset: 1)
        try rename("step-00000005", "step-00000005.aside")
        try damage(save(store, step: 5, valueOffset: 2))
        try rename("step-00000005.aside", "step-00000005.replaced")
        try store.recover()
        #expect(try names(in: store.directory) == ["step-00000005", "step-00000005.corrupt"])
        #expect(try firstParameter(store.directory + "/step-00000005") == 1)
    }

    @Test func `a removal that died is finished`() throws {
        try save(store, step: 5)
        try save(store, step: 6)
        try rename("step-00000005", "step-00000005.removed")
        try FileManager.default.removeItem(atPath: store.directory + "/step-00000005.removed/COMPLETE")
        try store.recover()
        #expect(try names(in: store.directory) == ["step-00000006"])
    }

    @Test func `a bad checkpoint is moved aside under a free name`() throws {
        for expected in ["step-00000005.corrupt", "step-00000005.corrupt-2", "step-00000005.corrupt-3"] {
            let path = try save(store, step: 5, model: .tiny)
            #expect(try store.quarantine(path + "/") == store.directory + "/" + expected)
        }
        #expect(try store.stepDirectories().isEmpty)
        #expect(try names(in: store.directory).count == 3)
    }

    // MARK: Refusals

    @Test func `a file in the place of a directory is named`() throws {
        try overwrite(store.directory, with: [1])
        let begin = #expect(throws: CheckpointError.self) { try store.begin(step: 1) }
        #expect(begin?.kind == .io)
        #expect(begin?.file == store.directory)
        #expect(throws: CheckpointError.self) { try store.stepDirectories() }
        let below = CheckpointStore(directory: store.directory + "/below")
        let error = #expect(throws: CheckpointError.self) { try below.begin(step: 1) }
        #expect(error?.kind == .io)
    }

    @Test func `directories above are made`() throws {
        let deep = CheckpointStore(directory: files.path("a/b/c/") + "/")
        #expect(try save(deep, step: 1, model: .tiny) == files.path("a/b/c/step-00000001"))
    }

    @Test func `a rank that does not see the temporary directory says so`() throws {
        let values = Values(count: 10)
        let error = #expect(throws: CheckpointError.self) {
            try CheckpointStore.writeShard(
                in: store.directory + "/step-00000001.partial", shard: 1, of: 2, runs: [0..<10],
                parameters: [values.parameters], state: moments(values.firstMoment, values.secondMoment))
        }
        #expect(error?.kind == .notShared)
        #expect(error?.message.contains("checkpoint.directory") == true)
    }

    @Test func `rank 0 notices shards that it sees differently`() throws {
        let layout = evenLayout(count: 1816, shards: 3)
        for change in 0..<4 {
            let temporary = try store.begin(step: 5)
            var shards = try writeShards(in: temporary, layout: layout, values: Values(count: 1816))
            let file = temporary + "/" + shards[1].fileName
            switch change {
            case 0: try FileManager.default.removeItem(atPath: file)
            case 1: try overwrite(file, with: bytes(of: file).dropLast())
            case 2: try overwrite(file, with: bytes(of: temporary + "/" + shards[0].fileName))
            default: shards[1].sha256 = shards[0].sha256
            }
            let error = #expect(throws: CheckpointError.self) {
                try store.complete(temporary, index: makeIndex(step: 5, model: .small, shards: shards))
            }
            #expect(error?.kind == .notShared)
            #expect(error?.file == file)
            #expect(try store.stepDirectories().isEmpty)
        }
    }

    @Test func `shards that do not cover the model are refused`() throws {
        for layout in [[[0..<100]], [[0..<1816], [0..<1]], [[0..<1000], [1001..<1816]]] {
            let temporary = try store.begin(step: 5)
            let shards = try writeShards(in: temporary, layout: layout, values: Values(count: 1816))
            #expect(throws: CheckpointError.self) {
                try store.complete(temporary, index: makeIndex(step: 5, model: .small, shards: shards))
            }
            #expect(try store.stepDirectories().isEmpty)
        }
    }

    @Test func `a full disk names the file and the remedy`() throws {
        let temporary = try store.begin(step: 5)
        // /dev/full fails every write with ENOSPC.
        for name in ["shard-00000-of-00001.h5", "COMPLETE"] {
            try FileManager.default.createSymbolicLink(
                atPath: temporary + "/" + name, withDestinationPath: "/dev/full")
        }
        let values = Values(count: 56)
        let error = #expect(throws: CheckpointError.self) {
            try CheckpointStore.writeShard(
                in: temporary, shard: 0, of: 1, runs: [0..<56], parameters: [values.parameters],
                state: moments(values.firstMoment, values.secondMoment))
        }
        #expect(error?.kind == .diskFull)
        #expect(error?.file == temporary + "/shard-00000-of-00001.h5")
        #expect(error?.message.contains("free space") == true)
        let small = #expect(throws: CheckpointError.self) { try Files.write([1], to: temporary + "/COMPLETE") }
        #expect(small?.kind == .diskFull)
        // The next save clears the links, not what they point to.
        try load(save(store, step: 5, model: .tiny))
        #expect(FileManager.default.fileExists(atPath: "/dev/full"))
    }

    @Test func `a discarded save leaves nothing`() throws {
        try load(save(store, step: 4, model: .tiny))
        let temporary = try store.begin(step: 5)
        _ = try writeShards(in: temporary, layout: [[0..<56]], values: Values(count: 56))
        try store.discard(temporary)
        #expect(!FileManager.default.fileExists(atPath: temporary))
        // Nothing to discard is no error: a completion can fail after the rename.
        try store.discard(temporary)
        #expect(try store.stepDirectories().map(\.step) == [4])
    }

    @Test func `somebody else's directory inside is not removed`() throws {
        let temporary = try store.begin(step: 5)
        try FileManager.default.createDirectory(atPath: temporary + "/mine", withIntermediateDirectories: false)
        let error = #expect(throws: CheckpointError.self) { try store.begin(step: 5) }
        #expect(error?.kind == .io)
        #expect(error?.file == temporary + "/mine")
    }

    // MARK: Retention

    @Test func `retention keeps the newest and the multiples`() throws {
        for step in 0...7 { try save(store, step: step, model: .tiny) }
        #expect(try store.applyRetention(keep: 0, keepEvery: 0) == [])
        #expect(try store.applyRetention(keep: 8, keepEvery: 0) == [])
        let removed = try store.applyRetention(keep: 2, keepEvery: 3)
        #expect(removed == [5, 4, 2, 1].map { "\(store.directory)/step-0000000\($0)" })
        #expect(try store.stepDirectories().map(\.step) == [7, 6, 3, 0])
        #expect(try names(in: store.directory).count == 4)
        let newest = store.directory + "/step-00000007"
        #expect(try store.applyRetention(keep: 1, keepEvery: 0, verified: newest).count == 3)
        #expect(try store.stepDirectories().map(\.step) == [7])
    }

    /// `checkpoint.every` 5 and `checkpoint.keep_every` 7: of each seven steps the first checkpoint stays.
    @Test func `the first checkpoint at or after each multiple stays`() throws {
        for step in stride(from: 5, through: 30, by: 5) {
            try save(store, step: step, model: .tiny)
            _ = try store.applyRetention(keep: 1, keepEvery: 7)
        }
        #expect(try store.stepDirectories().map(\.step) == [30, 25, 15, 10])
        // 7: 10; 14: 15; 21: 25; 28: 30, which is the newest as well.
        try save(store, step: 35, model: .tiny)
        #expect(try store.applyRetention(keep: 1, keepEvery: 7) == [])
    }

    @Test func `later steps are moved aside, and found there`() throws {
        for step in 1...4 { try save(store, step: step, model: .tiny) }
        let folder = store.directory + "/before"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        #expect(try store.moveAside(stepsAfter: 3, into: folder) == ["step-00000004"])
        // As after a crash in between.
        #expect(try store.moveAside(stepsAfter: 2, into: folder) == ["step-00000004", "step-00000003"])
        #expect(try store.stepDirectories().map(\.step) == [2, 1])
        for step in 3...4 { try CheckpointReader(directory: "\(folder)/step-0000000\(step)").verifyAll() }
        #expect(try CheckpointStore.candidates(folder).count == 2)
    }

    @Test func `what was just written stays, whatever its step`() throws {
        for step in 1...3 { try save(store, step: step, model: .tiny) }
        // A run that went back to step 1 and saved it again.
        let own = store.directory + "/step-00000001"
        #expect(try store.applyRetention(keep: 1, keepEvery: 0, verified: own) == [store.directory + "/step-00000002"])
        #expect(try store.stepDirectories().map(\.step) == [3, 1])
    }

    @Test func `leftovers that cannot be removed are in nobody's way`() throws {
        let stuck = try store.begin(step: 4)
        try FileManager.default.createDirectory(atPath: stuck + "/mine", withIntermediateDirectories: false)
        let reports = try store.recover()
        #expect(reports.count == 1 && reports[0].contains("could not be removed yet"), "\(reports)")
        try save(store, step: 5)
        #expect(try store.stepDirectories().map(\.step) == [5])
    }

    @Test func `retention neither counts nor removes what does not open`() throws {
        for step in 1...4 { try save(store, step: step, model: .tiny) }
        for step in [2, 4] { try overwrite(store.directory + "/step-0000000\(step)/COMPLETE", with: [1]) }
        #expect(try store.applyRetention(keep: 1, keepEvery: 0) == [store.directory + "/step-00000001"])
        #expect(try store.stepDirectories().map(\.step) == [4, 3, 2])
    }

    @Test func `the only checkpoint that verifies is never removed`() throws {
        for step in 1...3 { try save(store, step: step) }
        // Both open, and both are damaged where only hashing all of it shows.
        for step in [2, 3] { try damage(store.directory + "/step-0000000\(step)") }
        #expect(try store.applyRetention(keep: 2, keepEvery: 0) == [])
        #expect(try store.stepDirectories().map(\.step) == [3, 2, 1])
        // With a sound one among those that stay, the older one goes.
        try save(store, step: 4)
        #expect(try store.applyRetention(keep: 2, keepEvery: 0).count == 2)
        #expect(try store.stepDirectories().map(\.step) == [4, 3])
    }

    // MARK: Paths

    @Test func `a path means itself or what is in it, newest first`() throws {
        for step in 1...3 { try save(store, step: step) }
        let two = store.directory + "/step-00000002"
        #expect(try CheckpointStore.candidates(two + "/") == [two])
        let all = [3, 2, 1].map { store.directory + "/step-0000000\($0)" }
        #expect(try CheckpointStore.candidates(store.directory) == all)
        // Whether it verifies is for its reader to say.
        try FileManager.default.removeItem(atPath: two + "/COMPLETE")
        #expect(try CheckpointStore.candidates(two) == [two])
        // A moved checkpoint is one too.
        try rename("step-00000002", "best")
        #expect(try CheckpointStore.candidates(store.directory + "/best") == [store.directory + "/best"])
    }

    @Test func `a path without checkpoints says why`() throws {
        let absent = #expect(throws: CheckpointError.self) { try CheckpointStore.candidates(store.directory) }
        #expect(absent?.kind == .missing)
        try save(store, step: 1)
        let run = #expect(throws: CheckpointError.self) { try CheckpointStore.candidates(files.directory) }
        #expect(run?.kind == .missing)
        #expect(run?.message.contains("did you mean \(files.directory)/checkpoints") == true)
        try rename("step-00000001", "step-00000001.replaced")
        let aside = #expect(throws: CheckpointError.self) { try CheckpointStore.candidates(store.directory) }
        #expect(aside?.message.contains("step-00000001.replaced was being replaced") == true)
    }
}
