// DiskFullTests - a run whose disk is full trains on, and saves again when there is space.

import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct DiskFullTests {
        @Test(.enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"))
        func trainsOnAndSavesOnceThereIsSpace() throws {
            let place = try Workplace(.sharded)
            // A checkpoint takes 3.4 MiB: two fit, and so does the third, before an old one is removed.
            let disk = try SmallDisk(in: place.folder, "small", mebibytes: 12)
            defer { withExtendedLifetime(disk) {} }
            let set = [
                ExitStatusTests.endless, "checkpoint.every=10", "checkpoint.keep=2", "checkpoint.directory=small/saved",
            ]
            let program = try place.start(place.arguments(set), ranks: 2)
            let directory = "small/saved"
            func waitFor(_ condition: () -> Bool) -> Bool {
                RunningProgram.poll(limit: 60) { condition() || !program.isRunning } && program.isRunning
            }
            #expect(waitFor { !place.checkpoints(directory).isEmpty }, "\(program.outputSoFar)")

            // Again and again, because a save that succeeds meanwhile makes room by removing an old checkpoint.
            func fillUntil(_ condition: () -> Bool) -> Bool {
                waitFor {
                    disk.fill()
                    return condition()
                }
            }
            #expect(fillUntil { program.errorsSoFar.contains(Self.survived) }, "\(program.outputSoFar)")
            // It trains on, past further saves.
            let rows = place.rowCount()
            #expect(fillUntil { place.rowCount() >= rows + 30 }, "\(program.outputSoFar)")
            let newest = try Self.newestOfGood(directory, place, program)

            disk.empty()
            #expect(waitFor { (place.checkpoints(directory).last ?? "") > newest }, "\(program.outputSoFar)")
            program.signal(SIGUSR1)
            let result = program.wait(limit: 30)
            #expect(result.status == 75 && !result.timedOut, "\(result)")
            #expect(result.messages == [], "\(result)")
            let failures = result.warnings.filter { $0.contains(Self.survived) }
            for failure in failures {
                for part in ["the save of step ", "rank ", "No space left on device", "; the next save is at step "] {
                    #expect(failure.contains(part), "\(failure)")
                }
            }
            #expect(place.folder.names(in: directory).allSatisfy { !$0.hasSuffix(".partial") })

            let last = try #require(try place.metrics().steps.keys.max())
            let again = try place.train(set + ["training.stop_at_step=\(last + 1)"], ranks: 2)
            #expect(again.status == 0, "\(again)")
            #expect(again.output.contains(", step \(last)\n"), "\(again)")
            _ = try place.inspect(directory)
        }

        /// The run directory itself is on the full disk: rows wait, and none is missing or doubled in the end.
        @Test(.enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"))
        func rowsOfMetricsWaitForSpace() throws {
            let place = try Workplace(.sharded)
            let disk = try SmallDisk(in: place.folder, "small", mebibytes: 12)
            defer { withExtendedLifetime(disk) {} }
            let set = [
                ExitStatusTests.endless, "checkpoint.every=10", "checkpoint.keep=2", "logging.every=1",
                "logging.directory=small/run", "checkpoint.directory=small/run/checkpoints",
            ]
            let program = try place.start(place.arguments(set), ranks: 2)
            func steps() -> Int { program.outputSoFar.matches(of: /step \d+\//).count }
            func fillUntil(_ condition: () -> Bool) -> Bool {
                RunningProgram.poll(limit: 60) {
                    disk.fill()
                    return condition() || !program.isRunning
                } && program.isRunning
            }
            #expect(place.waitForRows(2, in: "small/run", of: program), "\(program.outputSoFar)")
            let waits = "small/run/metrics.jsonl cannot be written: "
            #expect(fillUntil { program.errorsSoFar.contains(waits) }, "\(program.outputSoFar)")
            let before = steps()
            #expect(fillUntil { steps() >= before + 30 }, "\(program.outputSoFar)")
            disk.empty()
            let again = "small/run/metrics.jsonl is written again, with the "
            #expect(
                RunningProgram.poll(limit: 60) { program.errorsSoFar.contains(again) || !program.isRunning },
                "\(program.outputSoFar)")
            program.signal(SIGUSR1)
            let result = program.wait(limit: 30)
            #expect(result.status == 75 && !result.timedOut && result.messages == [], "\(result)")
            let rows = try place.folder.text("small/run/metrics.jsonl").split(separator: "\n")
                .compactMap { $0.firstMatch(of: /^\{"step": (\d+), "tokens"/).flatMap { Int($0.1) } }
            #expect(rows.count > before + 30 && rows == Array(1...rows.count), "\(rows)")
        }

        @Test(.enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"))
        func rowsThatAreMissingAtTheEndAreAnError() throws {
            let place = try Workplace(.sharded)
            let disk = try SmallDisk(in: place.folder, "small", mebibytes: 12)
            defer { withExtendedLifetime(disk) {} }
            let set = ["logging.directory=small/run", "checkpoint.directory=saved"]
            // What is free in the last page of the file takes some rows.
            let program = try place.start(place.arguments(set + ["schedule.total_steps=400"]), ranks: 2)
            #expect(place.waitForRows(2, in: "small/run", of: program), "\(program.outputSoFar)")
            #expect(
                RunningProgram.poll(limit: 60) {
                    disk.fill()
                    return !program.isRunning
                })
            let result = program.wait(limit: 30)
            expectOneMessage(
                result, status: 1, names: ["small/run/metrics.jsonl cannot be written: ", " rows are lost"])
            #expect(place.checkpoints("saved").last == "step-00000400")
            // The last evaluation is among the lost rows: the next start makes up for it.
            disk.empty()
            let again = try place.train(set + ["schedule.total_steps=400"], ranks: 2)
            #expect(again.status == 0 && again.output.contains("evaluation after step 400"), "\(again)")
            let rows = try place.folder.text("small/run/metrics.jsonl")
            #expect(rows.contains("{\"step\": 400, \"validation_ce\": "))
            let third = try place.train(set + ["schedule.total_steps=400"], ranks: 2)
            #expect(third.status == 0 && !third.output.contains("evaluation after step 400"), "\(third)")
        }

        /// Inspects all checkpoints, while the ranks stand still so that none is removed meanwhile.
        private static func newestOfGood(
            _ directory: String, _ place: Workplace, _ program: RunningProgram
        ) throws -> String {
            let processes = program.rankProcesses().values
            #expect(processes.count == 2)
            for process in processes { kill(process, SIGSTOP) }
            defer { for process in processes { kill(process, SIGCONT) } }
            let names = place.checkpoints(directory)
            for name in names {
                #expect(try place.inspect("\(directory)/\(name)").object.number("ranks_written") == 2)
            }
            return try #require(names.last)
        }

        /// The last save of a run has to succeed.
        @Test(.enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"))
        func aLastSaveWithoutSpaceIsAnError() throws {
            let place = try Workplace(.sharded)
            let disk = try SmallDisk(in: place.folder, "small", mebibytes: 12)
            defer { withExtendedLifetime(disk) {} }
            let set = ["checkpoint.directory=small/saved"]
            #expect(try place.train(set + ["training.stop_at_step=2"], ranks: 2).status == 0)
            disk.fill()
            let result = try place.train(set + ["training.stop_at_step=4"], ranks: 2)
            expectOneMessage(
                result, status: 1,
                names: [
                    "step 4 could not be saved: rank ", "No space left on device", "free space",
                    "The newest good checkpoint is small/saved/step-00000002.",
                ])
            #expect(place.checkpoints("small/saved") == ["step-00000002"])
            disk.empty()
            let again = try place.train(set + ["training.stop_at_step=4"], ranks: 2)
            #expect(again.status == 0 && again.output.contains(", step 2\n"), "\(again)")
        }

        /// Too small for a checkpoint, at the shard or at the index: every save fails, and none spoils what follows.
        @Test(
            .enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"),
            arguments: [(200, 1), (200, 2), (450, 1), (450, 2)])
        func everySaveFailsAndTheEndIsClean(kibibytes: Int, ranks: Int) throws {
            let place = try Workplace()
            let disk = try SmallDisk(in: place.folder, "small", kibibytes: kibibytes)
            defer { withExtendedLifetime(disk) {} }
            let result = try place.train(
                ["logging.directory=run", "checkpoint.directory=small/saved", "checkpoint.every=2"], ranks: ranks)
            expectOneMessage(
                result, status: 1,
                names: [
                    "step 6 could not be saved: rank ", "No space left on device",
                    "There is no checkpoint of this run.",
                ])
            for step in [2, 4] {
                #expect(result.warnings.contains { $0.contains("the save of step \(step) failed: ") }, "\(result)")
            }
            #expect(place.folder.names(in: "small/saved").allSatisfy { !$0.hasPrefix("step") })
        }

        /// The limit holds for the program alone: mpirun writes files too.
        @Test(arguments: [(1, 100), (2, 20_000)]) func aLimitOnTheSizeOfFiles(ranks: Int, kibibytes: Int) throws {
            let place = try Workplace()
            // Two ranks share memory in a file that is larger than a shard.
            let sizes = ranks == 1 ? [] : ["model.vocab_size=60000"]
            let script = "ulimit -f \(2 * kibibytes) && exec \"$0\" \"$@\""
            let arguments = ["-c", script, RunningProgram.executable] + place.arguments(["checkpoint.every=2"] + sizes)
            let result =
                ranks == 1
                ? try RunningProgram(tool: "/bin/sh", arguments, in: place.folder.path).wait(limit: 60)
                : try RunningProgram(
                    tool: "/usr/bin/env", ["mpirun", "--oversubscribe", "-n", "\(ranks)", "/bin/sh"] + arguments,
                    in: place.folder.path
                ).wait(limit: 60)
            expectOneMessage(
                result, status: 1, names: ["step 6 could not be saved: rank ", "File too large; see ulimit -f"])
        }

        private static let survived = "training goes on"
    }
}
