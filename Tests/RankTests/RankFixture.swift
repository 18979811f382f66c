// RankFixture - what all rank tests share: one start of MPI, one end, and no way to hang.
//
// The tests of this target are run by mpirun, as one process per rank (also without mpirun, as the only rank). They are
// XCTest, because its synchronous tests run on the process's main thread, where MPI was started. XCTest runs the same
// tests in the same order in every process, which is what collective operations need.
//
// In a test, finish the collectives before asserting, and assert on every rank what holds on every rank. A failed
// assertion is no obstacle to the other ranks: the test goes on, all ranks reach the end, and the failing one ends with a
// status that mpirun passes on. A thrown error leaves a test on one rank only, so it ends the job at once; whatever
// else keeps a rank from a collective makes the others' waits expire, which is a thrown error too.

import MessagePassing
import XCTest

@testable import Reporting

/// The communicator of the test process.
enum RankFixture {
    /// The longest wait for another rank, in seconds: far more than a test takes, also on a busy machine.
    static let deadlineSeconds = 60.0

    // Tests run one after another on the main thread, so that nothing else ever sees it.
    nonisolated(unsafe) private static var started: Communicator?

    /// The communicator, started on first use.
    static func communicator() throws -> Communicator {
        if let communicator = unsafe started { return communicator }
        let communicator = try Communicator.start()
        unsafe started = communicator
        XCTestObservationCenter.shared.addTestObserver(Finisher())
        return communicator
    }

    /// Ends the job where one rank cannot go on.
    static func abort() {
        unsafe started?.abort(status: 1)
    }

    /// Ends message passing after the last test: a rank that left without it would be taken for one that crashed.
    private final class Finisher: NSObject, XCTestObservation {
        func testBundleDidFinish(_ testBundle: Bundle) {
            do {
                try (unsafe started)?.finish()
            } catch {
                print("rank tests: \(error)")
                RankFixture.abort()
            }
        }
    }
}

/// The superclass of all tests that need other ranks.
class RankTestCase: XCTestCase {
    private var communicator: Communicator?

    /// All ranks; each test begins with the same settings.
    var ranks: Communicator {
        guard let communicator else { preconditionFailure("ranks are there from setUp on") }
        return communicator
    }

    override func setUpWithError() throws {
        let ranks = try RankFixture.communicator()
        ranks.deadlineSeconds = RankFixture.deadlineSeconds
        communicator = ranks
    }

    /// Runs `body` with each chunk limit, from one element to all in one call.
    func withChunkLimits(_ body: (Int) throws -> Void) rethrows {
        let limit = ranks.chunkLimit
        defer { ranks.chunkLimit = limit }
        for smaller in [1, 3, 7, limit] {
            ranks.chunkLimit = smaller
            try body(smaller)
        }
    }

    /// The code of the MPIError that `body` throws; nil when it throws none.
    func code(thrownBy body: () throws -> Void) throws -> MPIError.Code? {
        do {
            try body()
        } catch let error as MPIError {
            return error.code
        }
        return nil
    }

    /// The ProgramFailure that `body` throws; nil when it throws none.
    func failure(thrownBy body: () throws -> Void) throws -> ProgramFailure? {
        do {
            try body()
        } catch let error as ProgramFailure {
            return error
        }
        return nil
    }

    /// Names the rank in every failure, and ends the job on one that is no failed assertion.
    override func recordFailure(
        withDescription description: String, inFile filePath: String, atLine lineNumber: Int, expected: Bool
    ) {
        let place = communicator.map { "rank \($0.rank) of \($0.size): " } ?? ""
        super.recordFailure(
            withDescription: place + description, inFile: filePath, atLine: lineNumber, expected: expected)
        if !expected { RankFixture.abort() }
    }
}

/// Segments to cut a buffer into, by number of ranks: even, uneven, with empty ones, all in one, none at all.
func segmentCounts(for size: Int) -> [[Int]] {
    [
        [Int](repeating: 5, count: size),
        (0..<size).map { 3 * $0 + 1 },
        (0..<size).map { $0 % 2 == 0 ? 0 : 11 },
        (0..<size).map { $0 % 2 == 0 ? 8 : 0 },
        (0..<size).map { $0 == size - 1 ? 23 : 0 },
        [Int](repeating: 0, count: size),
    ]
}
