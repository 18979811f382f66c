// KillTests - a rank that dies takes the job with it, and costs no more than the steps since the last checkpoint.

import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite(.twoSlots) struct KillTests {
        /// When the rank is killed.
        enum Moment: Sendable {
            /// After so many rows of metrics.
            case row(Int)
            /// While a checkpoint is being written, after so many rows.
            case saving(after: Int)
        }

        @Test(arguments: [
            (rank: 0, every: 4, moment: Moment.row(6)), (3, 1, .row(17)), (1, 5, .saving(after: 8)),
            (0, 5, .saving(after: 12)),
        ])
        func othersEndAndTheRunContinues(rank: Int, every: Int, moment: Moment) throws {
            let place = try Workplace(.sharded)
            let set = ["schedule.total_steps=100000", "checkpoint.every=\(every)"]
            let program = try place.start(place.arguments(set), ranks: 4)
            #expect(arrive(moment, program, place), "\(program.outputSoFar)")
            let process = try #require(program.rankProcesses()[rank])
            let begin = ContinuousClock.now
            #expect(kill(process, SIGKILL) == 0)
            let result = program.wait(limit: 30)
            #expect(ContinuousClock.now - begin < .seconds(10), "\(result)")
            #expect(result.status != 0 && !result.timedOut, "\(result)")
            // Rank 0 may have died in the middle of a row, which the next start cuts off; all rows before it are whole.
            let rows = try place.folder.text("runs/run/metrics.jsonl")
            let whole = rows.prefix(through: rows.lastIndex(of: "\n") ?? rows.startIndex)
            let last = try #require(try Metrics(text: String(whole)).steps.keys.max())

            let newest = place.checkpoints().last
            let stop = last + 3
            let again = try place.train(set + ["training.stop_at_step=\(stop)"], ranks: 4)
            #expect(again.status == 0, "\(again)")
            #expect(newest.map { again.output.contains("\($0), step") } ?? true, "\(newest ?? "none"): \(again)")
            #expect(place.checkpoints().last == Self.name(stop))

            let straight = try Workplace(.sharded)
            let options = [set[0], "training.stop_at_step=\(stop)"]
            #expect(try straight.train(options).status == 0)
            let expected = try straight.metrics().losses(1...stop)
            let actual = try place.metrics().losses(1...stop)
            #expect(difference(actual, expected, within: RankCountTests.tolerance) == nil)
        }

        private func arrive(_ moment: Moment, _ program: RunningProgram, _ place: Workplace) -> Bool {
            switch moment {
            case .row(let count): return place.waitForRows(count, of: program)
            case .saving(let count):
                guard place.waitForRows(count, of: program) else { return false }
                return RunningProgram.poll(limit: 30) {
                    place.folder.names(in: "runs/run/checkpoints").contains { $0.hasSuffix(".partial") }
                }
            }
        }

        private static func name(_ step: Int) -> String {
            let digits = String(step)
            return "step-" + String(repeating: "0", count: 8 - digits.count) + digits
        }
    }
}
