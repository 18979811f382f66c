// SelfTestJobTests - the job without a configuration: its mechanics in a short run. `make run` runs the whole job
// and shows its result.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct SelfTestJobTests {
        private static let short = [
            "schedule.total_steps=20", "schedule.warmup_steps=5", "evaluation.every=10", "evaluation.sequences=4",
            "checkpoint.every=10", "model.num_hidden_layers=1", "data.sequence_length=32",
        ].flatMap { ["--set", $0] }

        @Test func startsOverAndSaysWhenTrainingFallsShort() throws {
            let place = try Workplace()
            try place.folder.write("mine", to: "runs/embedded/notes.txt")
            try place.folder.write("mine", to: "runs/embedded/checkpoints/notes.txt")
            for ranks in [1, 2] {
                let result = try place.run(Self.short, ranks: ranks)
                expectOneMessage(result, status: 1, names: ["does not train as it should", "above the best possible"])
                let steps = result.outputLines.filter { $0.hasPrefix("step ") }
                #expect(!steps.isEmpty && steps.allSatisfy { $0.contains("  floor ") }, "\(result)")
                #expect(result.outputLines.contains { $0.hasPrefix("sample: ") }, "\(result)")
                // It starts over: rows and checkpoints are those of this job alone.
                #expect(try place.metrics("runs/embedded").steps.keys.sorted() == Array(1...20))
                // Twenty steps, and after the tenth and the last an evaluation and a save.
                #expect(try place.metrics("runs/embedded").rows.count == 24)
                #expect(place.checkpoints("runs/embedded/checkpoints") == ["step-00000010", "step-00000020"])
                #expect(try place.inspect("runs/embedded/checkpoints").object.number("ranks_written") == Double(ranks))
            }
            #expect(try place.folder.text("runs/embedded/notes.txt") == "mine")
            #expect(try place.folder.text("runs/embedded/checkpoints/notes.txt") == "mine")
            #expect(place.folder.names(in: "runs") == ["embedded"])
        }

        @Test func removesNobodyElsesCheckpoints() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=2"]).status == 0)
            let before = place.folder.everything()
            // The configuration was forgotten.
            let result = try place.run(Self.short + ["--set", "logging.directory=runs/run"])
            expectOneMessage(result, status: 2, names: ["runs/run/checkpoints/step-00000002", "CONFIG"])
            #expect(place.folder.everything() == before)
        }

        @Test func continuesNothing() throws {
            let place = try Workplace()
            let result = try place.run(["--resume", "runs/run/checkpoints"])
            expectOneMessage(result, status: 2, names: ["--resume", "CONFIG"])
        }

        @Test func isNotJudgedBeforeItsLastStep() throws {
            let place = try Workplace()
            let result = try place.run(Self.short + ["--set", "training.stop_at_step=3"])
            #expect(result.status == 0 && !result.output.contains("installation"), "\(result)")
        }
    }
}
