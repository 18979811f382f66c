// RunSavesTests - one save at a time, which failures a run survives, and which not.

import Checkpointing
import Configuration
import Kernels
import LlamaModel
import MessagePassing
import Tensors
import TestSupport
import TokenData
import XCTest

@testable import Reporting
@testable import Training

final class RunSavesTests: RankTestCase {
    /// A run whose shards are written by the ordinary writer, unless the test says otherwise.
    private final class Rig {
        let shared: SharedDirectory
        let state: TrainingState
        let saves: RunSaves
        /// Shards that this rank has begun to write.
        let begun = SharedNumber(0)
        /// The most that were being written at a time.
        let most = SharedNumber(0)
        /// The rank that fails, or -1.
        let failingRank = SharedNumber(-1)

        init(
            _ ranks: Communicator, every: Int = 1, kind: CheckpointError.Kind = .diskFull, newest: String? = nil,
            savedStep: Int? = nil
        ) throws {
            var run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 4, microBatchSize: 4)
            run.configuration.checkpoint.every = every
            run.configuration.checkpoint.keep = 0
            shared = try SharedDirectory(ranks)
            state = TrainingState(run.configuration, communicator: ranks, pool: run.pool)
            let (rank, size) = (ranks.rank, ranks.size)
            let running = SharedNumber(0)
            let saver = CheckpointSaver(
                communicator: ranks, store: CheckpointStore(directory: shared.path), optimizer: state.optimizer,
                pool: run.pool, keep: 0, keepEvery: 0
            ) { [begun, most, failingRank] temporary, snapshot in
                _ = begun.add(1)
                most.value = max(most.value, running.add(1))
                defer { _ = running.add(-1) }
                if failingRank.value == rank { throw CheckpointError(kind, file: temporary, "it failed") }
                return try CheckpointSaver.writeShard(rank, of: size, in: temporary, from: snapshot)
            }
            saves = RunSaves(
                communicator: ranks, console: Console(speaks: false), saver: saver, state: state, metrics: nil,
                tokenizer: .init(name: "bytes"), fingerprint: "{}", newest: newest, savedStep: savedStep)
        }

        /// Steps that are saved; on rank 0 only.
        var steps: [Int]? {
            shared.folder?.names(in: "checkpoints").map { Int($0.dropFirst("step-".count)) ?? -1 }
        }
    }

    func testOneSaveIsInFlightAndNoneIsLeftOut() throws {
        let rig = try Rig(ranks)
        for step in 1...5 {
            rig.state.progress.step = step
            try rig.saves.poll()
            try rig.saves.start()
        }
        try rig.saves.finish()
        XCTAssertEqual(rig.steps ?? [1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
        XCTAssertEqual(rig.begun.value, 5)
        XCTAssertEqual(rig.most.value, 1)
        // The step is saved: neither the last save of a run nor its end repeats it.
        try rig.saves.finish()
        try rig.saves.poll()
        XCTAssertEqual(rig.begun.value, 5)
        try ranks.barrier()
    }

    func testAFailedSaveIsSurvivedAndTriedAgainAtTheEnd() throws {
        let rig = try Rig(ranks)
        rig.failingRank.value = ranks.size - 1
        rig.state.progress.step = 1
        try rig.saves.start()
        rig.state.progress.step = 2
        try rig.saves.start()
        // The one of step 1 has been waited for, the one of step 2 may have read the flag already.
        rig.failingRank.value = -1
        try rig.saves.finish()
        XCTAssertEqual(rig.steps ?? [2], [2])
        try ranks.barrier()
    }

    func testALastSaveThatFailsEndsTheRunAndNamesTheNewestGoodOne() throws {
        for newest in [nil, "elsewhere/step-00000008"] {
            let rig = try Rig(ranks, newest: newest)
            rig.failingRank.value = 0
            rig.state.progress.step = 9
            let first = try failure { try rig.saves.finish() }
            rig.failingRank.value = -1
            try rig.saves.finish()
            rig.failingRank.value = 0
            rig.state.progress.step = 10
            let second = try failure { try rig.saves.finish() }
            for (failure, step) in [(first, 9), (second, 10)] {
                XCTAssertEqual(failure?.status, .runtimeFailure)
                XCTAssertEqual(failure?.isShared, true)
                let message = failure?.message ?? "none"
                XCTAssertTrue(message.hasPrefix("step \(step) could not be saved: rank 0 on \(ranks.host): "), message)
                XCTAssertTrue(message.contains(": it failed. "), message)
            }
            let known = newest.map { "The newest good checkpoint is \($0)." } ?? "There is no checkpoint of this run."
            XCTAssertTrue(first?.message.hasSuffix(known) == true, first?.message ?? "none")
            XCTAssertTrue(
                second?.message.hasSuffix("The newest good checkpoint is \(rig.shared.path)/step-00000009.") == true,
                second?.message ?? "none")
            XCTAssertEqual(rig.steps ?? [9], [9])
            try ranks.barrier()
        }
    }

    func testTheStepThatARunContinuesFromIsNotSavedAgain() throws {
        let rig = try Rig(ranks, newest: "here/step-00000008", savedStep: 8)
        rig.state.progress.step = 8
        try rig.saves.finish()
        XCTAssertEqual(rig.begun.value, 0)
        rig.state.progress.step = 9
        try rig.saves.finish()
        XCTAssertEqual(rig.steps ?? [9], [9])
        try ranks.barrier()
    }

    func testADirectoryThatIsNotSharedEndsARunThatHasSavedNothing() throws {
        let rig = try Rig(ranks, kind: .notShared)
        rig.failingRank.value = ranks.size - 1
        rig.state.progress.step = 1
        try rig.saves.start()
        // The next one waits for it.
        rig.state.progress.step = 2
        let first = try failure { try rig.saves.start() }
        XCTAssertEqual(first?.isShared, true)
        XCTAssertTrue(first?.message.hasPrefix("the save of step 1 failed: rank ") == true, first?.message ?? "none")
        // Once a save has succeeded it is a failure like others.
        rig.failingRank.value = -1
        try rig.saves.finish()
        rig.failingRank.value = ranks.size - 1
        for step in 3...4 {
            rig.state.progress.step = step
            try rig.saves.start()
        }
        rig.failingRank.value = -1
        rig.state.progress.step = 5
        try rig.saves.finish()
        XCTAssertEqual(rig.steps?.contains(3) ?? false, false)
        XCTAssertEqual(rig.steps?.contains(5) ?? true, true)
        try ranks.barrier()
    }

    func testAnErrorOfAllRanksLetsTheSaveInFlightEnd() throws {
        let rig = try Rig(ranks)
        rig.state.progress.step = 3
        try rig.saves.start()
        let shared = rig.saves.settle(after: ProgramFailure(.badInput, "enough", isShared: true)) as? ProgramFailure
        XCTAssertEqual(shared?.message, "enough")
        XCTAssertEqual(shared?.status, .badInput)
        XCTAssertEqual(rig.steps ?? [3], [3])
        try ranks.barrier()
    }

    func testTheReserveCoversTheSaveInFlight() throws {
        let rig = try Rig(ranks)
        // Nothing has been saved: a guess from the size.
        XCTAssertEqual(rig.saves.reserveSeconds, 12 * Double(TinyRun.model.tensorTable.count) / 50e6)
        rig.state.progress.step = 1
        try rig.saves.finish()
        let idle = rig.saves.reserveSeconds
        XCTAssertGreaterThan(idle, 0)
        rig.state.progress.step = 2
        try rig.saves.start()
        let running = rig.saves.reserveSeconds
        XCTAssertGreaterThanOrEqual(running, 1.5 * idle)
        try rig.saves.finish()
        try ranks.barrier()
    }
}
