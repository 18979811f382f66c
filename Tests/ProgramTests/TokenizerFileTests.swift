// TokenizerFileTests - tokenizer.json through the program: made, used, trained with, kept in checkpoints and exports.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct TokenizerFileTests {
        private static let checkpoints = "runs/run/checkpoints"
        /// What the words of `Workplace` suffice for; the last id ends documents.
        private static let size = 280
        private static let end = "<|endoftext|>"
        private static let overrides = [
            "data.tokenizer=t.json", "data.end_token=\(end)", "model.vocab_size=\(size)", "training.reproducible=true",
        ]

        private func trainTokenizer(_ place: Workplace, _ options: String...) throws -> ProgramResult {
            try place.run(["tokenizer", "train", "text.txt", "--kind", "byte-bpe"] + options)
        }

        /// A workplace with `t.json`, trained on its text.
        private func workplace() throws -> Workplace {
            let place = try Workplace()
            let result = try trainTokenizer(place, "--vocab-size", "\(Self.size)", "--output", "t")
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            #expect(result.output.contains("t.json: \(Self.size) pieces, end token \(Self.size - 1)\n"), "\(result)")
            let needs =
                "data.tokenizer: t.json, data.end_token: \"\(Self.end)\" and model.vocab_size: \(Self.size) or more"
            #expect(result.output.contains(needs), "\(result)")
            return place
        }

        // MARK: - Making one, and lines

        @Test func anyThreadsMakeTheSameFile() throws {
            let place = try workplace()
            let file = try place.folder.bytes("t.json")
            for threads in ["1", "3"] {
                let result = try trainTokenizer(
                    place, "--vocab-size", "\(Self.size)", "--output", "n\(threads).json", "--threads", threads)
                #expect(result.status == 0, "\(result)")
                #expect(try place.folder.bytes("n\(threads).json") == file)
            }
            // Another number of pieces is another file.
            #expect(try trainTokenizer(place, "--vocab-size", "270", "--output", "less").status == 0)
            #expect(try place.folder.bytes("less.json") != file)
            for (options, names) in [
                (["--vocab-size", "256"], ["--vocab-size: 256", "257 or more"]),
                (["--model-type", "unigram"], ["--kind byte-bpe", "--model-type"]),
                (["--no-split-digits"], ["--kind byte-bpe", "--split-digits"]),
            ] {
                let command = ["tokenizer", "train", "text.txt", "--kind", "byte-bpe", "--output", "x"]
                expectOneMessage(try place.run(command + options), status: 2, names: names)
            }
            expectOneMessage(try trainTokenizer(place, "--output", "t"), status: 2, names: ["--output: t.json exists"])
            #expect(!place.folder.exists("x.json"))
        }

        @Test func linesToIdsAndBack() throws {
            let place = try workplace()
            _ = try place.linesToIdsAndBack("t.json", size: Self.size)
            try place.folder.write([0x61, 0xFC, 0x0A], to: "latin.txt")
            let latin = try place.run(["tokenizer", "encode", "--tokenizer", "t.json", "latin.txt"])
            #expect(latin.status == 0 && latin.output.hasSuffix("239 191 189\n"), "\(latin)")
            #expect(latin.warnings.count == 1 && latin.errors.contains("1 bytes in 1 lines"), "\(latin)")
            let pieces = try place.run(["tokenizer", "encode", "--tokenizer", "t.json", "--format", "piece", "in.txt"])
            let words = (pieces.outputLines.first ?? "").split(separator: " ")
            #expect(words.joined() == "the\u{120}ship\u{120}\u{120}sails" && words.count < 16, "\(pieces)")
            try place.folder.write("1 280\n", to: "ids")
            let decoded = try place.run(["tokenizer", "decode", "--tokenizer", "t.json", "ids"])
            expectOneMessage(decoded, status: 2, names: ["ids:1: \"280\" is no id of t.json; allowed: 0 to 279"])
        }

        // MARK: - Training

        /// The text, the prepared text, and a run that goes on with other ranks and a moved file are one training.
        @Test(.twoSlots) func trainsPreparesAndResumes() throws {
            let place = try workplace()
            let prepared = try place.run(
                ["prepare", "--tokenizer", "t.json", "--end-token", Self.end, "--output", "p", "text.txt"], ranks: 2)
            #expect(prepared.status == 0, "\(prepared)")
            let whole = try place.train(Self.overrides + ["data.train.0.path=p", "logging.directory=whole"])
            #expect(whole.status == 0 && whole.warnings.isEmpty, "\(whole)")

            let first = try place.train(Self.overrides + ["training.stop_at_step=2"])
            #expect(first.status == 0, "\(first)")
            // The id is the token too, and the model's copy says that the file is the same.
            try place.folder.move("t.json", to: "elsewhere.json")
            let moved = [
                "data.tokenizer=elsewhere.json", "data.end_token=\(Self.size - 1)", Self.overrides[2],
                Self.overrides[3],
            ]
            let resumed = try place.train(moved, ranks: 3)
            #expect(resumed.status == 0, "\(resumed)")
            #expect(resumed.output.contains("continuing from \(Self.checkpoints)/step-00000002"), "\(resumed)")
            #expect(
                try place.inspect(Self.checkpoints).hashes("parameter")
                    == place.inspect("whole/checkpoints").hashes("parameter"))
            // Bytes are another training.
            #expect(try place.train(["model.vocab_size=280", "logging.directory=bytes"]).status == 0)
            #expect(try place.metrics("bytes").losses(1...6) != place.metrics().losses(1...6))
        }

        /// Everything after training works without the file, also through Hugging Face's.
        @Test func checkpointsHoldTheFile() throws {
            let place = try workplace()
            #expect(try place.train(Self.overrides + ["training.stop_at_step=2"]).status == 0)
            let file = try place.folder.bytes("t.json")
            try place.folder.remove("t.json")
            let result = try place.run(["eval", Self.checkpoints, "--data", "held-out.txt", "--json"])
            #expect(result.status == 0, "\(result)")
            let evaluated = try JSONObject(result.output)
            let bits = try #require(evaluated.number("bits_per_byte"))
            let (ce, tokens) = (try #require(evaluated.number("ce")), try #require(evaluated.number("tokens")))
            // Targets are the text but its first token and what no whole sequence holds.
            let bytes = ce * tokens / (0.693_147_180_559_945_3 * bits)
            let text = try place.folder.bytes("held-out.txt")
            #expect(bytes > Double(text.count) * 0.8 && bytes <= Double(text.count), "\(bytes) of \(text.count)")
            #expect(abs(bytes - bytes.rounded()) < 1e-6 && tokens < bytes)

            let generate = ["--prompt", "the ship", "--temperature", "0", "--max-tokens", "12"]
            let generated = try place.run(["generate", Self.checkpoints] + generate)
            #expect(generated.status == 0 && generated.output.hasPrefix("the ship"), "\(generated)")
            #expect(try place.run(["inspect", Self.checkpoints]).output.contains("tokenizer t.json;"))

            #expect(try place.run(["export", Self.checkpoints, "--output", "hf"]).status == 0)
            #expect(try place.folder.bytes("hf/tokenizer.json") == file)
            #expect(try place.folder.text("hf/tokenizer_config.json").contains("\"eos_token\": \"\(Self.end)\""))
            #expect(try place.folder.text("hf/config.json").contains("\"eos_token_id\": \(Self.size - 1)"))
            let imported = try place.run(["import", "hf", "--output", "imported"])
            #expect(imported.status == 0 && imported.warnings.isEmpty, "\(imported)")
            #expect(imported.output.contains("data: {tokenizer: hf/tokenizer.json}"), "\(imported)")
            #expect(try place.run(["generate", "imported"] + generate).output == generated.output)
            let counted = try place.run([
                "eval", "imported", "--data", "held-out.txt", "--sequence-length", "16", "--json",
            ])
            #expect(counted.status == 0, "\(counted)")
            #expect(try JSONObject(counted.output).number("bits_per_byte") == bits)

            // The directory is a tokenizer, with the end token that it names; what it was is what is exported.
            let directory = ["data.tokenizer=hf", Self.overrides[2], "training.stop_at_step=1"]
            let next = try place.train(directory + ["logging.directory=next"], options: ["--resume", "imported"])
            #expect(next.status == 0 && next.warnings.isEmpty, "\(next)")
            #expect(try place.run(["prepare", "--tokenizer", "hf/", "--output", "p", "text.txt"]).status == 0)
            #expect(try place.run(["export", "next/checkpoints", "--output", "again"]).status == 0)
            for name in place.folder.names(in: "hf") where name != "model.safetensors" {
                #expect(try place.folder.bytes("again/\(name)") == place.folder.bytes("hf/\(name)"), "\(name)")
            }
            // The checkpoint knows the file that was meant.
            try place.folder.move("hf", to: "moved")
            let resumed = try place.train(
                ["data.tokenizer=moved", Self.overrides[2], "training.stop_at_step=2", "logging.directory=next"])
            #expect(resumed.status == 0, "\(resumed)")
            #expect(resumed.output.contains("\"hf/tokenizer.json\", the configuration \"moved/tokenizer.json\""))
        }

        // MARK: - Mistakes

        @Test(arguments: [1, 2])
        func endTokensAreChecked(ranks: Int) throws {
            let place = try workplace()
            func train(_ overrides: String...) throws -> ProgramResult {
                try place.train(["model.vocab_size=\(Self.size)"] + overrides, ranks: ranks)
            }
            expectOneMessage(
                try train("data.tokenizer=t.json"), status: 2,
                names: [
                    "data.tokenizer: t.json: neither tokenizer_config.json nor generation_config.json",
                    "name it with data.end_token",
                ])
            expectOneMessage(
                try train("data.tokenizer=t.json", "data.end_token=<x>"), status: 2,
                names: ["data.end_token: the end token \"<x>\" is no token of the tokenizer"])
            expectOneMessage(
                try train("data.tokenizer=t.json", "data.end_token=280"), status: 2,
                names: ["data.end_token: the end token 280 is no id of the tokenizer"])
            expectOneMessage(
                try train("data.end_token=256"), status: 2,
                names: ["data.end_token: the end token of bytes is its own; leave it out"])
            expectOneMessage(
                try place.run(
                    ["prepare", "--tokenizer", "t.json", "--end-token", "<x>", "--output", "p", "text.txt"],
                    ranks: ranks),
                status: 2, names: ["--end-token: the end token \"<x>\" is no token", "with --end-token"])
            expectOneMessage(
                try place.run(["prepare", "--tokenizer", "t.json", "--output", "p", "text.txt"], ranks: ranks),
                status: 2,
                names: ["--tokenizer: t.json: neither ", "name it with --end-token"])
            #expect(!place.folder.exists("runs") && !place.folder.exists("p.bin"))
        }

        /// Documents of a run end with one token, whatever its texts.
        @Test func anotherEndTokenIsRefused() throws {
            let place = try workplace()
            #expect(try place.train(Self.overrides + ["training.stop_at_step=1"]).status == 0)
            let other = [Self.overrides[0], "data.end_token=0", Self.overrides[2], Self.overrides[3]]
            expectOneMessage(
                try place.train(other), status: 2,
                names: ["data.end_token: documents end with 279 in the checkpoint, with 0 in the configuration"])
            let prepared = try place.run(
                ["prepare", "--tokenizer", "t.json", "--end-token", "0", "--output", "p", "text.txt"])
            #expect(prepared.status == 0, "\(prepared)")
            expectOneMessage(
                try place.train(Self.overrides + ["data.train.0.path=p", "logging.directory=next"]), status: 2,
                names: [
                    "data.train[0].path: p.json: documents of p end with the token 0, those of data.tokenizer with 279"
                ])
            // The control: the run goes on with its own.
            #expect(try place.train(Self.overrides + ["training.stop_at_step=2"]).status == 0)
        }

        @Test(arguments: [1, 2])
        func unknownPartsAreRefusedByName(ranks: Int) throws {
            let place = try Workplace()
            var file = HandmadeTokenizerFile()
            try place.folder.write(file.bytes, to: "known.json")
            file.modelType = "WordPiece"
            try place.folder.write(file.bytes, to: "w.json")
            let end = HandmadeTokenizerFile.end.text
            func prepare(_ tokenizer: String) throws -> ProgramResult {
                try place.run(
                    ["prepare", "--tokenizer", tokenizer, "--end-token", end, "--output", "p", "text.txt"], ranks: ranks
                )
            }
            let words = "w.json: the model WordPiece is not supported; "
            let trained = try place.train(["data.tokenizer=w.json", "model.vocab_size=300"], ranks: ranks)
            expectOneMessage(trained, status: 2, names: ["data.tokenizer: " + words, "data.tokenizer: none"])
            expectOneMessage(try prepare("w.json"), status: 2, names: ["--tokenizer: " + words])
            expectOneMessage(
                try place.run(["tokenizer", "encode", "--tokenizer", "w.json", "text.txt"], ranks: ranks), status: 2,
                names: ["--tokenizer: " + words])
            try place.folder.makeFolder("empty")
            expectOneMessage(
                try place.train(["data.tokenizer=empty"], ranks: ranks), status: 2,
                names: ["data.tokenizer", "\"empty\"", "a directory with tokenizer.model or tokenizer.json"])
            #expect(!place.folder.exists("runs") && !place.folder.exists("p.bin"))
            #expect(try prepare("known.json").status == 0)
        }
    }
}
