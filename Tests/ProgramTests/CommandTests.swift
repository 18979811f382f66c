// CommandTests - help, version, print-config, dry-run, inspect and generate.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct CommandTests {
        private static let checkpoints = "runs/run/checkpoints"

        /// Every command that does work itself, and the program.
        private static let commands: [[String]] = [
            [], ["train"], ["eval"], ["generate"], ["inspect"], ["export"], ["import"], ["tokenizer", "train"],
            ["tokenizer", "encode"], ["tokenizer", "decode"], ["prepare"], ["compare"], ["bench", "gemm"],
            ["bench", "kernels"], ["bench", "collectives"], ["bench", "step"], ["plan"], ["doctor"],
        ]

        @Test(arguments: commands)
        func everyCommandHelps(command: [String]) throws {
            let place = try Workplace()
            let result = try place.run(command + ["--help"])
            let name = (["mile-dist"] + command).joined(separator: " ")
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("USAGE: \(name)"), "\(result)")
            // The usage names the command once; an example names it again.
            let example = command.isEmpty ? "mile-dist inspect " : "\(name) "
            #expect(result.output.ranges(of: example).count >= (command.isEmpty ? 1 : 2), "an example: \(result)")
            #expect(result.errors.isEmpty, "\(result)")
        }

        /// The list has each command of the program's help. Why: the help of a new command is then checked too.
        @Test func theListNamesEveryCommand() throws {
            let place = try Workplace()
            func subcommands(of command: [String]) throws -> [[String]] {
                let lines = try place.run(command + ["--help"]).output.split(separator: "\n")
                return lines.drop { $0 != "SUBCOMMANDS:" }.dropFirst()
                    .filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") && !$0.hasPrefix("  See ") }
                    .map { command + $0.split(separator: " ").prefix(1).map(String.init) }
            }
            let all = try subcommands(of: [])
            #expect(all.contains(["inspect"]) && all.contains(["bench"]), "\(all)")
            for command in all {
                let parts = try subcommands(of: command)
                for name in parts.isEmpty ? [command] : parts { #expect(Self.commands.contains(name), "\(name)") }
            }
        }

        @Test func versionIsSaidOnce() throws {
            let place = try Workplace()
            let result = try place.run(["--version"], ranks: 3)
            #expect(result.status == 0, "\(result)")
            #expect(result.outputLines.count { $0.hasPrefix("mile-dist ") } == 1, "\(result)")
            for part in ["built for ", "OpenBLAS", "Open MPI"] { #expect(result.output.contains(part), "\(result)") }
        }

        @Test func unknownCommandsAndOptionsAreStatusTwo() throws {
            let place = try Workplace()
            for arguments in [
                ["inspect"], ["generate", "x"], ["eval", "x", "--data", "y", "--bogus"], ["run.yaml", "x"],
            ] {
                let result = try place.run(arguments)
                expectOneMessage(result, status: 2, names: ["Usage: mile-dist"])
                #expect(result.output.isEmpty, "\(result)")
            }
        }

        @Test(arguments: [
            ["eval", "x", "--data", "y"], ["generate", "x", "--prompt", "y"],
            ["prepare", "x.txt", "--tokenizer", "bytes", "--output", "y"],
            ["tokenizer", "train", "x.txt", "--output", "y"], ["bench", "gemm"], ["bench", "kernels"],
            ["bench", "collectives"],
        ])
        func negativeThreadsAreRefusedInOneSentence(command: [String]) throws {
            let name = command.prefix { !$0.hasPrefix("x") }.joined(separator: " ")
            expectOneMessage(
                try Workplace().run(command + ["--threads=-1"]), status: 2,
                names: ["mile-dist: --threads: -1 found; allowed: 0 or more.\n", "Usage: mile-dist \(name) "])
        }

        @Test func printedConfigurationLoadsToItself() throws {
            let place = try Workplace()
            let before = place.folder.everything()
            let set = ["--set", "loss.kind=focal", "--set", "optimizer.learning_rate=3.14159265e-4"]
            let first = try place.run(["train", "run.yaml", "--print-config"] + set, ranks: 3)
            #expect(first.status == 0, "\(first)")
            #expect(place.folder.everything() == before)
            #expect(first.output.contains("kind: focal"), "\(first)")
            #expect(first.output.contains("directory: \"runs/run/checkpoints\""), "\(first)")
            try place.folder.write(first.output, to: "again.yaml")
            let second = try place.run(["again.yaml", "--print-config"])
            #expect(second.output == first.output, "\(second)")
        }

        @Test func runDirectoryHoldsTheResolvedConfiguration() throws {
            let place = try Workplace()
            let set = ["schedule.total_steps=2", "loss.sigma=0.5"]
            let printed = try place.run(place.arguments(set, ["--print-config"]))
            #expect(try place.train(set).status == 0)
            #expect(try place.folder.text("runs/run/configuration.yaml") == printed.output)
        }

        @Test func dryRunWritesNothing() throws {
            let place = try Workplace(.sharded)
            let before = place.folder.everything()
            let result = try place.train(options: ["--dry-run"], ranks: 4)
            #expect(result.status == 0, "\(result)")
            #expect(place.folder.everything() == before)
            for part in ["291,520 parameters, 4 ranks", "memory per rank: ", "layout: ", "in 4 shards"] {
                #expect(result.output.contains(part), "\(part): \(result)")
            }
            let bad = try place.train(["data.train.0.path=absent.txt"], options: ["--dry-run"])
            expectOneMessage(bad, status: 2, names: ["absent.txt"])
        }

        /// The name of the configuration names the run directory; data paths start at the working directory.
        @Test func defaultDirectories() throws {
            let place = try Workplace()
            try place.folder.write(Workplace.configuration(), to: "folder/small.model.yaml")
            let result = try place.run(["folder/small.model.yaml"])
            #expect(result.status == 0, "\(result)")
            #expect(
                place.folder.names(in: "runs/small.model")
                    == ["checkpoints", "configuration.yaml", "lock", "metrics.jsonl", "starts.jsonl"])
            #expect(place.checkpoints("runs/small.model/checkpoints") == ["step-00000006"])
            #expect(try place.train(["logging.directory=a/b"]).status == 0)
            #expect(place.checkpoints("a/b/checkpoints") == ["step-00000006"])
            #expect(try place.train(["logging.directory=c", "checkpoint.directory=d"]).status == 0)
            #expect(place.checkpoints("d") == ["step-00000006"])
            #expect(place.folder.names(in: "c") == ["configuration.yaml", "lock", "metrics.jsonl", "starts.jsonl"])
        }

        @Test func inspectSaysWhatACheckpointHolds() throws {
            let place = try Workplace()
            #expect(try place.train(ranks: 2).status == 0)
            let inspection = try place.inspectByProgram(Self.checkpoints)
            let object = inspection.object
            #expect(
                object.keys == ["format", "step", "position", "tokens", "ranks_written", "configuration", "tensors"])
            #expect(object.number("step") == 6 && object.number("position") == 60 && object.number("tokens") == 960)
            #expect(object.number("ranks_written") == 2)
            #expect(try object.object("configuration").object("training").number("seed") == 5)
            #expect(inspection.tensors.count == 2 * 9 + 3)
            #expect(inspection.tensors["lm_head.weight"]?.numbers("shape") == [257, 32])
            #expect(inspection.tensors["model.layers.1.self_attn.k_proj.weight"]?.numbers("shape") == [16, 32])
            for (name, tensor) in inspection.tensors {
                #expect(tensor.keys == ["shape", "parameter", "first_moment", "second_moment"], "\(name)")
                for role in ["parameter", "first_moment", "second_moment"] {
                    let hash = tensor.string(role) ?? ""
                    #expect(hash.count == 64 && hash.allSatisfy(\.isHexDigit), "\(name) \(role)")
                }
            }
            let step = try place.inspectByProgram("\(Self.checkpoints)/step-00000006", ranks: 2)
            #expect(step.object.text == object.text)
            // Other tests inspect in their own process: the program adds the end of the line.
            #expect(try place.inspect(Self.checkpoints).object.text + "\n" == object.text)
            let words = try place.run(["inspect", Self.checkpoints])
            #expect(words.output.contains("verified") && words.output.contains("lm_head.weight"), "\(words)")
        }

        /// A tied head is the embedding itself: there is no second tensor.
        @Test func tiedHeadIsNoTensor() throws {
            let place = try Workplace()
            #expect(
                try place.train(["model.tie_word_embeddings=true", "schedule.total_steps=2"], ranks: 2).status == 0)
            let tensors = try place.inspect(Self.checkpoints).tensors
            #expect(tensors["lm_head.weight"] == nil && tensors.count == 2 * 9 + 2)
        }

        @Test func generateContinuesThePrompt() throws {
            let place = try Workplace()
            #expect(try place.train(["schedule.total_steps=60", "optimizer.learning_rate=1.0e-2"]).status == 0)
            func generate(_ options: String...) throws -> String {
                let arguments = ["generate", Self.checkpoints, "--prompt", "the sh", "--max-tokens", "20"]
                let result = try place.run(arguments + options)
                #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
                #expect(result.output.hasPrefix("the sh"), "\(result)")
                return result.output
            }
            let greedy = try generate("--temperature", "0")
            #expect(greedy.utf8.count == 6 + 20 + 1, "\(greedy)")
            #expect(try generate("--temperature", "0", "--seed", "8") == greedy)
            #expect(try generate("--top-k", "1", "--seed", "3") == greedy)
            let sampled = try generate("--seed", "3")
            #expect(try generate("--seed", "3") == sampled)
            // 20 tokens of a model that has seen 60 steps: equal only if the seed did nothing.
            #expect(try generate("--seed", "4") != sampled)

            // The end of the context is not the end of the text, which stays as it is.
            let whole = ["generate", Self.checkpoints, "--prompt", "the sh", "--temperature", "0", "--max-tokens"]
            let full = try place.run(whole + ["27"])
            #expect(full.status == 0 && full.output.utf8.count == 32 + 1, "\(full)")
            #expect(full.warnings.count == 1 && full.errors.contains("context is full"), "\(full)")
            #expect(full.errors.contains("32 tokens of its max_position_embeddings"), "\(full)")
            let fitting = try place.run(whole + ["26"])
            #expect(fitting.output == full.output && fitting.errors.isEmpty, "\(fitting)")

            let long = try place.run(["generate", Self.checkpoints, "--prompt", Workplace.words(10, seed: 1)])
            expectOneMessage(long, status: 2, names: ["--prompt", "32 positions"])
            let cold = try place.run(["generate", Self.checkpoints, "--prompt", "a", "--temperature=-1"])
            expectOneMessage(cold, status: 2, names: ["--temperature", "0 or more"])
        }
    }
}
