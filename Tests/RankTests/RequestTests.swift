// RequestTests - operations that run side by side. That a dropped request traps is tested in MessagePassingTests, in a
// process of its own.

import MessagePassing
import Tensors
import XCTest

final class RequestTests: RankTestCase {
    func testPollingAloneCompletesARequest() throws {
        let buffer = FloatSlice([1, 2, 3])
        var request = try ranks.startAllReduceSum(buffer)
        while try !request.test() {}
        XCTAssertTrue(try request.test())
        try request.wait()
        let size = Float(ranks.size)
        XCTAssertEqual(buffer.array, [size, 2 * size, 3 * size])
    }

    func testManyRequestsAtOnce() throws {
        try withChunkLimits { limit in
            let buffers = (0..<8).map { FloatSlice([Float](repeating: Float($0 + 1), count: 4 * $0 + 1)) }
            var requests = RequestSet()
            for buffer in buffers {
                requests.add(try ranks.startAllReduceSum(buffer))
                _ = try ranks.progress()
            }
            // Another operation of the same communicator between start and wait.
            let sum = try ranks.sum([1])
            try requests.waitAll()
            XCTAssertEqual(sum, [ranks.size])
            for (index, buffer) in buffers.enumerated() {
                let expected = [Float](repeating: Float(ranks.size * (index + 1)), count: 4 * index + 1)
                XCTAssertEqual(buffer.array, expected, "buffer \(index), chunks of \(limit)")
            }
        }
    }

    func testProgressEmptiesASet() throws {
        let buffer = FloatSlice([1])
        var requests = RequestSet()
        requests.add(try ranks.startAllReduceSum(buffer))
        let countBefore = requests.count
        while try ranks.progress() {}
        XCTAssertTrue(requests.isEmpty)
        XCTAssertEqual(countBefore, 1)
        XCTAssertEqual(buffer.array, [Float(ranks.size)])
    }

    func testSetIsUsableAgainAfterWait() throws {
        let buffer = FloatSlice([1])
        var requests = RequestSet()
        for _ in 0..<3 {
            requests.add(try ranks.startAllReduceSum(buffer))
            try requests.wait()
        }
        let isEmpty = requests.isEmpty
        try requests.waitAll()
        XCTAssertTrue(isEmpty)
        XCTAssertEqual(buffer.array, [Float(ranks.size * ranks.size * ranks.size)])
    }

    func testARequestKeepsItsBufferAlive() throws {
        weak var arena: Arena?
        let request = try startOnATemporaryBuffer(&arena)
        let wasAlive = arena != nil
        try request.wait()
        XCTAssertTrue(wasAlive)
        XCTAssertNil(arena)
    }

    /// Starts a reduction of a buffer that nothing but the request refers to.
    private func startOnATemporaryBuffer(_ arena: inout Arena?) throws -> Request {
        let buffer = Arena(count: 1000).all
        arena = buffer.arena
        return try ranks.startAllReduceSum(buffer)
    }
}
