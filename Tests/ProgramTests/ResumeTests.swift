// ResumeTests - which checkpoint a run continues from, and when it refuses (design section 5, "Resume").

import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct ResumeTests {
        private static let checkpoints = "runs/run/checkpoints"

        private func trained(_ overrides: [String] = ["training.stop_at_step=3"], ranks: Int = 1) throws -> Workplace {
            let place = try Workplace()
            let result = try place.train(overrides, ranks: ranks)
            #expect(result.status == 0, "\(result)")
            #expect(!result.output.contains("continuing"), "\(result)")
            return place
        }

        @Test func autoContinues() throws {
            let place = try trained()
            let result = try place.train()
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("continuing from \(Self.checkpoints)/step-00000003, step 3"), "\(result)")
            let straight = try trained([])
            // The same program on the same number of ranks and threads: the same bits.
            #expect(try place.metrics().losses(1...6) == straight.metrics().losses(1...6))
            let (resumed, whole) = (try place.inspect(Self.checkpoints), try straight.inspect(Self.checkpoints))
            for role in ["parameter", "first_moment", "second_moment"] {
                #expect(resumed.hashes(role) == whole.hashes(role), "\(role)")
            }
        }

        @Test func lastStepIsSaid() throws {
            let place = try trained([])
            let before = try place.folder.text("runs/run/metrics.jsonl")
            let result = try place.train()
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("nothing to do: the checkpoint is at step 6"), "\(result)")
            #expect(try place.folder.text("runs/run/metrics.jsonl") == before)
            #expect(place.checkpoints() == ["step-00000006"])
        }

        @Test func neverStartsOnlyWhereThereIsNone() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=3"], options: ["--resume", "never"]).status == 0)
            let before = place.folder.everything()
            let refused = try place.train(options: ["--resume", "never"])
            expectOneMessage(refused, status: 2, names: ["--resume never", "\(Self.checkpoints)/step-00000003"])
            #expect(place.folder.everything() == before)
        }

        @Test func pathContinuesInAnotherDirectory() throws {
            let place = try trained(["training.stop_at_step=4", "checkpoint.every=2"])
            let older = "\(Self.checkpoints)/step-00000002"
            var result = try place.train(["logging.directory=other"], options: ["--resume", older])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("continuing from \(older), step 2"), "\(result)")
            #expect(try place.metrics("other").steps.keys.sorted() == [3, 4, 5, 6])
            // A checkpoints directory means its newest.
            result = try place.train(["logging.directory=third"], options: ["--resume", Self.checkpoints])
            #expect(result.output.contains("continuing from \(Self.checkpoints)/step-00000004, step 4"), "\(result)")
        }

        @Test func pathToAnOlderStepDoesNotMixBranches() throws {
            let place = try trained(["training.stop_at_step=4", "checkpoint.every=2"])
            let older = "runs/run/checkpoints/step-00000002"
            let refused = try place.train(["training.stop_at_step=3"], options: ["--resume", older], ranks: 2)
            expectOneMessage(refused, status: 2, names: [older, "step-00000004 is newer"])
            // With the newer one out of the way it goes on from there; a requeued job then goes on from its own work.
            try place.folder.move("runs/run/checkpoints/step-00000004", to: "kept")
            let first = try place.train(["training.stop_at_step=3"], options: ["--resume", older])
            #expect(first.status == 0 && first.output.contains(", step 2\n"), "\(first)")
            let again = try place.train([], options: ["--resume", older])
            #expect(again.status == 0 && again.output.contains(", step 3\n"), "\(again)")
            #expect(again.output.contains("already continued from \(older)"), "\(again)")
        }

        /// Newer checkpoints are moved, rows of later steps leave the metrics, and the same command, repeated, goes on.
        @Test func aBranchGoesBackAndLosesNothing() throws {
            let place = try trained(["checkpoint.every=2"])
            let before = try place.folder.text("runs/run/metrics.jsonl")
            let back = ["--resume", "\(Self.checkpoints)/step-00000002", "--branch", "low"]
            let set = ["optimizer.learning_rate=1.0e-4"]
            // A configuration that may not continue it moves nothing.
            let refused = try place.train(["training.seed=6"], options: back, ranks: 2)
            expectOneMessage(refused, status: 2, names: ["training.seed"])
            #expect(place.checkpoints() == ["step-00000002", "step-00000004", "step-00000006"])
            let first = try place.train(set + ["training.stop_at_step=3"], options: back, ranks: 2)
            #expect(first.status == 0 && first.output.contains(", step 2\n"), "\(first)")
            #expect(place.checkpoints() == ["step-00000002", "step-00000003"])
            let left = "\(Self.checkpoints)/before-low"
            #expect(place.checkpoints(left) == ["step-00000004", "step-00000006"])
            #expect(try place.folder.text("\(left)/metrics.jsonl") == before)
            #expect(try place.metrics().rows.compactMap { $0.number("step") }.max() == 3)
            // A requeued job, whose checkpoint to go back to is gone by now.
            let again = try place.train(set + ["checkpoint.keep=1"], options: back)
            #expect(again.status == 0 && again.output.contains(", step 3\n"), "\(again)")
            #expect(place.checkpoints() == ["step-00000006"])
            let last = try place.train(set + ["checkpoint.keep=1"], options: back)
            #expect(last.status == 0 && last.output.contains("nothing to do"), "\(last)")
            // What was left is a run directory and holds the undisturbed end.
            #expect(try place.inspect(left).object.number("step") == 6)
        }

        /// One stable run, a decay in another directory and one in a branch: the rates of each are those of its schedule.
        @Test func aStableRunHasSeveralDecays() throws {
            let stable = ["schedule.kind=wsd", "schedule.total_steps=100", "checkpoint.every=4"]
            let place = try trained(stable + ["training.stop_at_step=8"])
            func decay(_ shape: String, total: Int, _ other: [String], _ options: [String]) throws -> ProgramResult {
                try place.train(
                    ["schedule.kind=wsd", "schedule.total_steps=\(total)", "schedule.decay_steps=4"]
                        + ["schedule.decay_shape=\(shape)"] + other, options: ["--resume"] + options)
            }
            let long = try decay(
                "linear", total: 12, ["logging.directory=runs/long"], ["\(Self.checkpoints)/step-00000008"])
            #expect(long.status == 0 && long.output.contains("schedule.decay_steps: the checkpoint has 0"), "\(long)")
            let short = try decay(
                "sqrt", total: 8, [], ["\(Self.checkpoints)/step-00000004", "--branch", "short"])
            #expect(short.status == 0 && short.output.contains("schedule.decay_shape"), "\(short)")
            func rates(_ shares: [Double]) -> [Double] { shares.map { 2e-3 * $0 } }
            let linear = try place.metrics("runs/long").values("lr", 9...12)
            // The same matmuls in another order.
            #expect(difference(linear, rates([1, 0.75, 0.5, 0.25]), within: 1e-15) == nil)
            let root = try place.metrics().values("lr", 1...8)
            let decayed = [0.25, 0.5, 0.75].map { 1 - $0.squareRoot() }
            #expect(difference(root, rates([0.5, 1, 1, 1, 1] + decayed), within: 1e-15) == nil)
        }

        /// The checkpoint that a requeued command names may have been removed by `checkpoint.keep`.
        @Test func aRequeuedPathNeedNotBeThereAnyMore() throws {
            let place = try trained(["training.stop_at_step=2"])
            let set = ["checkpoint.keep=1", "checkpoint.every=1"]
            let options = ["--resume", "\(Self.checkpoints)/step-00000002"]
            #expect(try place.train(set + ["training.stop_at_step=4"], options: options).status == 0)
            #expect(place.checkpoints() == ["step-00000004"])
            let again = try place.train(set, options: options)
            #expect(again.status == 0 && again.output.contains(", step 4\n"), "\(again)")
        }

        /// One evaluation follows the last step, wherever a run is told to stop; a step beyond is called so.
        @Test func theStepToStopAtIsEvaluated() throws {
            let place = try trained()
            #expect(try place.metrics().evaluations.keys.sorted() == [3])
            let rows = try place.folder.text("runs/run/metrics.jsonl")
            let before = try place.train(["training.stop_at_step=2"])
            #expect(before.status == 0, "\(before)")
            #expect(
                before.output.contains(
                    "nothing to do: the checkpoint is at step 3, beyond the last one of this run, step 2 "
                        + "(training.stop_at_step)"), "\(before)")
            // A start that does nothing leaves no trace.
            #expect(try place.folder.text("runs/run/metrics.jsonl") == rows)
            #expect(try place.folder.text("runs/run/starts.jsonl").count { $0 == "\n" } == 1)
            #expect(try place.folder.text("runs/run/configuration.yaml").contains("stop_at_step: 3"))
        }

        @Test func everyDifferenceIsNamed() throws {
            let place = try trained()
            try place.folder.write(Workplace.words(2000, seed: 9), to: "text.txt")
            let result = try place.train([
                "training.seed=6", "data.sequence_length=8", "model.rope_theta=5000.0", "data.ignored_targets=[0]",
            ])
            expectOneMessage(
                result, status: 2,
                names: [
                    "training.seed: the checkpoint has 5, the configuration 6",
                    "data.sequence_length: the checkpoint has 16, the configuration 8",
                    "model.rope_theta: the checkpoint has 10000.0, the configuration 5000.0",
                    "data.ignored_targets: the checkpoint has [], the configuration [0]",
                    // Two texts of different lengths: the checkpoint's and what is there now.
                    "\"text\" has \(Workplace.words(2000, seed: 9).utf8.count + 1) tokens, the checkpoint's has "
                        + "\(Workplace.words(2000, seed: 1).utf8.count + 1)",
                ])
            // Each difference once.
            #expect(result.errorLines.filter { $0.contains("sequence_length") }.count == 1, "\(result)")
        }

        @Test func mixtureAndTextAreCompared() throws {
            let place = try trained()
            let weight = try place.train(["data.train.0.weight=2.0"])
            expectOneMessage(
                weight, status: 2, names: ["data.train: the checkpoint has", "weight: 1.0", "weight: 2.0"])
            #expect(weight.errorLines.count == 3, "\(weight)")
            let name = try place.train(["data.train.0.name=prose"])
            expectOneMessage(name, status: 2, names: ["data.train: the checkpoint has", "\"text\"", "\"prose\""])
            var bytes = try place.folder.bytes("text.txt")
            bytes[100] ^= 1
            try place.folder.write(bytes, to: "text.txt")
            let text = try place.train()
            expectOneMessage(text, status: 2, names: ["the tokens of \"text\" are others than the checkpoint's"])
        }

        @Test func allowedChangesAreLogged() throws {
            let place = try trained()
            try place.folder.move("text.txt", to: "moved.txt")
            let changes = [
                ("data.train.0.path", "moved.txt", "path: \"moved.txt\""),
                ("optimizer.learning_rate", "1.0e-3", "optimizer.learning_rate: the checkpoint has 0.002, "),
                ("schedule.kind", "linear", "schedule.kind: the checkpoint has cosine, the configuration linear"),
                ("schedule.total_steps", "8", "schedule.total_steps: the checkpoint has 6, the configuration 8"),
                ("training.global_batch_size", "6", "training.global_batch_size: the checkpoint has 10, "),
                ("training.micro_batch_size", "3", "training.micro_batch_size: the checkpoint has 4, "),
                ("training.threads", "2", "training.threads: the checkpoint has 1, the configuration 2"),
                ("training.gradient_reduction", "all_reduce", "training.gradient_reduction: the checkpoint has "),
                ("logging.every", "2", "logging.every: the checkpoint has 1, the configuration 2"),
                ("evaluation.every", "4", "evaluation.every: the checkpoint has 1000, the configuration 4"),
                ("checkpoint.keep", "2", "checkpoint.keep: the checkpoint has 3, the configuration 2"),
            ]
            let result = try place.train(changes.map { "\($0.0)=\($0.1)" }, ranks: 2)
            #expect(result.status == 0, "\(result)")
            let logged = result.outputLines.filter { $0.hasPrefix("changed since the checkpoint: ") }
            for change in changes {
                #expect(logged.contains { $0.contains(change.2) }, "\(change.0): \(result)")
            }
            // Data go on where they were: 3 steps of 10 sequences, then 5 of 6.
            let inspection = try place.inspect(Self.checkpoints)
            #expect(inspection.object.number("position") == 60)
            #expect(inspection.object.number("tokens") == Double(60 * Workplace.sequenceLength))
        }

        @Test func secondJobIsRefused() throws {
            let place = try Workplace()
            let first = try place.start(place.arguments([ExitStatusTests.endless]))
            #expect(place.waitForRows(3, of: first), "\(first.outputSoFar)")
            for ranks in [1, 2] {
                let second = try place.train(ranks: ranks)
                expectOneMessage(
                    second, status: 2,
                    names: ["runs/run/lock", "another job", "host ", "pid \(first.processIdentifier)", "job none"])
            }
            #expect(first.isRunning)
            // The lock is the process's: it goes with a job that is killed.
            first.signal(SIGKILL)
            _ = first.wait()
            #expect(try place.train(["schedule.total_steps=4"]).status == 0)
        }

        @Test func aSharedCheckpointDirectoryHasALockToo() throws {
            let place = try Workplace()
            let set = [ExitStatusTests.endless, "checkpoint.directory=shared"]
            let first = try place.start(place.arguments(set))
            #expect(place.waitForRows(2, of: first))
            let second = try place.train(["checkpoint.directory=shared", "logging.directory=runs/other"])
            expectOneMessage(second, status: 2, names: ["checkpoint.directory", "shared/lock", "another job"])
            first.signal(SIGTERM)
            #expect(first.wait(limit: 20).status == 75)
        }

        @Test func initializeFromTakesWeightsOnly() throws {
            let place = try trained()
            let set = [
                "logging.directory=tuned", "checkpoint.initial=true", "training.seed=77",
                "optimizer.learning_rate=1.0e-4", "schedule.total_steps=2",
            ]
            let result = try place.train(set, options: ["--initialize-from", Self.checkpoints], ranks: 3)
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("weights of \(Self.checkpoints)/step-00000003"), "\(result)")
            let source = try place.inspect(Self.checkpoints)
            let start = try place.inspect("tuned/checkpoints/step-00000000")
            #expect(start.object.number("step") == 0 && start.object.number("position") == 0)
            #expect(start.hashes("parameter") == source.hashes("parameter"))
            // All-zero moments hash alike whichever they are; the source's do not.
            #expect(start.hashes("first_moment") == start.hashes("second_moment"))
            #expect(source.hashes("first_moment") != source.hashes("second_moment"))
            #expect(try place.metrics("tuned").steps.keys.sorted() == [1, 2])

            let other = try place.train(
                ["logging.directory=wide", "model.hidden_size=64"], options: ["--initialize-from", Self.checkpoints])
            expectOneMessage(
                other, status: 2,
                names: [
                    "--initialize-from", "configured model",
                    "model.hidden_size: the checkpoint has 32, the configuration 64",
                ])
            // The same tensors, and another function.
            let heads = try place.train(
                ["logging.directory=heads", "model.num_attention_heads=2", "model.rope_theta=500.0"],
                options: ["--initialize-from", Self.checkpoints], ranks: 2)
            expectOneMessage(
                heads, status: 2,
                names: ["num_attention_heads: the checkpoint has 4", "model.rope_theta: the checkpoint has 10000.0"])
            // A requeued job is given the same command: now it continues its own run.
            let again = try place.train(set, options: ["--initialize-from", Self.checkpoints])
            #expect(again.output.contains("nothing to do"), "\(again)")
        }

        /// A skipped step changes neither weights nor moments: what four ranks wrote, one rank reads and writes again.
        @Test func tensorsSurviveAnotherNumberOfRanks() throws {
            let place = try Workplace(.sharded)
            #expect(try place.train(["training.stop_at_step=2"], ranks: 4).status == 0)
            let before = try place.inspect("\(Self.checkpoints)/step-00000002")
            #expect(before.object.number("ranks_written") == 4)
            let skipping = try place.train(["training.stop_at_step=3", "loss.gamma=1.0e6"])
            #expect(skipping.status == 0, "\(skipping)")
            let after = try place.inspectByProgram("\(Self.checkpoints)/step-00000003", ranks: 3)
            #expect(after.object.number("ranks_written") == 1)
            for role in ["parameter", "first_moment", "second_moment"] {
                #expect(after.hashes(role) == before.hashes(role), "\(role)")
                #expect(after.hashes(role).count == 4 * 9 + 3)
            }
            // The hashes tell checkpoints apart.
            #expect(try place.train(["training.stop_at_step=4"]).status == 0)
            let moved = try place.inspect("\(Self.checkpoints)/step-00000004")
            #expect(moved.hashes("parameter").allSatisfy { before.hashes("parameter")[$0.key] != $0.value })
        }

        /// A new run in a directory whose checkpoints were moved away keeps the rows of the old one, elsewhere.
        @Test func earlierMetricsAreMovedAside() throws {
            let place = try trained([])
            try place.folder.move(Self.checkpoints, to: "elsewhere")
            let rows = try place.folder.text("runs/run/metrics.jsonl")
            let result = try place.train(["schedule.total_steps=2"])
            #expect(result.output.contains("runs/run/metrics.1.jsonl"), "\(result)")
            #expect(try place.folder.text("runs/run/metrics.1.jsonl") == rows)
            #expect(try place.metrics().steps.keys.sorted() == [1, 2])
        }
    }
}
