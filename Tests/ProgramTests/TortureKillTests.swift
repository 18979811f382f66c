// TortureKillTests - kill -9 at any time on any number of ranks: few steps are lost, and no bit.

import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite(.twoSlots) struct TortureKillTests {
        private static let every = 3
        private static let checkpoints = "runs/run/checkpoints"
        /// The schedule is far longer than any number of kills lasts; the last start stops early, which keeps it.
        private static let schedule = ["training.reproducible=true", "schedule.total_steps=1000000"]

        /// A start and its end. The number determines it; what it hits depends on how fast the machine is.
        private struct Kill: CustomStringConvertible {
            let number: UInt64
            let ranks: Int
            let victim: Int
            /// Whether the delay begins with the first checkpoint of this start, and not with the start itself.
            let isAfterSave: Bool
            /// Seconds from there.
            let delay: Double
            /// Seconds from the first moment after the delay at which a checkpoint is being written.
            let savingDelay: Double?

            init(number: UInt64) {
                var random = SeededGenerator(seed: number)
                self.number = number
                ranks = 1 + random.index(below: 4)
                victim = random.index(below: ranks)
                delay = 1.5 * random.unit()
                savingDelay = random.once(in: 3) ? 0.1 * random.unit() : nil
                // Why: on a crowded machine a start may take longer than any delay, and no kill would hit a step.
                isAfterSave = number.isMultiple(of: 2)
            }

            var description: String {
                "kill \(number): rank \(victim) of \(ranks), \(delay) s after \(isAfterSave ? "a save" : "the start")"
                    + (savingDelay.map { " and \($0) s in a save" } ?? "")
            }
        }

        /// What a run has kept, and how far it had come.
        private struct Progress {
            /// Name of the newest checkpoint.
            var newest: String?
            /// Its step; 0 without one.
            var saved = 0
            /// Step of the last whole row of metrics; 0 without one.
            var taken = 0
            /// Whether a save was cut off.
            var wasSaving = false

            init(_ place: Workplace) throws {
                newest = place.checkpoints(checkpoints).last
                saved = newest.flatMap { Int($0.dropFirst("step-".count)) } ?? 0
                wasSaving = place.folder.names(in: checkpoints).contains { $0.hasSuffix(".partial") }
                let metrics = "runs/run/metrics.jsonl"
                guard place.folder.exists(metrics) else { return }
                // The end is enough, and the last row may be a piece of one, which the next start cuts off.
                let end = String(decoding: try place.folder.bytes(metrics).suffix(1 << 15), as: UTF8.self)
                for line in end.split(separator: "\n", omittingEmptySubsequences: false).dropLast().reversed() {
                    let row = try JSONObject(String(line))
                    guard row.keys.contains("loss"), let step = row.number("step") else { continue }
                    taken = Int(step)
                    return
                }
            }
        }

        @Test func killedAtAnyTime() throws {
            let begin = ContinuousClock.now
            let seed = try Torture.seed()
            let kills = try Torture.cases("MILE_TORTURE_KILLS", budget: 6)
            let place = try Workplace(.sharded)
            var progress = try Progress(place)
            var worst = 0
            var saves = 0
            for number in 0..<kills {
                let kill = Kill(number: seed &+ UInt64(number))
                let result = try strike(kill, place)
                #expect(!result.timedOut && result.status != 0 && result.status != 3, "\(kill): \(result)")
                // It had begun where the one before ended, if it came so far; its last line may be cut off.
                if let line = result.outputLines.first(where: { $0.hasPrefix("continuing from ") }) {
                    #expect(continuation(progress).hasPrefix(line), "\(kill): \(result)")
                }
                progress = try Progress(place)
                // One save at most is in flight, and a step that is due for the next is not begun before it has ended.
                let lost = progress.taken - progress.saved
                #expect((0..<2 * Self.every).contains(lost), "\(kill): \(progress): \(result)")
                worst = max(worst, lost)
                saves += progress.wasSaving ? 1 : 0
            }

            let stop = progress.taken + Self.every + 1
            let set = Self.schedule + ["training.stop_at_step=\(stop)"]
            let result = try place.train(set + ["checkpoint.every=\(Self.every)"], ranks: 3)
            #expect(result.status == 0, "\(result)")
            if progress.saved > 0 {
                #expect(result.output.contains(continuation(progress)), "\(result)")
            } else {
                #expect(!result.output.contains("continuing from "), "\(result)")
            }
            #expect(kills < 2 || progress.saved > 0, "no kill came after a save: \(result)")
            // Nothing unfinished stays behind, and no checkpoint was found to be bad.
            #expect(place.folder.names(in: Self.checkpoints) == place.checkpoints(Self.checkpoints))
            #expect(try Progress(place).saved == stop)

            let straight = try Workplace(.sharded)
            // Some 20 ms a step on a core of its own; far more on one that is shared.
            let undisturbed = try straight.run(straight.arguments(set), limit: 60 + 0.2 * Double(stop))
            #expect(undisturbed.status == 0, "\(undisturbed)")
            let expected = try straight.inspect(Self.checkpoints).trained
            let actual = try place.inspect(Self.checkpoints).trained
            #expect(expected.values.allSatisfy { !$0.isEmpty } && actual == expected, "seed \(seed)")
            #expect(try place.metrics().losses(1...stop) == straight.metrics().losses(1...stop), "seed \(seed)")
            Torture.report(
                "\(kills) kills from seed \(seed), \(saves) of them in a save: \(worst) steps lost at worst of"
                    + " \(2 * Self.every - 1) allowed, same bits after \(stop) steps", since: begin)
        }

        /// Starts the run, kills a rank, and waits for the end of all.
        private func strike(_ kill: Kill, _ place: Workplace) throws -> ProgramResult {
            let set = Self.schedule + ["checkpoint.every=\(Self.every)"]
            let program = try place.start(place.arguments(set), ranks: kill.ranks)
            if kill.isAfterSave {
                let newest = place.checkpoints(Self.checkpoints).last
                let isSaved = RunningProgram.poll(limit: 60) {
                    !program.isRunning || place.checkpoints(Self.checkpoints).last != newest
                }
                #expect(isSaved, "\(kill): nothing was saved: \(program.outputSoFar)")
            }
            Self.sleep(kill.delay)
            if let delay = kill.savingDelay {
                let isSaving = RunningProgram.poll(limit: 60) {
                    !program.isRunning
                        || place.folder.names(in: Self.checkpoints).contains { $0.hasSuffix(".partial") }
                }
                #expect(isSaving, "\(kill): no save has begun: \(program.outputSoFar)")
                Self.sleep(delay)
            }
            var process: Int32?
            // mpirun takes its time to start the ranks.
            _ = RunningProgram.poll(limit: 60) {
                process = kill.ranks == 1 ? program.processIdentifier : program.rankProcesses()[kill.victim]
                return process != nil || !program.isRunning
            }
            // A run that ends by itself has failed, or an earlier one still holds its lock.
            guard let process, program.isRunning, Glibc.kill(process, SIGKILL) == 0 else {
                throw UnexpectedText("\(kill): it had ended before: \(program.wait(limit: 0))")
            }
            return program.wait(limit: 30)
        }

        private func continuation(_ progress: Progress) -> String {
            "continuing from \(Self.checkpoints)/\(progress.newest ?? "none"), step \(progress.saved)"
        }

        private static func sleep(_ seconds: Double) { usleep(UInt32(1e6 * seconds)) }
    }
}
