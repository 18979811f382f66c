// AgreementTests - work that succeeds on every rank or fails on every rank with one message.

import Checkpointing
import Configuration
import MessagePassing
import XCTest

@testable import JobRuntime
@testable import Reporting

final class AgreementTests: RankTestCase {
    /// How a failure of `rank` alone begins: rank 0 works for all, so its failures name no rank.
    private func prefix(_ rank: Int) -> String { rank == 0 ? "" : "rank \(rank) on \(ranks.host): " }

    func testEveryRankKeepsItsOwnValue() throws {
        XCTAssertEqual(try ranks.agreed { 10 + ranks.rank }, 10 + ranks.rank)
    }

    func testAnErrorOfOneRankIsThrownByAllAndNamesIt() throws {
        for bad in 0..<ranks.size {
            let failure = try failure {
                try ranks.agreed {
                    if ranks.rank == bad { throw ProgramFailure(.noUsableCheckpoint, "shard \(bad) is gone") }
                }
            }
            XCTAssertEqual(failure?.message, prefix(bad) + "shard \(bad) is gone")
            XCTAssertEqual(failure?.status, .noUsableCheckpoint)
            XCTAssertEqual(failure?.isShared, true)
        }
        // The ranks are still in step.
        XCTAssertEqual(try ranks.sum([1]), [ranks.size])
    }

    func testTheSameErrorOnAllRanksIsPlain() throws {
        let failure = try failure { try ranks.agreed { throw ProgramFailure(.badInput, "no such key") } }
        XCTAssertEqual(failure?.message, "no such key")
        XCTAssertEqual(failure?.status, .badInput)
        XCTAssertEqual(failure?.isShared, true)
    }

    func testOfSeveralErrorsTheFirstRankSpeaks() throws {
        try XCTSkipIf(ranks.size < 3, "needs two failing ranks and a good one")
        let failure = try failure {
            try ranks.agreed {
                if ranks.rank == 1 { throw ProgramFailure(.stoppedEarly, "first") }
                if ranks.rank == 2 { throw ProgramFailure(.badInput, "second") }
            }
        }
        XCTAssertEqual(failure?.message, prefix(1) + "first")
        XCTAssertEqual(failure?.status, .stoppedEarly)
    }

    func testErrorsOfTheModulesGetTheirStatus() throws {
        let bad = ranks.size - 1
        let failure = try failure {
            try ranks.agreed {
                if ranks.rank == bad {
                    throw CheckpointError(.diskFull, file: "a/shard", "no space is left")
                }
            }
        }
        XCTAssertEqual(failure?.message, prefix(bad) + "a/shard: no space is left")
        XCTAssertEqual(failure?.status, .runtimeFailure)
    }

    func testRankZeroSpeaksForAll() throws {
        var runs = 0
        let bytes = try ranks.fromRankZero {
            runs += 1
            return [UInt8(ranks.rank + 7), 0, 255]
        }
        XCTAssertEqual(bytes, [7, 0, 255])
        XCTAssertEqual(runs, ranks.rank == 0 ? 1 : 0)
        XCTAssertEqual(
            try ranks.textFromRankZero { "\u{17C}\u{F3}\u{142}w of \(ranks.rank)" }, "\u{17C}\u{F3}\u{142}w of 0")
        XCTAssertEqual(try ranks.textFromRankZero { "" }, "")
    }

    func testAnErrorOfRankZeroIsThrownByAll() throws {
        let failure = try failure { _ = try ranks.textFromRankZero { throw ProgramFailure(.badInput, "no file") } }
        XCTAssertEqual(failure?.message, "no file")
        XCTAssertEqual(failure?.status, .badInput)
        XCTAssertEqual(failure?.isShared, true)
    }

    func testABodyOfAnotherErrorTypeKeepsItsText() throws {
        struct Odd: Error, CustomStringConvertible { var description: String { "odd" } }
        let failure = try failure { try ranks.agreed { throw Odd() } }
        XCTAssertEqual(failure?.message, "odd")
        XCTAssertEqual(failure?.status, .runtimeFailure)
    }
}
