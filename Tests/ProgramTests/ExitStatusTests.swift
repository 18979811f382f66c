// ExitStatusTests - 0, 1, 2, 3 and 75, the same through mpirun (2 and 3: also BadInputTests and CorruptionTests).

import Foundation
import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct ExitStatusTests {
        static let endless = "schedule.total_steps=1000000"

        @Test(arguments: [1, 3]) func done(ranks: Int) throws {
            let place = try Workplace()
            let result = try place.train(ranks: ranks)
            #expect(result.status == 0, "\(result)")
            #expect(result.messages == [] && result.warnings == [], "\(result)")
            #expect(result.outputLines.last?.hasPrefix("done: step 6 of 6") == true, "\(result)")
            // Rank 0 speaks alone.
            #expect(result.outputLines.filter { $0.hasPrefix("step 6/6") }.count == 1, "\(result)")
        }

        /// Weights beyond any float: no step can be applied.
        @Test(arguments: [1, 4]) func runtimeFailure(ranks: Int) throws {
            let place = try Workplace()
            let result = try place.train(["loss.gamma=1.0e6", "training.maximum_skipped_steps=2"], ranks: ranks)
            expectOneMessage(
                result, status: 1, names: ["3 steps in a row", "training.maximum_skipped_steps is 2"])
            #expect(result.warnings.count == 3, "\(result)")
            #expect(try place.metrics().rows.count == 3)
        }

        @Test(arguments: [1, 4]) func badInput(ranks: Int) throws {
            let result = try Workplace().train(["training.seed=x"], ranks: ranks)
            expectOneMessage(result, status: 2, names: ["training.seed"])
        }

        @Test(arguments: [1, 4]) func noUsableCheckpoint(ranks: Int) throws {
            let result = try Workplace().train(options: ["--resume", "nowhere"], ranks: ranks)
            expectOneMessage(result, status: 3, names: ["nowhere"])
        }

        /// mpirun forwards SIGUSR1 to its ranks; a rank without mpirun is reached by the others too.
        @Test(.alone, arguments: [(SIGUSR1, 4), (SIGUSR1, 1), (SIGTERM, 1), (SIGINT, 1)])
        func stopsOnASignal(number: Int32, ranks: Int) throws {
            let place = try Workplace()
            let program = try place.start(place.arguments([Self.endless]), ranks: ranks)
            #expect(place.waitForRows(5, of: program), "\(program.outputSoFar)")
            program.signal(number)
            try expectEarlyStop(program.wait(limit: 20), place, ranks: ranks)
        }

        /// The address space has room for some of the threads' stacks.
        @Test func threadsThatTheSystemRefuses() throws {
            let place = try Workplace()
            let limit = "ulimit -v 3500000 && exec \"$0\" \"$@\""
            func train(threads: Int) throws -> ProgramResult {
                let arguments = place.arguments(["training.threads=\(threads)", "training.stop_at_step=1"])
                return try RunningProgram(
                    tool: "/bin/sh", ["-c", limit, RunningProgram.executable] + arguments, in: place.folder.path
                ).wait(limit: 60)
            }
            expectOneMessage(
                try train(threads: 512), status: 1,
                names: [" of 512 compute threads could be started: ", "training.threads", "ulimit"])
            let two = try train(threads: 2)
            #expect(two.status == 0, "\(two)")
        }

        /// Open MPI would start a daemon, which may outlive a rank that is killed.
        @Test(.alone) func aSingleRankStartsNoOtherProcess() throws {
            let place = try Workplace()
            let alone = try place.start(place.arguments([Self.endless]))
            #expect(place.waitForRows(2, of: alone), "\(alone.outputSoFar)")
            #expect(alone.children() == [])
            alone.signal(SIGUSR1)
            #expect(alone.wait(limit: 20).status == 75)
            // The look finds processes where there are some.
            let two = try place.start(place.arguments([Self.endless]), ranks: 2)
            #expect(place.waitForRows(10, of: two), "\(two.outputSoFar)")
            #expect(two.children().count >= 2)
            two.signal(SIGUSR1)
            #expect(two.wait(limit: 20).status == 75)
        }

        /// In a step of two thousand micro-batches, none of which is waited for: the step before is what is saved.
        @Test(.alone, arguments: [1, 3]) func stopsWithinAStep(ranks: Int) throws {
            let place = try Workplace()
            let long = ["training.global_batch_size=20000", "training.micro_batch_size=1"]
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            let program = try place.start(place.arguments(long), ranks: ranks)
            #expect(RunningProgram.poll(limit: 30) { program.outputSoFar.contains("continuing from") })
            // Into the step: what comes before it takes a few milliseconds after that line.
            Thread.sleep(forTimeInterval: 0.5)
            program.signal(SIGUSR1)
            let result = program.wait(limit: 20)
            #expect(result.status == 75, "\(result)")
            #expect(
                result.output.contains("stopped early at step 1 with everything saved, within the next"), "\(result)")
            #expect(try place.metrics().steps.keys.sorted() == [1])
            #expect(try place.train(["training.stop_at_step=2"]).status == 0)
            let straight = try Workplace()
            #expect(try straight.train(["training.stop_at_step=2"]).status == 0)
            #expect(try place.metrics().losses(1...2) == straight.metrics().losses(1...2))
        }

        /// In an evaluation of all sequences again and again: it is made up for, also after the last step.
        @Test(.alone) func stopsWithinAnEvaluation() throws {
            let place = try Workplace()
            try place.folder.write(Workplace.words(300_000, seed: 2), to: "held-out.txt")
            let set = ["evaluation.sequences=0", "schedule.total_steps=2"]
            let program = try place.start(place.arguments(set), ranks: 2)
            #expect(place.waitForRows(2, of: program), "\(program.outputSoFar)")
            program.signal(SIGUSR1)
            let result = program.wait(limit: 30)
            #expect(result.status == 75, "\(result)")
            #expect(try place.metrics().evaluations.isEmpty, "\(result)")
            #expect(place.checkpoints() == ["step-00000002"])
            let again = try place.run(place.arguments(set), limit: 120)
            #expect(again.status == 0, "\(again)")
            #expect(try place.metrics().evaluations.keys.sorted() == [2])
            #expect(try place.metrics().steps.count == 2)
        }

        @Test(.alone, arguments: [1, 3]) func stopsAtTheTimeLimit(ranks: Int) throws {
            let place = try Workplace()
            let begin = ContinuousClock.now
            let result = try place.train([Self.endless, "training.time_limit=1s"], ranks: ranks)
            #expect(ContinuousClock.now - begin < .seconds(20), "\(result)")
            try expectEarlyStop(result, place, ranks: ranks, also: ["training.time_limit="])
        }

        /// Status 75 with everything saved, and the same command goes on from there.
        private func expectEarlyStop(
            _ result: ProgramResult, _ place: Workplace, ranks: Int, also overrides: [String] = []
        ) throws {
            #expect(result.status == 75 && !result.timedOut, "\(result)")
            #expect(result.messages == [], "\(result)")
            let last = try #require(try place.metrics().steps.keys.max())
            #expect(result.output.contains("stopped early at step \(last) with everything saved"), "\(result)")
            // More than one where the stop came after the first regular save.
            let number = String(repeating: "0", count: 8 - "\(last)".count) + "\(last)"
            #expect(place.checkpoints().sorted().last == "step-" + number)
            let set = [Self.endless, "training.stop_at_step=\(last + 1)"] + overrides
            let again = try place.train(set, ranks: ranks)
            #expect(again.status == 0, "\(again)")
            #expect(again.output.contains(", step \(last)\n"), "\(again)")
            #expect(try place.metrics().steps.count == last + 1)
        }
    }
}
