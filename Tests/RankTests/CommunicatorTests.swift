// CommunicatorTests - identity of the ranks, waiting, deadlines, and the rules of start and end.

import Foundation
import MessagePassing
import Tensors
import XCTest

final class CommunicatorTests: RankTestCase {
    func testRanksAreNumbered() throws {
        let all = try ranks.allGather([UInt8(ranks.rank)])
        XCTAssertEqual(all, (0..<ranks.size).map { [UInt8($0)] })
    }

    func testNodeRanksCountTheRanksOfAHost() throws {
        let hosts = try ranks.allGather(Array(ranks.host.utf8))
        let own = Array(ranks.host.utf8)
        XCTAssertFalse(ranks.host.isEmpty)
        XCTAssertEqual(ranks.nodeSize, hosts.count { $0 == own })
        XCTAssertEqual(ranks.nodeRank, hosts[..<ranks.rank].count { $0 == own })
    }

    func testLibraryTellsItsVersion() {
        XCTAssertTrue(Communicator.libraryVersion.contains("MPI"), Communicator.libraryVersion)
        XCTAssertTrue(Communicator.libraryVersion.contains { $0.isNumber }, Communicator.libraryVersion)
    }

    func testSecondStartIsRefused() throws {
        XCTAssertEqual(try code { _ = try Communicator.start() }, .alreadyStarted)
    }

    func testFinishIsRefusedWhileARequestIsOpen() throws {
        let buffer = FloatSlice([1, 2])
        let request = try ranks.startAllReduceSum(buffer)
        let refusal = try code { try ranks.finish() }
        try request.wait()
        XCTAssertEqual(refusal, .unfinishedRequests)
        XCTAssertEqual(buffer.array, [Float(ranks.size), Float(2 * ranks.size)])
    }

    func testIdleRunsWhileOthersAreLate() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        var calls = 0
        try ranks.barrier()
        if ranks.rank == 0 { usleep(200_000) }
        ranks.idle = { calls += 1 }
        defer { ranks.idle = nil }
        try ranks.barrier()
        if ranks.rank != 0 { XCTAssertGreaterThan(calls, 0) }
    }

    func testWaitExpiresAndTheLateOperationStillCompletes() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        var failure: MPIError?
        try ranks.barrier()
        if ranks.rank == 0 {
            // Far longer than the other ranks wait.
            usleep(500_000)
            try ranks.barrier()
        } else {
            ranks.deadlineSeconds = 0.02
            do throws(MPIError) { try ranks.barrier() } catch { failure = error }
            ranks.deadlineSeconds = RankFixture.deadlineSeconds
        }
        // The abandoned barrier is complete now, and does not disturb what follows it.
        let sum = try ranks.sum([1, ranks.rank])
        XCTAssertEqual(sum, [ranks.size, ranks.size * (ranks.size - 1) / 2])
        if ranks.rank == 0 {
            XCTAssertNil(failure)
        } else {
            XCTAssertEqual(failure?.code, .deadline)
            XCTAssertEqual(failure?.function, "MPI_Ibarrier")
            XCTAssertEqual(failure?.rank, ranks.rank)
            XCTAssertEqual(failure?.host, ranks.host)
            XCTAssertTrue(failure.map { "\($0)" }?.contains("rank \(ranks.rank) on \(ranks.host)") ?? false)
        }
    }

    func testMemoryOfAnExpiredOperationStaysInPlace() throws {
        try XCTSkipIf(ranks.size == 1, "one rank waits for nobody")
        var late: FloatSlice? = FloatSlice([Float](repeating: 1, count: 100_000))
        weak let arena = late?.arena
        try ranks.barrier()
        var code: MPIError.Code?
        if ranks.rank == 0 { usleep(500_000) } else { ranks.deadlineSeconds = 0.02 }
        if let late {
            let request = try ranks.startAllReduceSum(late)
            do throws(MPIError) { try request.wait() } catch { code = error.code }
        }
        late = nil
        let wasKept = arena != nil
        ranks.deadlineSeconds = RankFixture.deadlineSeconds
        // The abandoned operation moves only inside later calls, and in its own time: as many as it takes, on all ranks.
        for _ in 0..<1000 where try ranks.maximum(arena == nil ? 0 : 1) == 1 {}
        if ranks.rank != 0 {
            XCTAssertEqual(code, .deadline)
            XCTAssertTrue(wasKept)
        }
        XCTAssertNil(arena)
    }
}
