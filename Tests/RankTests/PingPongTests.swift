// PingPongTests - messages to and fro between two ranks.

import MessagePassing
import XCTest

final class PingPongTests: RankTestCase {
    func testClocksOfBothRanksAreSeen() throws {
        // Clocks that count calls, from a thousand times the rank: the times tell who made them, and in which order.
        for (first, second) in pairs() {
            var ticks = 1000 * ranks.rank
            let trips = try ranks.pingPong(between: first, and: second, byteCount: 8, rounds: 3) {
                ticks += 1
                return ticks
            }
            let expected = (0..<3).map { round in
                RoundTrip(
                    sent: 1000 * first + 2 * round + 1, answered: 1000 * second + round + 1,
                    returned: 1000 * first + 2 * round + 2)
            }
            XCTAssertEqual(trips, ranks.rank == first ? expected : [], "\(first) and \(second)")
        }
    }

    func testLongMessagesKeepTheTime() throws {
        for (first, second) in pairs() {
            let trips = try ranks.pingPong(between: first, and: second, byteCount: 1 << 20, rounds: 2) {
                7 + self.ranks.rank
            }
            let expected = RoundTrip(sent: 7 + first, answered: 7 + second, returned: 7 + first)
            XCTAssertEqual(trips, ranks.rank == first ? [expected, expected] : [])
        }
    }

    func testOffsetAndDuration() {
        // There 10, back 10, the other clock 500 ahead.
        let trip = RoundTrip(sent: 100, answered: 610, returned: 120)
        XCTAssertEqual(trip.duration, 20)
        XCTAssertEqual(trip.offset, 500)
        XCTAssertEqual(RoundTrip(sent: 100, answered: 60, returned: 120).offset, -50)
    }

    func testOtherRanksAreRefused() throws {
        XCTAssertEqual(
            try code { _ = try ranks.pingPong(between: 0, and: ranks.size, byteCount: 8, rounds: 1) { 0 } }, .root)
    }

    func testThreadLevelIsWhatWasAskedFor() {
        // MPI_THREAD_FUNNELED is 1 in the standard's order; a library may give more.
        XCTAssertTrue((1...3).contains(ranks.threadLevel))
    }

    /// Every pair of ranks in both orders; none where there is one rank.
    private func pairs() -> [(Int, Int)] {
        (0..<ranks.size).flatMap { first in
            (0..<ranks.size).filter { $0 != first }.map { (first, $0) }
        }
    }
}
