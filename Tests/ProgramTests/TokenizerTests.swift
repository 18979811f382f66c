// TokenizerTests - SentencePiece models through the program: made, used, trained with, kept in checkpoints.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct TokenizerTests {
        private static let checkpoints = "runs/run/checkpoints"
        /// What the words of `Workplace` suffice for, bytes and special pieces included.
        private static let size = 300
        private static let overrides = ["data.tokenizer=t.model", "model.vocab_size=\(size)"]

        /// A workplace with `t.model`, trained on its text.
        private func workplace() throws -> Workplace {
            let place = try Workplace()
            let result = try place.run([
                "tokenizer", "train", "text.txt", "--vocab-size", "\(Self.size)", "--output", "t", "--threads", "1",
            ])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("t.model: \(Self.size) pieces, end token 2\n"), "\(result)")
            #expect(result.errors.isEmpty, "\(result)")
            return place
        }

        @Test func linesToIdsAndBack() throws {
            let place = try workplace()
            let (text, ids) = try place.linesToIdsAndBack("t.model", size: Self.size)
            try place.folder.write(text + [0x0A, 0xFC, 0xDF], to: "latin.txt")
            let latin = try place.run(["tokenizer", "encode", "--tokenizer", "t.model", "latin.txt"])
            #expect(latin.status == 0 && latin.output.hasPrefix(ids.output), "\(latin)")
            #expect(latin.warnings.count == 1 && latin.errors.contains("2 bytes in 1 lines"), "\(latin)")
            #expect(latin.errors.contains("the first in latin.txt:6"), "\(latin)")
            let pieces = try place.run(["tokenizer", "encode", "--tokenizer", "t.model", "--format", "piece", "in.txt"])
            // The text with a blank in front, in pieces: more letters than pieces.
            let words = (pieces.outputLines.first ?? "").split(separator: " ")
            #expect(words.joined() == "\u{2581}the\u{2581}ship\u{2581}\u{2581}sails" && words.count < 16, "\(pieces)")
            let bytes = try place.run(["tokenizer", "encode", "--tokenizer", "bytes", "in.txt"])
            #expect(bytes.output.hasPrefix("116 104 101 32"), "\(bytes)")
            // Only one rank speaks.
            let two = try place.run(["tokenizer", "encode", "--tokenizer", "t.model", "in.txt"], ranks: 2)
            #expect(two.output == ids.output, "\(two)")
        }

        /// Who writes the model's whole name means it.
        @Test func aPrefixMayHaveTheSuffix() throws {
            let place = try workplace()
            let named = try place.run([
                "tokenizer", "train", "text.txt", "--vocab-size", "\(Self.size)", "--output", "whole.model",
                "--threads",
                "1",
            ])
            #expect(named.status == 0 && named.output.contains("whole.model: \(Self.size) pieces"), "\(named)")
            #expect(!place.folder.exists("whole.model.model"))
            #expect(try place.folder.bytes("whole.model") == place.folder.bytes("t.model"))
            // It is not replaced under either name.
            for prefix in ["whole", "whole.model"] {
                let again = try place.run(["tokenizer", "train", "text.txt", "--output", prefix])
                expectOneMessage(again, status: 2, names: ["--output: whole.model exists"])
            }
        }

        @Test func trainsStopsAndResumes() throws {
            let straight = try workplace()
            let whole = try straight.train(Self.overrides)
            #expect(whole.status == 0, "\(whole)")
            let place = try workplace()
            // The same text gives the same model.
            #expect(try place.folder.bytes("t.model") == straight.folder.bytes("t.model"))
            #expect(try place.train(Self.overrides + ["training.stop_at_step=3"]).status == 0)
            // The model has moved meanwhile.
            try place.folder.move("t.model", to: "elsewhere.model")
            let moved = ["data.tokenizer=elsewhere.model", Self.overrides[1]]
            let resumed = try place.train(moved)
            #expect(resumed.status == 0, "\(resumed)")
            #expect(resumed.output.contains("continuing from \(Self.checkpoints)/step-00000003"), "\(resumed)")
            #expect(resumed.output.contains("changed since the checkpoint: data.tokenizer"), "\(resumed)")
            #expect(try place.metrics().losses(1...6) == straight.metrics().losses(1...6))
            // Fewer tokens than bytes, and not those of the bytes.
            let bytes = try Workplace()
            #expect(try bytes.train().status == 0)
            #expect(try bytes.metrics().losses(1...6) != straight.metrics().losses(1...6))
        }

        @Test func everyRankReadsTheSame() throws {
            let place = try workplace()
            let reproducible = ["training.reproducible=true"]
            #expect(try place.train(Self.overrides + reproducible).status == 0)
            let three = try place.train(
                Self.overrides + reproducible + ["logging.directory=three", "training.threads=2"], ranks: 3)
            #expect(three.status == 0, "\(three)")
            #expect(
                try place.inspect(Self.checkpoints).hashes("parameter")
                    == place.inspect("three/checkpoints").hashes("parameter"))
        }

        /// What `prepare` writes is what training reads of the text.
        @Test func preparedTokensAreTheTexts() throws {
            let place = try workplace()
            #expect(try place.train(Self.overrides).status == 0)
            let prepared = try place.run(
                ["prepare", "--tokenizer", "t.model", "--output", "prepared", "text.txt"], ranks: 2)
            #expect(prepared.status == 0, "\(prepared)")
            let other = ["data.train.0.path=prepared", "logging.directory=other"]
            #expect(try place.train(Self.overrides + other).status == 0)
            #expect(
                try place.inspect(Self.checkpoints).hashes("parameter")
                    == place.inspect("other/checkpoints").hashes("parameter"))
        }

        @Test func anotherTokenizerIsRefused() throws {
            let place = try workplace()
            #expect(try place.train(Self.overrides + ["training.stop_at_step=3"]).status == 0)
            try place.folder.write(Workplace.words(300, seed: 7) + " other letters: xyzjkqwv", to: "other.txt")
            let made = try place.run([
                "tokenizer", "train", "other.txt", "--vocab-size", "300", "--output", "other", "--threads", "1",
            ])
            #expect(made.status == 0, "\(made)")
            let other = try place.train(["data.tokenizer=other.model", Self.overrides[1]], ranks: 2)
            expectOneMessage(other, status: 2, names: ["tokenizer: the checkpoint has another t.model"])
            let bytes = try place.train([Self.overrides[1]])
            expectOneMessage(
                bytes, status: 2,
                names: ["data.tokenizer: the checkpoint has \"t.model\", the configuration \"bytes\""])
            #expect(!bytes.errors.contains("another t.model"), "\(bytes)")
            // The control: the same model under another name goes on.
            try place.folder.copy("t.model", to: "same.model")
            #expect(try place.train(["data.tokenizer=same.model", Self.overrides[1]]).status == 0)
        }

        /// Ids of another tokenizer train and evaluate without a complaint, and everything they give is wrong.
        @Test func preparedDataOfAnotherTokenizerAreRefused() throws {
            let place = try workplace()
            for (tokenizer, output) in [("t.model", "p"), ("bytes", "b")] {
                let result = try place.run(["prepare", "--tokenizer", tokenizer, "--output", output, "text.txt"])
                #expect(result.status == 0, "\(result)")
            }
            let names = ["p.json: p was prepared with the tokenizer t.model (SHA-256 ", ", data.tokenizer is bytes;"]
            let wide = Self.overrides[1]
            var result = try place.train([wide, "data.train.0.path=p"])
            expectOneMessage(result, status: 2, names: ["data.train[0].path: "] + names)
            result = try place.train([wide, "data.validation.0.path=p"], options: ["--dry-run"])
            expectOneMessage(result, status: 2, names: ["data.validation[0].path: "] + names)
            #expect(!place.folder.exists("runs"))

            let own = Self.overrides + ["data.train.0.path=p", "data.validation.0.path=p", "schedule.total_steps=2"]
            result = try place.train(own)
            #expect(result.status == 0 && result.warnings.isEmpty, "\(result)")
            #expect(try place.metrics().evaluations[2]?.number("bits_per_byte") != nil)
            func evaluate(_ options: String...) throws -> ProgramResult {
                try place.run(["eval", Self.checkpoints, "--sequences", "2", "--json", "--data"] + options)
            }
            result = try evaluate("p", "x=b")
            expectOneMessage(
                result, status: 2,
                names: [
                    "--data: b.json: b was prepared with the tokenizer bytes,",
                    "the checkpoint's tokenizer is t.model (",
                ])
            result = try evaluate("p", "--counts", "b")
            expectOneMessage(result, status: 2, names: ["--counts: b.json: b was prepared with the tokenizer bytes"])

            // Whoever made a pair without a summary: it is used, and what cannot be known is not said.
            try place.folder.remove("p.json")
            result = try evaluate("p", "held-out.txt")
            #expect(result.status == 0 && result.warnings.count == 1, "\(result)")
            #expect(result.errors.contains("p (there is no p.json)"), "\(result)")
            let object = try JSONObject(result.output)
            #expect(object.isNull("bits_per_byte") && object.number("ce") != nil, "\(result)")
        }

        /// Everything after training works without the model's file, also through Hugging Face's.
        @Test func checkpointsHoldTheModel() throws {
            let place = try workplace()
            #expect(try place.train(Self.overrides).status == 0)
            let model = try place.folder.bytes("t.model")
            try place.folder.remove("t.model")
            let evaluate = ["eval", Self.checkpoints, "--data", "held-out.txt", "--json"]
            let result = try place.run(evaluate)
            #expect(result.status == 0, "\(result)")
            let evaluated = try JSONObject(result.output)
            let row = try #require(try place.metrics().evaluations[6])
            #expect(evaluated.number("tokens") ?? 0 > 16)
            // Bytes, not tokens: CE of all targets by the bytes of their text. The evaluation's targets are the text but the
            // first token and what no whole sequence holds.
            let bits = try #require(evaluated.number("bits_per_byte"))
            let (ce, tokens) = (try #require(evaluated.number("ce")), try #require(evaluated.number("tokens")))
            let bytes = ce * tokens / (0.693_147_180_559_945_3 * bits)
            let text = try place.folder.bytes("held-out.txt")
            #expect(bytes > Double(text.count) * 0.8 && bytes <= Double(text.count), "\(bytes) of \(text.count)")
            #expect(abs(bytes - bytes.rounded()) < 1e-6)
            #expect(row.number("validation_ce") != nil)

            let generate = ["--prompt", "the ship", "--temperature", "0", "--max-tokens", "12"]
            let generated = try place.run(["generate", Self.checkpoints] + generate)
            #expect(generated.status == 0 && generated.output.hasPrefix("the ship"), "\(generated)")
            #expect(try place.run(["inspect", Self.checkpoints]).output.contains("tokenizer t.model;"))

            #expect(try place.run(["export", Self.checkpoints, "--output", "hf"]).status == 0)
            #expect(try place.folder.bytes("hf/tokenizer.model") == model)
            #expect(try place.run(["import", "hf", "--output", "imported"]).status == 0)
            let again = try place.run(["generate", "imported"] + generate)
            #expect(again.output == generated.output, "\(again)")
            let counted = try place.run([
                "eval", "imported", "--data", "held-out.txt", "--sequence-length", "16", "--json",
            ])
            #expect(counted.status == 0, "\(counted)")
            let imported = try JSONObject(counted.output)
            #expect(imported.number("ce") == evaluated.number("ce"))
            #expect(imported.number("bits_per_byte") == evaluated.number("bits_per_byte"))

            // An imported model is continued with its own tokenizer only.
            try place.folder.write(model, to: "mine.model")
            let resume = ["--resume", "imported"]
            let own = ["logging.directory=next", "data.tokenizer=mine.model", Self.overrides[1]]
            #expect(try place.train(own, options: resume).status == 0)
            let made = try place.run([
                "tokenizer", "train", "held-out.txt", "--vocab-size", "290", "--output", "held", "--threads", "1",
            ])
            #expect(made.status == 0, "\(made)")
            let other = ["logging.directory=other", "data.tokenizer=held.model", Self.overrides[1]]
            expectOneMessage(
                try place.train(other, options: resume), status: 2,
                names: ["tokenizer: the checkpoint has another tokenizer.model"])
        }

        @Test func mistakesAreNamed() throws {
            let place = try workplace()
            func train(_ arguments: String...) throws -> ProgramResult {
                try place.run(["tokenizer", "train"] + arguments)
            }
            expectOneMessage(try train("text.txt", "--output", "t"), status: 2, names: ["t.model exists"])
            expectOneMessage(try train("no.txt", "--output", "n"), status: 2, names: ["no.txt: there is no such file"])
            expectOneMessage(try train("run.yaml", "--output", "n"), status: 2, names: ["run.yaml", ".jsonl"])
            try place.folder.write("  \n\n", to: "blank.txt")
            expectOneMessage(
                try train("blank.txt", "--output", "n"), status: 2, names: ["blank.txt: there is no line of text"])
            expectOneMessage(
                try train("text.txt", "--output", "n", "--vocab-size", "5000"), status: 2,
                names: ["Vocabulary size too high (5000)", "--vocab-size"])
            for (option, value, allowed) in [
                ("--vocab-size", "259", "260 or more"), ("--model-type", "word", "bpe, unigram"),
                ("--normalization", "none", "identity"), ("--character-coverage", "0.5", "0.98 to 1.0"),
            ] {
                let result = try train("text.txt", "--output", "n", option, value)
                expectOneMessage(result, status: 2, names: [option, value, allowed])
            }
            // Latin-1.
            try place.folder.write([0x47, 0x72, 0xFC, 0xDF, 0x65, 0x0A], to: "latin.txt")
            expectOneMessage(
                try train("latin.txt", "--output", "n"), status: 2,
                names: ["latin.txt: there is no line of text", "1 times: the line is not valid UTF-8", "latin.txt:1: "])
            expectOneMessage(
                try train("text.txt", "latin.txt", "--output", "n", "--on-error", "fail"), status: 2,
                names: ["latin.txt:1: the line is not valid UTF-8: byte 0xFC at column 3; convert it", "iconv"])
            expectOneMessage(try train("text.txt", "--output", "no/n"), status: 2, names: ["--output", "no folder"])
            #expect(!place.folder.exists("n.model"))

            try place.folder.write("1 2\n3 300\n", to: "ids")
            let decoded = try place.run(["tokenizer", "decode", "--tokenizer", "bytes", "ids"])
            expectOneMessage(decoded, status: 2, names: ["ids:2: \"300\" is no id of bytes; allowed: 0 to 256"])
            // The lines before the mistake are written.
            #expect(decoded.output == "\u{1}\u{2}\n", "\(decoded)")
            try place.folder.makeFolder("folder")
            let both = try place.run(["tokenizer", "encode", "--tokenizer", "bytes", "ids", "folder"])
            expectOneMessage(both, status: 2, names: ["folder: this is a directory"])
            expectOneMessage(
                try place.run(["tokenizer", "encode", "--tokenizer", "text.txt", "ids"]), status: 2,
                names: ["--tokenizer: \"text.txt\" is no tokenizer"])
            expectOneMessage(
                try place.run(["tokenizer", "encode", "--tokenizer", "t.model", "none"]), status: 2,
                names: ["none cannot be read: No such file"])
            expectOneMessage(
                try place.run(["tokenizer", "encode", "--tokenizer", "bytes", "--format", "piece", "ids"]), status: 2,
                names: ["--format piece"])

            // In a configuration.
            expectOneMessage(
                try place.train(["data.tokenizer=no.model"], ranks: 2), status: 2,
                names: ["data.tokenizer: no.model: there is no such file"])
            expectOneMessage(
                try place.train(["data.tokenizer=t.model", "model.vocab_size=299"]), status: 2,
                names: ["model.vocab_size: 299 is smaller than the tokenizer t.model", "allowed: 300 or more"])
            let model = try place.folder.bytes("t.model")
            try place.folder.write(Array(model.prefix(model.count / 2)), to: "half.model")
            expectOneMessage(
                try place.train(["data.tokenizer=half.model", Self.overrides[1]]), status: 2,
                names: ["data.tokenizer: half.model: ", "SentencePiece model"])
        }
    }
}
