// WatchdogTests - the hang detector between ranks, driven through time by hand, and the watchdog over real waits.

import Foundation
import XCTest

@testable import MessagePassing

final class WatchdogTests: RankTestCase {
    private let times = HangDetectorTimes(limit: 10)

    /// A hang detector of its own for each test.
    private func withHangDetector(_ body: (HangDetector) throws -> Void) throws {
        let controlMessages = ControlMessages(try ranks.world.duplicate(at: ranks.site))
        let hosts = (0..<ranks.size).map { "node\($0)" }
        try body(HangDetector(controlMessages, hosts: hosts, times: times))
        try ranks.close(controlMessages)
    }

    /// Polls as a wait of `since...now`.
    private func poll(
        _ hangDetector: HangDetector, since: Double = 0, _ now: Double, _ activity: String = "test"
    ) throws -> StragglerReport? {
        try hangDetector.poll(since: since, now: now, at: ranks.site) { ("MPI_Test", activity) }
    }

    /// Polls at the same moment until `condition` holds, which messages under way will bring about.
    private func poll(
        _ hangDetector: HangDetector, since: Double = 0, _ now: Double, _ activity: String = "test",
        until condition: () -> Bool
    ) throws {
        let deadline = ContinuousClock.now + .seconds(RankFixture.deadlineSeconds)
        while !condition() {
            XCTAssertNil(try poll(hangDetector, since: since, now, activity))
            guard ContinuousClock.now < deadline else { return XCTFail("an expected message never came") }
            usleep(100)
        }
    }

    func testAnInquiryCollectsThoseThatWait() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        let late = ranks.size - 1
        var outcomes: [StragglerReport?] = []
        try withHangDetector { hangDetector in
            if ranks.rank == 0 {
                // At the limit and not before.
                outcomes.append(try poll(hangDetector, 9.9))
                XCTAssertEqual(hangDetector.inquiryCount, 0)
                outcomes.append(try poll(hangDetector, 10))
                XCTAssertEqual(hangDetector.inquiryCount, 1)
                try poll(hangDetector, 11.9, until: { hangDetector.reportCount == late })
                outcomes.append(try poll(hangDetector, 12.25))
            } else if ranks.rank != late {
                // Those whose wait has only begun answer too.
                try poll(hangDetector, 0.5, "rank \(ranks.rank)", until: { hangDetector.answerCount == 1 })
                XCTAssertEqual(hangDetector.inquiryCount, 0)
            }
            try ranks.barrier()
            // It finds the inquiry that it has missed, and answers to no effect.
            if ranks.rank == late {
                try poll(hangDetector, 1, "too late", until: { hangDetector.answerCount == 1 })
            }
            try ranks.barrier()
            if ranks.rank == 0 {
                outcomes.append(try poll(hangDetector, since: 20, 30))
                try poll(hangDetector, since: 20, 31, until: { hangDetector.reportCount == 2 })
                outcomes.append(try poll(hangDetector, since: 20, 32))
            } else if ranks.rank == late {
                try poll(hangDetector, 10.75, "in time", until: { hangDetector.answerCount == 2 })
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

    func testOfTwoInquirersTheLowerGoesOn() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        let turn = times.turn(of: 1)
        var outcome: StragglerReport?
        try withHangDetector { hangDetector in
            // Both inquire before either hears of the other: a poll looks for messages first, so neither may poll yet.
            if ranks.rank < 2 {
                let report = RankReport(rank: ranks.rank, operation: "MPI_Test", activity: "test", seconds: turn)
                try hangDetector.inquire(0, turn, at: ranks.site, report)
                XCTAssertNil(try poll(hangDetector, turn))
                XCTAssertEqual(hangDetector.inquiryCount, 1)
            }
            try ranks.barrier()
            if ranks.rank == 0 {
                try poll(hangDetector, turn, until: { hangDetector.reportCount == ranks.size })
                outcome = try poll(hangDetector, turn + times.grace)
            } else {
                // Rank 1 hears of rank 0 only, the others of both.
                let calls = ranks.rank == 1 ? 1 : 2
                try poll(hangDetector, turn, until: { hangDetector.answerCount == calls })
            }
            try ranks.barrier()
            if ranks.rank == 1 {
                // It has yielded, and inquires again when nothing has come of that.
                XCTAssertEqual(hangDetector.reportCount, 0)
                XCTAssertNil(try poll(hangDetector, turn + times.patience - 0.5))
                XCTAssertEqual(hangDetector.inquiryCount, 1)
                XCTAssertNil(try poll(hangDetector, turn + times.patience))
                XCTAssertEqual(hangDetector.inquiryCount, 2)
            }
        }
        if ranks.rank == 0 { XCTAssertEqual(outcome?.missing, []) }
    }

    func testThoseThatHaveJustArrivedGetTime() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        var outcome: StragglerReport?
        try withHangDetector { hangDetector in
            if ranks.rank == 0 {
                XCTAssertNil(try poll(hangDetector, 10))
                try poll(hangDetector, 10, until: { hangDetector.reportCount == ranks.size })
                XCTAssertNil(try poll(hangDetector, 12.5))
                XCTAssertEqual(hangDetector.reportCount, 0)
                XCTAssertNil(try poll(hangDetector, 12.5 + times.patience - 0.5))
                XCTAssertEqual(hangDetector.inquiryCount, 1)
                XCTAssertNil(try poll(hangDetector, 12.5 + times.patience))
                XCTAssertEqual(hangDetector.inquiryCount, 2)
                try poll(hangDetector, 12.5 + times.patience, until: { hangDetector.reportCount == ranks.size })
                outcome = try poll(hangDetector, 15 + times.patience)
            } else {
                try poll(hangDetector, 0.5, until: { hangDetector.answerCount == 1 })
                try poll(hangDetector, 10.5, until: { hangDetector.answerCount == 2 })
            }
        }
        guard ranks.rank == 0 else { return }
        XCTAssertEqual(outcome?.missing, [])
        XCTAssertEqual(outcome?.reports.dropFirst().map(\.seconds), [Double](repeating: 10.5, count: ranks.size - 1))
    }

    func testAMoveForgetsTheInquiry() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        try withHangDetector { hangDetector in
            if ranks.rank == 0 {
                XCTAssertNil(try poll(hangDetector, 10))
                XCTAssertEqual(hangDetector.reportCount, 1)
                XCTAssertNil(try poll(hangDetector, since: 11, 12.5))
                XCTAssertEqual(hangDetector.reportCount, 0)
                XCTAssertNil(try poll(hangDetector, since: 11, 20.9))
                XCTAssertEqual(hangDetector.inquiryCount, 1)
                XCTAssertNil(try poll(hangDetector, since: 11, 21))
                XCTAssertEqual(hangDetector.inquiryCount, 2)
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
        // Long enough for the others to poll.
        if ranks.rank == ranks.size - 1 { usleep(500_000) }
        try ranks.barrier()
        XCTAssertEqual(try ranks.sum([ranks.rank]), [ranks.size * (ranks.size - 1) / 2])
        XCTAssertEqual(descriptions, 0)
        // Again, with the same control messages.
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
        // Rank 0 alone loses its patience, so that it is the one to inquire however the ranks are scheduled.
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
