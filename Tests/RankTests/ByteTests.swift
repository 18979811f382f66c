// ByteTests - messages of bytes.

import MessagePassing
import XCTest

final class ByteTests: RankTestCase {
    /// What rank `rank` says: `rank * 5` bytes, none on rank 0.
    private func message(of rank: Int) -> [UInt8] {
        (0..<(rank * 5)).map { UInt8(truncatingIfNeeded: 17 * rank + $0) }
    }

    func testBroadcastFromEveryRoot() throws {
        try withChunkLimits { limit in
            for root in 0..<ranks.size {
                let received = try ranks.broadcast(ranks.rank == root ? message(of: root) : nil, root: root)
                XCTAssertEqual(received, message(of: root), "root \(root), chunks of \(limit)")
            }
        }
    }

    func testBroadcastIgnoresTheBytesOfOthers() throws {
        let received = try ranks.broadcast([UInt8(ranks.rank), 1, 2], root: 0)
        XCTAssertEqual(received, [0, 1, 2])
    }

    func testAllGather() throws {
        try withChunkLimits { limit in
            let received = try ranks.allGather(message(of: ranks.rank))
            XCTAssertEqual(received, (0..<ranks.size).map(message), "chunks of \(limit)")
        }
    }

    func testGatherToEveryRoot() throws {
        try withChunkLimits { limit in
            for root in 0..<ranks.size {
                let received = try ranks.gather(message(of: ranks.rank), root: root)
                let expected = ranks.rank == root ? (0..<ranks.size).map(message) : nil
                XCTAssertEqual(received, expected, "root \(root), chunks of \(limit)")
            }
        }
    }

    func testLongMessage() throws {
        // Beyond what the library sends without asking the receiver first.
        let long = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let received = try ranks.broadcast(ranks.rank == ranks.size - 1 ? long : nil, root: ranks.size - 1)
        XCTAssertTrue(received == long)
    }

    func testBroadcastWithoutBytesOnTheRootIsRefused() throws {
        XCTAssertEqual(try code { _ = try ranks.broadcast(nil, root: ranks.rank) }, .argument)
    }

    func testRootOutsideTheRanksIsRefused() throws {
        for root in [-1, ranks.size] {
            XCTAssertEqual(try code { _ = try ranks.broadcast([1], root: root) }, .root)
            XCTAssertEqual(try code { _ = try ranks.gather([1], root: root) }, .root)
        }
    }
}
