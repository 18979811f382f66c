// LaunchTests - commands without ranks in every environment, and builds that differ.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct LaunchTests {
        private static let checkpoints = "runs/run/checkpoints"

        /// The variables that mpirun gives to the second of two ranks of a job that has ended.
        private func leftovers(_ place: Workplace) throws -> [String: String] {
            let result = try RunningProgram(
                tool: "/usr/bin/env",
                ["mpirun", "--oversubscribe", "-n", "2", "/bin/sh", "-c", "env > environment.$OMPI_COMM_WORLD_RANK"],
                in: place.folder.path
            ).wait(limit: 30)
            #expect(result.status == 0, "\(result)")
            var variables: [String: String] = [:]
            for line in try place.folder.text("environment.1").split(separator: "\n") {
                guard let equals = line.firstIndex(of: "=") else { continue }
                let name = String(line[..<equals])
                guard name.hasPrefix("PMIX_") || name.hasPrefix("OMPI_") else { continue }
                variables[name] = String(line[line.index(after: equals)...])
            }
            #expect(variables["PMIX_RANK"] == "1")
            return variables
        }

        @Test func commandsWithoutRanksNeedNoLauncher() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let variables = try leftovers(place)
            let commands: [[String]] = [
                ["--version"], ["inspect", Self.checkpoints], ["train", "run.yaml", "--print-config"],
                ["train", "--help-keys"], ["train", "run.yaml", "--print-order", "1"],
                ["plan", "run.yaml", "--ranks", "2", "--gflops", "10"],
                ["tokenizer", "encode", "--tokenizer", "bytes", "text.txt"],
                ["export", Self.checkpoints, "--output", "out"], ["import", "out", "--output", "imported"],
            ]
            for arguments in commands {
                let result = try place.start(arguments, variables: variables).wait()
                #expect(result.status == 0 && !result.outputLines.isEmpty, "\(result)")
                #expect(!result.errors.contains("PMIX"), "\(result)")
            }
            let bad = try place.start(["compare", "nowhere"], variables: variables).wait()
            expectOneMessage(bad, status: 2, names: ["nowhere"])
            let unknown = try place.start(["inspect", "x", "--what"], variables: variables).wait()
            expectOneMessage(unknown, status: 2, names: ["--what"])
        }

        /// A shell within a job: the first rank's works as often as it is asked, the others say why they do not.
        @Test func shellsWithinAJob() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let script = "\"$0\" \"$@\"; \"$0\" \"$@\"; true"
            let result = try RunningProgram(
                tool: "/usr/bin/env",
                [
                    "mpirun", "--oversubscribe", "-n", "2", "/bin/sh", "-c", script, RunningProgram.executable,
                    "inspect",
                    Self.checkpoints,
                ], in: place.folder.path
            ).wait(limit: 30)
            #expect(result.status == 0 && !result.timedOut, "\(result)")
            #expect(result.outputLines.filter { $0.hasSuffix("step-00000006: verified") }.count == 2, "\(result)")
            let notes = result.errorLines.filter { $0.contains("OMPI_COMM_WORLD_RANK=1 says") }
            #expect(notes.count == 2, "\(result)")
        }

        /// Wrong arguments are an error on every rank: a rank whose own are wrong does not end with status 0.
        @Test func wrongArgumentsAreAnErrorOnEveryRank() throws {
            let place = try Workplace()
            let shells = try RunningProgram(
                tool: "/usr/bin/env",
                [
                    "mpirun", "--oversubscribe", "-n", "2", "/bin/sh", "-c",
                    "\"$0\" \"$@\"; echo \"status $?\"; true", RunningProgram.executable, "inspect", "x", "--what",
                ], in: place.folder.path
            ).wait(limit: 30)
            #expect(shells.status == 0 && shells.outputLines == ["status 2", "status 2"], "\(shells)")
            #expect(shells.errorLines.filter { $0.contains("'--what'") }.count == 1, "\(shells)")
            #expect(shells.errorLines.filter { $0.contains("the arguments are wrong: ") }.count == 1, "\(shells)")
            // The second rank's alone are wrong.
            let second = try RunningProgram(
                tool: "/usr/bin/env",
                [
                    "mpirun", "--oversubscribe", "-n", "1", RunningProgram.executable, "--version", ":", "-n", "1",
                    RunningProgram.executable, "--what",
                ], in: place.folder.path
            ).wait(limit: 30)
            expectOneMessage(second, status: 2, names: ["--what"])
            #expect(second.outputLines.filter { $0.hasPrefix("mile-dist ") }.count == 1, "\(second)")
        }

        /// Control for the time that silent ranks wait: with one second the first rank would be ended before its message.
        @Test func aLateFirstRankKeepsItsMessage() throws {
            let place = try Workplace()
            let result = try RunningProgram(
                tool: "/usr/bin/env",
                [
                    "mpirun", "--oversubscribe", "-n", "1", "/bin/sh", "-c", "sleep 4; exec \"$0\" \"$@\"",
                    RunningProgram.executable, "inspect", "x", "--first", ":", "-n", "1", RunningProgram.executable,
                    "inspect", "x", "--second",
                ], in: place.folder.path
            ).wait(limit: 30)
            expectOneMessage(result, status: 2, names: ["--first"])
            #expect(!result.errors.contains("--second"), "\(result)")
        }

        /// Only the first rank generates, so that no other one goes on where the reader of the text has gone.
        @Test func textIsOfTheFirstRank() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let arguments = ["generate", Self.checkpoints, "--prompt", "the", "--max-tokens", "4"]
            let alone = try place.run(arguments)
            #expect(alone.status == 0 && alone.output.hasPrefix("the"), "\(alone)")
            let several = try RunningProgram(
                tool: "/usr/bin/env",
                ["mpirun", "--oversubscribe", "-n", "1", RunningProgram.executable] + arguments
                    + [":", "-n", "2", RunningProgram.executable, "generate", "nowhere", "--prompt", "the"],
                in: place.folder.path
            ).wait(limit: 30)
            #expect(several.status == 0 && several.output == alone.output, "\(several)")
            #expect(several.errors.isEmpty, "\(several)")
        }

        /// mpirun starts every rank of a command that has none: the first one speaks, and its status counts.
        @Test func ranksOfCommandsWithoutRanks() throws {
            let place = try Workplace()
            let version = try place.run(["--version"], ranks: 3)
            #expect(version.status == 0 && version.outputLines.filter { $0.hasPrefix("mile-dist ") }.count == 1)
            let configuration = try place.run(["train", "run.yaml", "--print-config"], ranks: 2)
            #expect(configuration.outputLines.filter { $0 == "model:" }.count == 1, "\(configuration)")
            let bad = try place.run(["plan", "nowhere.yaml", "--ranks", "2"], ranks: 3)
            expectOneMessage(bad, status: 2, names: ["nowhere.yaml"])
        }

        /// Another build: the same program with a byte more at its end, which nobody reads.
        @Test func buildsThatDifferAreSaid() throws {
            let place = try Workplace()
            let other = place.folder.path("other")
            try FileManager.default.copyItem(atPath: RunningProgram.executable, toPath: other)
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: other))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data([0]))
            try handle.close()
            func train(_ overrides: [String]) throws -> ProgramResult {
                let arguments = place.arguments(overrides)
                return try RunningProgram(
                    tool: "/usr/bin/env",
                    ["mpirun", "--oversubscribe", "-n", "1", RunningProgram.executable] + arguments + [
                        ":", "-n", "1", other,
                    ]
                        + arguments, in: place.folder.path
                ).wait(limit: 60)
            }
            let result = try train([])
            #expect(result.status == 0 && result.warnings.count == 1, "\(result)")
            for part in ["the ranks run different builds of the program: rank 0 on ", "; rank 1 on ", "SHA-256 "] {
                #expect(result.warnings.first?.contains(part) == true, "\(result)")
            }
            expectOneMessage(
                try train(["training.reproducible=true"]), status: 2,
                names: ["different builds of the program", "training.reproducible"])
        }
    }
}
