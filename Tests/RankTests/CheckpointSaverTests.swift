// CheckpointSaverTests - what is saved is what was there when the save began, and a failure is everybody's.

import Checkpointing
import Dispatch
import Foundation
import Kernels
import LlamaModel
import MessagePassing
import Optimization
import Sharding
import Synchronization
import Tensors
import TestSupport
import XCTest

@testable import JobRuntime
@testable import Planning
@testable import Reporting
@testable import Training

final class CheckpointSaverTests: RankTestCase {
    func testTheSnapshotIsWhatIsWrittenWhateverTrainingDoesMeanwhile() throws {
        // The last rank does not begin to write before it is told.
        let gate = DispatchSemaphore(value: 0)
        let isGated = ranks.rank == ranks.size - 1
        let rig = try SaverRig(ranks) { temporary, snapshot, write in
            if isGated { gate.wait() }
            return try write(temporary, snapshot)
        }
        rig.set(base: 4096)
        XCTAssertFalse(rig.saver.isInFlight)
        let failure = try rig.saver.start(rig.index(step: 7))
        rig.set(base: 20_000)
        // As long as one rank has not written, no rank takes the save for done.
        let early = try (0..<3).map { _ in try rig.saver.poll() }
        let inFlight = rig.saver.inFlight?.step
        let visible = rig.store.map { (try? $0.stepDirectories().count) ?? -1 }
        gate.signal()
        let outcome = try rig.saver.wait()

        XCTAssertNil(failure)
        XCTAssertEqual(early, [nil, nil, nil])
        XCTAssertEqual(inFlight, 7)
        XCTAssertEqual(visible ?? 0, 0)
        XCTAssertFalse(rig.saver.isInFlight)
        guard case .saved(let saved) = outcome else { return XCTFail("\(outcome)") }
        XCTAssertEqual(saved.step, 7)
        XCTAssertEqual(saved.path, rig.directory + "/step-00000007")
        XCTAssertGreaterThanOrEqual(saved.writeSeconds, 0)
        XCTAssertGreaterThanOrEqual(saved.stallSeconds, 0)
        XCTAssertEqual(saved.problems, [])
        try rig.check(saved.path, base: 4096)
        try ranks.barrier()
    }

    func testTheNextSaveTakesTheSameMemory() throws {
        let rig = try SaverRig(ranks)
        for step in 1...3 {
            rig.set(base: Float(1000 * step))
            XCTAssertNil(try rig.saver.start(rig.index(step: step)))
            let outcome = try rig.saver.wait()
            guard case .saved(let saved) = outcome else { return XCTFail("\(outcome)") }
            try rig.check(saved.path, base: Float(1000 * step))
            try ranks.barrier()
        }
        // Two are kept.
        XCTAssertEqual(try rig.store?.stepDirectories().map(\.step) ?? [3, 2], [3, 2])
        try ranks.barrier()
    }

    func testAFailureOfOneRankIsEverybodysAndALaterSaveWorks() throws {
        let rank = ranks.rank
        let failingRank = SharedNumber(-1)
        let rig = try SaverRig(ranks) { temporary, snapshot, write in
            let record = try write(temporary, snapshot)
            if failingRank.value == rank {
                throw CheckpointError(.diskFull, file: temporary + "/" + record.fileName, "no space is left")
            }
            return record
        }
        rig.set(base: 1)
        XCTAssertNil(try rig.saver.start(rig.index(step: 1)))
        _ = try rig.saver.wait()
        for bad in 0..<ranks.size {
            failingRank.value = bad
            XCTAssertNil(try rig.saver.start(rig.index(step: 10 + bad)))
            let outcome = try rig.saver.wait()
            guard case .failed(let step, let failure) = outcome else { return XCTFail("\(outcome)") }
            XCTAssertEqual(step, 10 + bad)
            XCTAssertTrue(failure.message.hasPrefix("rank \(bad) on \(ranks.host): "), failure.message)
            XCTAssertTrue(failure.message.hasSuffix("no space is left"), failure.message)
            XCTAssertFalse(failure.isNotShared)
            XCTAssertFalse(rig.saver.isInFlight)
            // Nothing of it is left to take space, and what was there before is.
            XCTAssertEqual(rig.names ?? ["step-00000001"], ["step-00000001"])
            XCTAssertEqual(try Self.equalOnAllRanks(Array(failure.message.utf8), ranks), true)
        }
        failingRank.value = -1
        rig.set(base: 300)
        XCTAssertNil(try rig.saver.start(rig.index(step: 20)))
        let outcome = try rig.saver.wait()
        guard case .saved(let saved) = outcome else { return XCTFail("\(outcome)") }
        try rig.check(saved.path, base: 300)
        try rig.check(rig.directory + "/step-00000001", base: 1)
        try ranks.barrier()
    }

    func testFailuresOfAllRanksAreOneMessage() throws {
        let rig = try SaverRig(ranks) { temporary, _, _ in
            throw CheckpointError(.io, file: temporary, "the disk is gone")
        }
        XCTAssertNil(try rig.saver.start(rig.index(step: 1)))
        let outcome = try rig.saver.wait()
        guard case .failed(1, let failure) = outcome else { return XCTFail("\(outcome)") }
        let others = ["", "; and 1 more rank failed"]
        let more = ranks.size - 1
        let tail = more < 2 ? others[more] : "; and \(more) more ranks failed"
        XCTAssertTrue(failure.message.hasPrefix("rank 0 on "), failure.message)
        XCTAssertTrue(failure.message.hasSuffix("the disk is gone" + tail), failure.message)
    }

    /// Rank 0 compares what it sees with what a rank says it wrote.
    func testAFailedCompletionIsEverybodysToo() throws {
        let isLiar = ranks.rank == ranks.size - 1
        let rig = try SaverRig(ranks) { temporary, snapshot, write in
            var record = try write(temporary, snapshot)
            if isLiar { record.byteCount += 1 }
            return record
        }
        XCTAssertNil(try rig.saver.start(rig.index(step: 1)))
        let outcome = try rig.saver.wait()
        guard case .failed(1, let failure) = outcome else { return XCTFail("\(outcome)") }
        XCTAssertTrue(failure.isNotShared)
        XCTAssertTrue(failure.message.hasPrefix("rank 0 on "), failure.message)
        XCTAssertEqual(rig.names ?? [], [])
        try ranks.barrier()
    }

    func testADirectoryThatCannotBeMadeIsAFailureAndNothingIsInFlight() throws {
        let rig = try SaverRig(ranks)
        // A file in the way is what nobody may write through, root included.
        try rig.folder?.remove("checkpoints")
        try rig.folder?.write("", to: "checkpoints")
        let failure = try rig.saver.start(rig.index(step: 1))
        XCTAssertTrue(failure?.message.contains(rig.directory) == true, failure?.message ?? "none")
        XCTAssertFalse(rig.saver.isInFlight)
        try rig.folder?.remove("checkpoints")
        XCTAssertNil(try rig.saver.start(rig.index(step: 2)))
        let outcome = try rig.saver.wait()
        guard case .saved = outcome else { return XCTFail("\(outcome)") }
        try ranks.barrier()
    }

    func testTheSnapshotTakesWhatThePlanSays() throws {
        let rig = try SaverRig(ranks)
        let (partition, optimizer) = (rig.rank.optimizer.partition, OptimizerConfiguration())
        let snapshot = Snapshot(partition, rank: ranks.rank, stateTensors: optimizer.stateTensors)
        let count = snapshot.parameters.count + snapshot.state.reduce(0) { $0 + $1.values.count }
        XCTAssertEqual(StepLayout.snapshotBytes(partition, rank: ranks.rank, optimizer: optimizer), 4 * count)
        XCTAssertEqual(snapshot.state.map(\.values.count), rig.rank.optimizer.state.map(\.values.count))
        XCTAssertEqual(snapshot.state.map(\.name), ["first_moment", "second_moment"])
    }

    static func equalOnAllRanks(_ bytes: [UInt8], _ ranks: Communicator) throws -> Bool {
        try ranks.allGather(bytes).allSatisfy { $0 == bytes }
    }

    /// A file in memory that writes down, each time it is synced, what it held and what a directory held.
    private final class RecordingFile: RowFile {
        struct Sync: Equatable {
            let text: String
            let names: [String]
        }
        private struct State {
            var bytes: [UInt8] = []
            var directory = ""
            var syncs: [Sync] = []
        }
        private let state = Mutex(State())

        var syncs: [Sync] { state.withLock { $0.syncs } }
        func watch(_ directory: String) { state.withLock { $0.directory = directory } }

        func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) -> Int {
            state.withLock { $0.bytes += bytes }
            return bytes.count
        }

        func truncate(to length: UInt64) throws(SystemError) {}

        func restore() throws(SystemError) -> UInt64? { nil }

        func synchronize() throws(SystemError) {
            state.withLock { state in
                let names = (try? FileManager.default.contentsOfDirectory(atPath: state.directory)) ?? []
                state.syncs.append(
                    Sync(text: String(decoding: state.bytes, as: UTF8.self), names: names.sorted()))
            }
        }
    }

    /// A checkpoint without the rows before it would be a resumed run with a gap in its curve.
    func testRowsAreOnTheDiskBeforeTheCheckpointThatFollowsThemIsPublished() throws {
        let folder = ranks.rank == 0 ? try TemporaryFolder() : nil
        let file = RecordingFile()
        let metrics = try folder.map { folder in
            MetricsFile(
                path: folder.path("metrics.jsonl"), file: file, end: 0,
                holding: try RunDirectory(path: folder.path, host: ranks.host)
            ) { XCTFail($0) }
        }
        let rig = try SaverRig(ranks, beforePublishing: metrics?.synchronizer)
        file.watch(rig.directory)
        for step in 1...2 {
            try metrics?.append(.object([("step", .integer(step))]))
            XCTAssertNil(try rig.saver.start(rig.index(step: step)))
            let outcome = try rig.saver.wait()
            guard case .saved = outcome else { return XCTFail("\(outcome)") }
        }
        let (first, second) = ("{\"step\": 1}\n", "{\"step\": 2}\n")
        let expected: [RecordingFile.Sync] = [
            .init(text: first, names: ["step-00000001.partial"]),
            .init(text: first + second, names: ["step-00000001", "step-00000002.partial"]),
        ]
        XCTAssertEqual(file.syncs, ranks.rank == 0 ? expected : [])
        // What it would have seen any later.
        XCTAssertEqual(rig.names ?? ["step-00000001", "step-00000002"], ["step-00000001", "step-00000002"])
        try ranks.barrier()
    }

    func testWhatHasToBeOnTheDiskBeforeIsCalledOnceAndItsFailureIsAWarning() throws {
        for fails in [false, true] {
            let calls = SharedNumber(0)
            let rig = try SaverRig(
                ranks,
                beforePublishing: {
                    _ = calls.add(1)
                    if fails { throw CheckpointError(.diskFull, file: "metrics", "it failed") }
                })
            XCTAssertNil(try rig.saver.start(rig.index(step: 1)))
            let outcome = try rig.saver.wait()
            guard case .saved(let saved) = outcome else { return XCTFail("\(outcome)") }
            XCTAssertEqual(calls.value, ranks.rank == 0 ? 1 : 0)
            XCTAssertEqual(saved.problems.count, fails && ranks.rank == 0 ? 1 : 0)
            XCTAssertTrue(saved.problems.allSatisfy { $0.hasPrefix("metrics are not safe on the disk: ") })
            try ranks.barrier()
        }
    }
}
