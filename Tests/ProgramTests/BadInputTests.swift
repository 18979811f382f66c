// BadInputTests - a mistake is one message that names it, a status, and an end on every rank.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct BadInputTests {
        /// A mistake, and what the message about it must name.
        struct Mistake: Sendable, CustomTestStringConvertible {
            let name: String
            /// Makes the mistake's files.
            var prepare: @Sendable (Workplace) throws -> Void = { _ in }
            var arguments = ["run.yaml"]
            let names: [String]

            var testDescription: String { name }

            static func set(_ overrides: String...) -> [String] { ["run.yaml"] + overrides.flatMap { ["--set", $0] } }
        }

        static let mistakes: [Mistake] = [
            Mistake(
                name: "unknown key",
                prepare: { try $0.folder.write(Workplace.configuration() + "logging: {evry: 2}\n", to: "run.yaml") },
                names: ["run.yaml:13: logging.evry", "unknown key", "allowed: directory, every", "logging.every?"]),
            Mistake(
                name: "wrong type",
                prepare: { try $0.folder.write(Workplace.configuration() + "loss: {gamma: two}\n", to: "run.yaml") },
                names: ["run.yaml:13: loss.gamma", "\"two\" (string)", "allowed: a finite number"]),
            Mistake(
                name: "several at once", arguments: Mistake.set("loss.sigma=x", "training.seed=-1"),
                names: ["loss.sigma", "training.seed", "-1"]),
            Mistake(
                name: "missing data", arguments: Mistake.set("data.train.0.path=absent.txt"),
                names: ["data.train[0].path", "absent.txt", "no such file"]),
            Mistake(
                name: "missing prepared data", arguments: Mistake.set("data.validation.0.path=absent"),
                names: [
                    "data.validation[0].path", "absent",
                    "allowed: a .txt, .jsonl, .json or .ndjson (each also with .zst or .gz) file",
                ]),
            Mistake(
                name: "no data", arguments: Mistake.set("data.train=[]"),
                names: ["data.train", "an empty list", "at least one"]),
            Mistake(
                name: "empty data", prepare: { try $0.folder.write("", to: "text.txt") },
                names: ["data.train[0].path", "text.txt", "the file is empty"]),
            Mistake(
                name: "shorter than one sequence", prepare: { try $0.folder.write("fifteen letters", to: "text.txt") },
                names: ["data.train[0].path", "text.txt", "16 tokens", "no whole sequence", "at least 17"]),
            Mistake(
                name: "token ids beyond the vocabulary",
                prepare: {
                    try $0.folder.writePrepared([5, 256, 300] + [UInt16](repeating: 7, count: 40), to: "pair")
                },
                arguments: Mistake.set("data.train.0.path=pair"),
                names: [
                    "data.train[0].path", "pair.bin", "position 2", "id 300", "model.vocab_size 257 allows 0 to 256",
                ]),
            Mistake(
                name: "heads that do not divide", arguments: Mistake.set("model.num_attention_heads=5"),
                names: ["model.num_attention_heads", "5", "model.hidden_size 32", "a divisor of 32"]),
            Mistake(
                name: "a model larger than any",
                arguments: Mistake.set("model.hidden_size=1048576", "model.num_hidden_layers=8192"),
                names: ["model.hidden_size", "1048576", "parameters"]),
            Mistake(
                name: "a model larger than the machine",
                arguments: Mistake.set("model.hidden_size=65536", "model.intermediate_size=262144"),
                names: ["needs", "available", "micro_batch_size"]),
            Mistake(
                name: "zero size", arguments: Mistake.set("model.hidden_size=0"),
                names: ["model.hidden_size", "found 0", "an integer from 1"]),
            Mistake(
                name: "negative size", arguments: Mistake.set("training.micro_batch_size=-4"),
                names: ["training.micro_batch_size", "found -4", "an integer from 1"]),
            // A file in the way is what nobody may write through, root included.
            Mistake(
                name: "unwritable run directory", prepare: { try $0.folder.write("", to: "occupied") },
                arguments: Mistake.set("logging.directory=occupied/run"), names: ["logging.directory", "occupied"]),
            Mistake(
                name: "file as the run directory", prepare: { try $0.folder.write("", to: "occupied") },
                arguments: Mistake.set("logging.directory=occupied"), names: ["logging.directory", "occupied"]),
            Mistake(
                name: "unwritable checkpoint directory", prepare: { try $0.folder.write("", to: "occupied") },
                arguments: Mistake.set("checkpoint.directory=occupied/here"),
                names: ["checkpoint.directory", "occupied"]),
            Mistake(
                name: "file as the checkpoint directory", prepare: { try $0.folder.write("", to: "occupied") },
                arguments: Mistake.set("checkpoint.directory=occupied"), names: ["checkpoint.directory", "occupied"]),
            Mistake(
                name: "missing configuration", arguments: ["absent.yaml"],
                names: ["absent.yaml", "no such configuration file"]),
            Mistake(name: "directory as configuration", arguments: ["."], names: [".", "directory", "YAML file"]),
            Mistake(
                name: "no YAML", prepare: { try $0.folder.write("model: {hidden_size: 3", to: "run.yaml") },
                names: ["run.yaml:2", "not YAML"]),
            Mistake(
                name: "override without a value", arguments: Mistake.set("training.seed"),
                names: ["--set training.seed", "KEY=VALUE"]),
            Mistake(
                name: "override of an unknown key", arguments: Mistake.set("training.sed=3"),
                names: ["--set training.sed=3", "unknown key", "training.seed?"]),
            Mistake(
                name: "unknown option", arguments: ["run.yaml", "--resum", "never"], names: ["--resum", "Usage"]),
            Mistake(
                name: "batch that reference ranks do not divide",
                arguments: Mistake.set("loss.normalization=reference", "loss.reference_ranks=3"),
                names: ["training.global_batch_size", "10", "loss.reference_ranks 3", "a multiple of 12"]),
        ]

        @Test(arguments: mistakes)
        func isOneMessage(mistake: Mistake) throws {
            // Both at once: most of the time is mpirun's, waiting.
            let started = try [1, 4].map { ranks in
                let place = try Workplace()
                try mistake.prepare(place)
                return (place, try place.start(mistake.arguments, ranks: ranks))
            }
            for (place, program) in started {
                let result = program.wait(limit: 30)
                expectOneMessage(result, status: 2, names: mistake.names)
                #expect(!place.folder.exists("runs/run/metrics.jsonl"), "\(result)")
            }
        }

        /// What depends on the number of ranks: 10 sequences are no multiple of 4 ranks with micro-batches of 4.
        @Test func batchThatTheRanksDoNotDivide() throws {
            let place = try Workplace()
            let result = try place.train(["loss.normalization=reference"], ranks: 4)
            expectOneMessage(result, status: 2, names: ["training.global_batch_size 10", "4 ranks", "reference_ranks"])
        }

        @Test(arguments: [1, 4]) func checkpointOfAnotherModel(ranks: Int) throws {
            let place = try Workplace()
            #expect(try place.train(["schedule.total_steps=2"]).status == 0)
            let before = place.folder.everything()
            let result = try place.train(
                ["model.hidden_size=64", "model.num_hidden_layers=3", "training.seed=6"], ranks: ranks)
            expectOneMessage(
                result, status: 2,
                names: [
                    "model.hidden_size: the checkpoint has 32, the configuration 64",
                    "model.num_hidden_layers: the checkpoint has 2, the configuration 3",
                    "training.seed: the checkpoint has 5, the configuration 6", "--initialize-from",
                ])
            #expect(place.folder.everything() == before)
        }

        /// Ranks do not start at the same moment: one that leaves first must not silence rank 0.
        @Test func slowFirstRankStillSpeaks() throws {
            let place = try Workplace()
            let program = RunningProgram.executable
            let result = try RunningProgram(
                tool: "/usr/bin/env",
                [
                    "mpirun", "--oversubscribe", "-n", "1", "sh", "-c", "sleep 0.5; exec '\(program)' --bogus", ":",
                    "-n", "2", program, "--bogus",
                ], in: place.folder.path
            ).wait(limit: 30)
            expectOneMessage(result, status: 2, names: ["--bogus"])
        }
    }
}

extension ProgramTests.BadInputTests {
    /// What is read all the same is a warning, once for a text that two lists name.
    @Test func aTextForTrainingAndValidationIsWarnedAboutOnce() throws {
        let place = try Workplace()
        try place.folder.write([0xFF, 0xFE] + [UInt8](repeating: 0x61, count: 400), to: "wide.txt")
        let result = try place.train(
            ["data.train.0.path=wide.txt", "data.validation.0.path=wide.txt"], options: ["--dry-run"])
        #expect(result.status == 0, "\(result)")
        #expect(result.warnings.count { $0.contains("wide.txt: the text is UTF-16") } == 1, "\(result)")
    }
}

/// Checks that a program ended in time with `status` and exactly one message, which names all of `names`.
func expectOneMessage(
    _ result: ProgramResult, status: Int32, names: [String], sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(!result.timedOut && result.status == status, "\(result)", sourceLocation: sourceLocation)
    #expect(result.messages.count == 1, "\(result)", sourceLocation: sourceLocation)
    for name in names {
        #expect(result.errors.contains(name), "\(name) is not named: \(result)", sourceLocation: sourceLocation)
    }
}

extension TemporaryFolder {
    /// Writes a prepared pair of one document, Megatron's indexed dataset with 16-bit ids.
    func writePrepared(_ ids: [UInt16], to prefix: String) throws {
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
            (0..<(value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        try write(ids.flatMap { bytes($0) }, to: prefix + ".bin")
        let header: [UInt8] = Array("MMIDIDX".utf8) + [0, 0] + bytes(UInt64(1)) + [8]
        let counts = bytes(UInt64(1)) + bytes(UInt64(2))
        let sequences = bytes(Int32(ids.count)) + bytes(Int64(0))
        try write(header + counts + sequences + bytes(Int64(0)) + bytes(Int64(1)), to: prefix + ".idx")
    }
}
