// MessageTests - numbers from one rank to another: around a ring, in chunks, and who is no receiver.

import MessagePassing
import Tensors
import XCTest

final class MessageTests: RankTestCase {
    func testRing() throws {
        guard ranks.size > 1 else { throw XCTSkip("a ring needs two ranks") }
        try withChunkLimits { limit in
            let (next, previous) = ((ranks.rank + 1) % ranks.size, (ranks.rank + ranks.size - 1) % ranks.size)
            func values(_ rank: Int) -> [Float] { (0..<11).map { Float(100 * rank + $0) } }
            let received = FloatSlice([Float](repeating: -1, count: 13))
            var requests = RequestSet()
            requests.add(try ranks.startReceive(received[1..<12], from: previous))
            requests.add(try ranks.startSend(FloatSlice(values(ranks.rank)), to: next))
            try requests.waitAll()
            XCTAssertEqual(received.array, [-1] + values(previous) + [-1], "chunks of \(limit)")
        }
    }

    /// Messages between two ranks arrive in their order.
    func testOrder() throws {
        guard ranks.size > 1 else { throw XCTSkip("two ranks are needed") }
        var received: [Float] = []
        for value in 0..<5 {
            let buffer = FloatSlice([Float(value)])
            if ranks.rank == 0 {
                try ranks.startSend(buffer, to: ranks.size - 1).wait()
            } else if ranks.rank == ranks.size - 1 {
                buffer.fill(-1)
                try ranks.startReceive(buffer, from: 0).wait()
                received += buffer.array
            }
        }
        try ranks.barrier()
        XCTAssertEqual(received, ranks.rank == ranks.size - 1 ? [0, 1, 2, 3, 4] : [])
    }

    func testOnlyOtherRanks() throws {
        let buffer = FloatSlice([1])
        for peer in [-1, ranks.size, ranks.rank] {
            XCTAssertEqual(try code(thrownBy: { try ranks.startSend(buffer, to: peer).wait() }), .argument)
            XCTAssertEqual(try code(thrownBy: { try ranks.startReceive(buffer, from: peer).wait() }), .argument)
        }
    }
}
