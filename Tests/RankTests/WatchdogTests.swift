// WatchdogTests - roll calls between ranks, driven through time by hand, and the watchdog over waits that are no hang.

import Foundation
import XCTest

@testable import MessagePassing

final class WatchdogTests: RankTestCase {
    private let times = RollCallTimes(limit: 10)

    /// A roll call of its own for each test.
    private func withRollCall(_ body: (RollCall) throws -> Void) throws {
        let mailbox = Mailbox(try ranks.world.duplicate(at: ranks.site))
        let hosts = (0..<ranks.size).map { "node\($0)" }
        try body(RollCall(mailbox, hosts: hosts, times: times))
        try ranks.close(mailbox)
    }

    /// Attends as a wait of `since...now`.
    private func attend(
        _ rollCall: RollCall, since: Double = 0, _ now: Double, _ activity: String = "test"
    ) throws -> Attendance? {
        try rollCall.attend(since: since, now: now, at: ranks.site) { ("MPI_Test", activity) }
    }

    /// Attends at the same moment until `condition` holds, which messages under way will bring about.
    private func attend(
        _ rollCall: RollCall, since: Double = 0, _ now: Double, _ activity: String = "test", until condition: () -> Bool
    ) throws {
        let deadline = ContinuousClock.now + .seconds(RankFixture.deadlineSeconds)
        while !condition() {
            XCTAssertNil(try attend(rollCall, since: since, now, activity))
            guard ContinuousClock.now < deadline else { return XCTFail("an expected message never came") }
            usleep(100)
        }
    }

    func testACallCollectsThoseThatWait() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        let late = ranks.size - 1
        var outcomes: [Attendance?] = []
        try withRollCall { rollCall in
            if ranks.rank == 0 {
                // At the limit and not before.
                outcomes.append(try attend(rollCall, 9.9))
                XCTAssertEqual(rollCall.callCount, 0)
                outcomes.append(try attend(rollCall, 10))
                XCTAssertEqual(rollCall.callCount, 1)
                try attend(rollCall, 11.9, until: { rollCall.presentCount == late })
                outcomes.append(try attend(rollCall, 12.25))
            } else if ranks.rank != late {
                // Those whose wait has only begun answer too.
                try attend(rollCall, 0.5, "rank \(ranks.rank)", until: { rollCall.answerCount == 1 })
                XCTAssertEqual(rollCall.callCount, 0)
            }
            try ranks.barrier()
            // It finds the call that it has missed, and answers to no effect.
            if ranks.rank == late {
                try attend(rollCall, 1, "too late", until: { rollCall.answerCount == 1 })
            }
            try ranks.barrier()
            if ranks.rank == 0 {
                outcomes.append(try attend(rollCall, since: 20, 30))
                try attend(rollCall, since: 20, 31, until: { rollCall.presentCount == 2 })
                outcomes.append(try attend(rollCall, since: 20, 32))
            } else if ranks.rank == late {
                try attend(rollCall, 10.75, "in time", until: { rollCall.answerCount == 2 })
            }
        }
        // The ranks are still in step.
        XCTAssertEqual(try ranks.sum([1]), [ranks.size])
        guard ranks.rank == 0 else { return }
        guard outcomes.count == 5 else { return XCTFail("\(outcomes)") }
        XCTAssertNil(outcomes[0])
        XCTAssertNil(outcomes[1])
        XCTAssertEqual(outcomes[2]?.missing, [late])
        XCTAssertEqual(outcomes[2]?.hosts, (0..<ranks.size).map { "node\($0)" })
        XCTAssertEqual(
            outcomes[2]?.reports,
            (0..<late).map {
                RankReport(
                    rank: $0, operation: "MPI_Test", activity: $0 == 0 ? "test" : "rank \($0)",
                    seconds: $0 == 0 ? 12.25 : 0.5)
            })
        XCTAssertNil(outcomes[3])
        XCTAssertEqual(outcomes[4]?.missing, Array(1..<late))
        XCTAssertEqual(
            outcomes[4]?.reports.last,
            RankReport(rank: late, operation: "MPI_Test", activity: "in time", seconds: 10.75))
    }

    func testOfTwoCallersTheLowerGoesOn() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        let turn = times.turn(of: 1)
        var outcome: Attendance?
        try withRollCall { rollCall in
            // Both call before either hears of the other: attending looks for letters first, so neither may attend yet.
            if ranks.rank < 2 {
                let report = RankReport(rank: ranks.rank, operation: "MPI_Test", activity: "test", seconds: turn)
                try rollCall.call(0, turn, at: ranks.site, report)
                XCTAssertNil(try attend(rollCall, turn))
                XCTAssertEqual(rollCall.callCount, 1)
            }
            try ranks.barrier()
            if ranks.rank == 0 {
                try attend(rollCall, turn, until: { rollCall.presentCount == ranks.size })
                outcome = try attend(rollCall, turn + times.grace)
            } else {
                // Rank 1 hears of rank 0 only, the others of both.
                let calls = ranks.rank == 1 ? 1 : 2
                try attend(rollCall, turn, until: { rollCall.answerCount == calls })
            }
            try ranks.barrier()
            if ranks.rank == 1 {
                // It has yielded, and calls again when nothing has come of that.
                XCTAssertEqual(rollCall.presentCount, 0)
                XCTAssertNil(try attend(rollCall, turn + times.patience - 0.5))
                XCTAssertEqual(rollCall.callCount, 1)
                XCTAssertNil(try attend(rollCall, turn + times.patience))
                XCTAssertEqual(rollCall.callCount, 2)
            }
        }
        if ranks.rank == 0 { XCTAssertEqual(outcome?.missing, []) }
    }

    func testThoseThatHaveJustArrivedGetTime() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        var outcome: Attendance?
        try withRollCall { rollCall in
            if ranks.rank == 0 {
                XCTAssertNil(try attend(rollCall, 10))
                try attend(rollCall, 10, until: { rollCall.presentCount == ranks.size })
                XCTAssertNil(try attend(rollCall, 12.5))
                XCTAssertEqual(rollCall.presentCount, 0)
                XCTAssertNil(try attend(rollCall, 12.5 + times.patience - 0.5))
                XCTAssertEqual(rollCall.callCount, 1)
                XCTAssertNil(try attend(rollCall, 12.5 + times.patience))
                XCTAssertEqual(rollCall.callCount, 2)
                try attend(rollCall, 12.5 + times.patience, until: { rollCall.presentCount == ranks.size })
                outcome = try attend(rollCall, 15 + times.patience)
            } else {
                try attend(rollCall, 0.5, until: { rollCall.answerCount == 1 })
                try attend(rollCall, 10.5, until: { rollCall.answerCount == 2 })
            }
        }
        guard ranks.rank == 0 else { return }
        XCTAssertEqual(outcome?.missing, [])
        XCTAssertEqual(outcome?.reports.dropFirst().map(\.seconds), [Double](repeating: 10.5, count: ranks.size - 1))
    }

    func testAMoveForgetsTheCall() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        try withRollCall { rollCall in
            if ranks.rank == 0 {
                XCTAssertNil(try attend(rollCall, 10))
                XCTAssertEqual(rollCall.presentCount, 1)
                XCTAssertNil(try attend(rollCall, since: 11, 12.5))
                XCTAssertEqual(rollCall.presentCount, 0)
                XCTAssertNil(try attend(rollCall, since: 11, 20.9))
                XCTAssertEqual(rollCall.callCount, 1)
                XCTAssertNil(try attend(rollCall, since: 11, 21))
                XCTAssertEqual(rollCall.callCount, 2)
            }
        }
    }

    func testAWaitBelowTheLimitIsNotReported() throws {
        var descriptions = 0
        try ranks.startWatchdog(limitSeconds: RankFixture.deadlineSeconds) {
            descriptions += 1
            return "test"
        }
        defer { ranks.stopWatchdog() }
        // Long enough for the others to attend.
        if ranks.rank == ranks.size - 1 { usleep(500_000) }
        try ranks.barrier()
        XCTAssertEqual(try ranks.sum([ranks.rank]), [ranks.size * (ranks.size - 1) / 2])
        XCTAssertEqual(descriptions, 0)
        // Again, with the same mailbox.
        try ranks.startWatchdog(limitSeconds: RankFixture.deadlineSeconds) { "test" }
        try ranks.barrier()
    }

    func testAWaitBeyondTheLimitNamesTheLateRank() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        let late = ranks.size - 1
        let path = "\(NSTemporaryDirectory())/mile-dist-watchdog-\(getpid())"
        let flag = String(decoding: try ranks.broadcast(Array(path.utf8), root: 0), as: UTF8.self)
        var failure: MPIError?
        var isFlagged = true
        // Rank 0 alone loses its patience, so that it is the one to call however the ranks are scheduled.
        let limit = ranks.rank == 0 ? 0.25 : RankFixture.deadlineSeconds
        try ranks.startWatchdog(limitSeconds: limit) { "watchdog test" }
        if ranks.rank == late {
            // Busy elsewhere until rank 0 has complained.
            let deadline = ContinuousClock.now + .seconds(RankFixture.deadlineSeconds / 2)
            while !FileManager.default.fileExists(atPath: flag), ContinuousClock.now < deadline { usleep(1000) }
            ranks.stopWatchdog()
            try ranks.barrier()
        } else {
            do throws(MPIError) { try ranks.barrier() } catch { failure = error }
            ranks.stopWatchdog()
            if ranks.rank == 0 { isFlagged = FileManager.default.createFile(atPath: flag, contents: nil) }
        }
        // The abandoned barrier is complete now, and does not disturb what follows it.
        XCTAssertEqual(try ranks.sum([1]), [ranks.size])
        guard ranks.rank == 0 else { return }
        XCTAssertTrue(isFlagged, flag)
        if isFlagged { try FileManager.default.removeItem(atPath: flag) }
        XCTAssertEqual(failure?.code, .stalled)
        XCTAssertEqual(failure?.function, "MPI_Ibarrier")
        let message = failure?.message ?? ""
        let head = "waited longer than 0.25 s for rank \(late) on \(ranks.host), which has not arrived: "
        XCTAssertTrue(message.hasPrefix(head), message)
        XCTAssertTrue(message.contains("in watchdog test (MPI_Ibarrier), for "), message)
    }
}
