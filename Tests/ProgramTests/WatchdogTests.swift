// WatchdogTests - a rank that hangs is named, and ends the run instead of holding it up for ever.

import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite(.alone) struct WatchdogTests {
        private static let watchdog = "training.watchdog_seconds=3"

        /// Rank 0 looks after the others, and rank 1 after rank 0.
        @Test(arguments: [2, 0]) func aStoppedRankIsNamed(rank: Int) throws {
            let place = try Workplace(.sharded)
            let set = ["schedule.total_steps=1000000", "checkpoint.every=1000000", Self.watchdog]
            let program = try place.start(place.arguments(set), ranks: 4)
            #expect(place.waitForRows(5, of: program), "\(program.outputSoFar)")
            let process = try #require(program.rankProcesses()[rank])
            #expect(kill(process, SIGSTOP) == 0)
            let result = program.wait(limit: 60)
            // Whatever became of the program, a stopped process must not stay.
            kill(process, SIGCONT)
            #expect(result.status == 1 && !result.timedOut, "\(result)")
            #expect(result.messages.count == 1, "\(result)")
            let message = result.messages.first ?? ""
            #expect(message.contains(": waited longer than 3 s for rank \(rank) on "), "\(result)")
            #expect(message.contains(" which has not arrived: "), "\(result)")
            // The others, and where they wait; not all of them need be in the same place.
            let waits = (result.outputLines + result.errorLines).filter { $0.hasPrefix("  rank") }
            #expect(!waits.isEmpty, "\(result)")
            for line in waits {
                #expect(line.contains(" in ") && line.contains(" of step ") && line.contains("(MPI_I"), "\(result)")
            }
        }

        @Test func aHealthyRunIsLeftAlone() throws {
            let place = try Workplace(.sharded)
            let result = try place.train(
                [Self.watchdog, "evaluation.every=2", "checkpoint.every=3", "logging.profile=true"], ranks: 4)
            #expect(result.status == 0, "\(result)")
            // Frequent saves may be waited for, which is said.
            let warnings = result.warnings.filter { !$0.contains("is shorter than a save takes") }
            #expect(result.messages.isEmpty && warnings.isEmpty, "\(result)")
            #expect(try place.metrics().steps.count == 6)
        }

        @Test func oneRankWaitsForNobody() throws {
            let result = try Workplace().train(["training.watchdog_seconds=1"])
            #expect(result.status == 0, "\(result)")
        }
    }
}
