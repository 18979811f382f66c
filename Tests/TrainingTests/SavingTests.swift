// SavingTests - work in the background, and what ranks tell one another about a save.

import Checkpointing
import Dispatch
import Glibc
import Testing

@testable import Training

@Suite struct SavingTests {
    private struct Odd: Error, CustomStringConvertible { var description: String { "odd" } }

    /// Polls until the task has ended; the main loop does so between steps.
    private func result<Value>(of task: BackgroundTask<Value>) throws -> Result<Value, any Error> {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let result = task.result { return result }
            usleep(1000)
        }
        return try #require(task.result, "the task has not ended")
    }

    @Test func aTaskHasNoResultBeforeItEnds() throws {
        let gate = DispatchSemaphore(value: 0)
        let task = BackgroundTask(on: DispatchQueue(label: "test")) {
            gate.wait()
            return 7
        }
        #expect(task.result == nil)
        gate.signal()
        #expect(try result(of: task).get() == 7)
        // And keeps it.
        #expect(try task.result?.get() == 7)
    }

    @Test func aTaskKeepsWhatWasThrown() throws {
        let task = BackgroundTask<Int>(on: DispatchQueue(label: "test")) { throw Odd() }
        let result = try result(of: task)
        #expect(throws: Odd.self) { try result.get() }
    }

    @Test func messagesArriveAsTheyWereSent() {
        let messages: [SaveMessage] = [
            .path("runs/\u{17C}/step-00000001"), .path(""), .failure(SaveFailure(message: "no space")),
            .failure(SaveFailure(message: "not shared", isNotShared: true)),
        ]
        for message in messages { #expect(SaveMessage(bytes: message.bytes) == message) }
    }

    @Test func failuresNameThePlaceTheFileAndTheCause() {
        let full = SaveFailure(CheckpointError(.diskFull, file: "a/shard", "no space"), at: "rank 3 on node7")
        #expect(full == SaveFailure(message: "rank 3 on node7: a/shard: no space"))
        let apart = SaveFailure(CheckpointError(.notShared, file: "a", "not there"), at: "rank 1 on b")
        #expect(apart == SaveFailure(message: "rank 1 on b: a: not there", isNotShared: true))
        #expect(SaveFailure(Odd(), at: "rank 0 on b") == SaveFailure(message: "rank 0 on b: odd"))
    }
}
