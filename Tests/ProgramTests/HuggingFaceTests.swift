// HuggingFaceTests - export and import as commands: what they write, what they refuse, and training that goes on.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct HuggingFaceTests {
        private static let checkpoints = "runs/run/checkpoints"

        private func expectSuccess(_ place: Workplace, _ arguments: [String], ranks: Int = 1) throws {
            let result = try place.run(arguments, ranks: ranks)
            #expect(result.status == 0, "\(result)")
            #expect(result.warnings.isEmpty, "\(result)")
        }

        @Test func modelGoesOutAndComesBack() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=2"], ranks: 2).status == 0)
            try expectSuccess(place, ["export", Self.checkpoints, "--output", "out"], ranks: 2)
            let names = [
                "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
            ]
            #expect(place.folder.names(in: "out") == names)
            try expectSuccess(place, ["import", "out", "--output", "back"], ranks: 2)
            #expect(place.checkpoints("back") == ["step-00000000"])
            let (trained, imported) = (try place.inspect(Self.checkpoints), try place.inspect("back"))
            #expect(imported.hashes("parameter") == trained.hashes("parameter"))
            #expect(imported.hashes("second_moment") != trained.hashes("second_moment"))
            for key in ["step", "position", "tokens"] { #expect(imported.object.number(key) == 0) }
            #expect(try imported.object.object("configuration").keys.isEmpty)
            try expectSuccess(place, ["export", "back/step-00000000", "--output", "folder/again"])
            for name in names {
                #expect(try place.folder.bytes("out/\(name)") == place.folder.bytes("folder/again/\(name)"), "\(name)")
            }
        }

        /// Step 0, taken out and brought back, is step 0: the run from there has the same bits.
        @Test func importedModelTrainsAsTheOriginal() throws {
            let place = try Workplace()
            #expect(try place.train(["checkpoint.initial=true"]).status == 0)
            try expectSuccess(place, ["export", "\(Self.checkpoints)/step-00000000", "--output", "out"])
            try expectSuccess(place, ["import", "out", "--output", "back/step-00000000"])
            let result = try place.train(["logging.directory=second"], options: ["--resume", "back"])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("continuing from back/step-00000000, step 0"), "\(result)")
            #expect(try place.metrics("second").losses(1...6) == place.metrics().losses(1...6))
            #expect(
                try place.inspect("second/checkpoints").hashes("first_moment")
                    == place.inspect(Self.checkpoints).hashes("first_moment"))
            // Another model than the checkpoint's is refused.
            let refused = try place.train(
                ["logging.directory=third", "model.rope_theta=20000"], options: ["--resume", "back"])
            expectOneMessage(refused, status: 2, names: ["model"])
        }

        /// An end token that is not the tokenizer's stays what it is: through training, and from weights alone.
        @Test func anotherEndIsNeverReplaced() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            try expectSuccess(place, ["export", Self.checkpoints, "--output", "out"])
            let configuration = try place.folder.text("out/config.json")
            #expect(configuration.contains("\"eos_token_id\": 256,"))
            try place.folder.write(
                configuration.replacing("\"eos_token_id\": 256", with: "\"eos_token_id\": 200"), to: "out/config.json")
            let imported = try place.run(["import", "out", "--output", "back"])
            #expect(imported.status == 0 && imported.warnings.count == 1, "\(imported)")
            #expect(
                imported.warnings.first?.contains("eos_token_id is 200 in config.json, and 256") == true, "\(imported)")
            for (name, option) in [("second", "--resume"), ("third", "--initialize-from")] {
                let set = ["logging.directory=\(name)", "training.stop_at_step=1"]
                #expect(try place.train(set, options: [option, "back"]).status == 0)
                let result = try place.run(["export", "\(name)/checkpoints", "--output", "out-\(name)"])
                #expect(result.status == 0 && result.warnings.isEmpty, "\(result)")
                for file in ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"] {
                    #expect(
                        try place.folder.bytes("out-\(name)/\(file)") == place.folder.bytes("out/\(file)"), "\(file)")
                }
            }
        }

        /// A learning rate beyond the largest float, and the weights are infinite after a step.
        @Test func weightsThatAreNotFinite() throws {
            let place = try Workplace()
            let set = ["optimizer.learning_rate=1e39", "schedule.warmup_steps=0", "training.stop_at_step=1"]
            #expect(try place.train(set).status == 0)
            let words = "tensors hold NaN or infinite numbers: model.embed_tokens.weight ("
            for arguments in [
                ["generate", Self.checkpoints, "--prompt", "the", "--max-tokens", "4"],
                ["eval", Self.checkpoints, "--data", "held-out.txt"],
            ] {
                let result = try place.run(arguments)
                expectOneMessage(result, status: 1, names: ["step-00000001", words])
                #expect(result.output.isEmpty, "\(result)")
            }
            let inspected = try place.run(["inspect", Self.checkpoints])
            #expect(inspected.status == 0 && inspected.warnings.count == 1, "\(inspected)")
            #expect(
                inspected.warnings.first?.contains(words) == true && inspected.output.contains(" NaN or infinite\n"),
                "\(inspected)"
            )
            let exported = try place.run(["export", Self.checkpoints, "--output", "out"])
            #expect(exported.status == 0 && exported.warnings.count == 1, "\(exported)")
            #expect(exported.warnings.first?.contains(words) == true, "\(exported)")
            expectOneMessage(try place.run(["import", "out", "--output", "back"]), status: 2, names: [words])
            #expect(!place.folder.exists("back"))
        }

        /// What lies beside the weights goes through an import, a run, a resume on other ranks and an export.
        @Test func everyOtherFileSurvivesTraining() throws {
            let place = try Workplace()
            try place.folder.writeModel(to: "out")
            let files = [
                "README.md": "# A model\r\n", "LICENSE": "", "chat_template.jinja": "{{ x }}",
                "tokenizer.json": #"{"model": {"type": "BPE"}}"#, "added_tokens.json": #"{"<|im_end|>": 256}"#,
                "generation_config.json": #"{"eos_token_id": [256, 2], "temperature": 0.6}"#,
                "tokenizer_config.json": #"{"eos_token": "<|im_end|>", "pad_token": "<pad>"}"#,
            ]
            for (name, text) in files { try place.folder.write(text, to: "out/\(name)") }
            #expect(try place.run(["import", "out", "--output", "in"]).status == 0)
            let inspected = try place.run(["inspect", "in"])
            #expect(inspected.output.contains("carries LICENSE, 0 bytes\n"), "\(inspected)")
            try place.folder.writePrepared((0..<400).map { $0 * 7 % 250 }, to: "p")
            let data = [
                "data.train.0.path=p", "data.validation.0.path=p", "data.tokenizer=none", "logging.directory=next",
                "checkpoint.keep=1",
            ]
            let first = try place.train(
                data + ["training.stop_at_step=2"], options: ["--initialize-from", "in"], ranks: 2)
            #expect(first.status == 0, "\(first)")
            // The run no longer needs what it came from.
            try place.folder.remove("in")
            let second = try place.train(data + ["training.stop_at_step=4"], ranks: 3)
            #expect(second.status == 0, "\(second)")
            #expect(place.checkpoints("next/checkpoints") == ["step-00000004"])
            let carried = try place.inspectByProgram("next/checkpoints", ranks: 2).object.object("carried_files")
            #expect(Set(carried.keys) == Set(files.keys).union(["config.json"]))
            let exported = try place.run(["export", "next/checkpoints", "--output", "hf"], ranks: 2)
            #expect(exported.status == 0 && exported.warnings.isEmpty, "\(exported)")
            #expect(place.folder.names(in: "hf") == place.folder.names(in: "out"))
            for name in files.keys {
                #expect(try place.folder.bytes("hf/\(name)") == place.folder.bytes("out/\(name)"), "\(name)")
            }
            #expect(
                try place.folder.text("hf/config.json")
                    == place.folder.text("out/config.json").replacing("bfloat16", with: "float32"))
            // A changed byte of a carried file is a damaged checkpoint, whatever the number of ranks.
            try place.folder.write("!", to: "next/checkpoints/step-00000004/carried-LICENSE")
            for ranks in [1, 2] {
                expectOneMessage(
                    try place.run(["inspect", "next/checkpoints/step-00000004"], ranks: ranks), status: 3,
                    names: ["carried-LICENSE"])
            }
        }

        /// Text ends at each token that the settings name, not at the tokenizer's end alone.
        @Test func generationEndsAtEachEndToken() throws {
            let place = try Workplace()
            #expect(try place.train(["schedule.total_steps=60", "optimizer.learning_rate=1.0e-2"]).status == 0)
            try expectSuccess(place, ["export", Self.checkpoints, "--output", "out"])
            func generate(_ output: String) throws -> String {
                #expect(try place.run(["import", "out", "--output", output]).status == 0)
                let result = try place.run(
                    ["generate", output, "--prompt", "the sh", "--max-tokens", "20", "--temperature", "0"])
                #expect(result.status == 0, "\(result)")
                return result.output
            }
            let plain = Array(try generate("plain").utf8)
            #expect(plain.starts(with: "the sh".utf8) && plain.count > 8)
            // The second byte that was generated now ends the text, unless the first is the same.
            let (first, second) = (plain[6], plain[7])
            let settings = "{\"eos_token_id\": [256, \(second)]}"
            try place.folder.write(settings, to: "out/generation_config.json")
            #expect(try Array(generate("ended").utf8) == Array(plain[..<(first == second ? 6 : 7)]) + [0x0A])
        }

        /// A model whose tokenizer this program does not read trains on prepared data, and never gets another tokenizer.
        @Test func noTokenizerStaysNone() throws {
            let place = try Workplace()
            try place.folder.writeModel(to: "out")
            try place.folder.write("{\"model\": {\"type\": \"BPE\"}}", to: "out/tokenizer.json")
            let imported = try place.run(["import", "out", "--output", "in"])
            #expect(imported.status == 0 && imported.output.contains("data: {tokenizer: none}"), "\(imported)")
            try place.folder.writePrepared((0..<400).map { $0 * 7 % 250 }, to: "p")
            let data = ["data.train.0.path=p", "data.validation.0.path=p"]

            // A configuration that names no tokenizer says bytes, which this model has never seen.
            let bytes = try place.train(data, options: ["--initialize-from", "in"])
            expectOneMessage(
                bytes, status: 2,
                names: ["data.tokenizer: the checkpoint has none, the configuration bytes: set it to none"])
            // A new run, and a branch of it.
            func train(_ directory: String, steps: Int, _ options: [String]) throws {
                let result = try place.train(
                    data + ["data.tokenizer=none", "logging.directory=\(directory)", "schedule.total_steps=\(steps)"],
                    options: options)
                #expect(result.status == 0 && result.warnings.count == 1, "\(result)")
                #expect(result.errors.contains("text (there is no p.json)"), "\(result)")
                #expect(try place.metrics(directory).evaluations[steps]?.isNull("bits_per_byte") == true)
            }
            try train("next", steps: 2, ["--initialize-from", "in"])
            try train("branch", steps: 3, ["--resume", "next/checkpoints"])
            let exported = try place.run(["export", "branch/checkpoints", "--output", "hf"])
            #expect(exported.status == 0, "\(exported)")
            #expect(place.folder.names(in: "hf") == ["config.json", "model.safetensors", "tokenizer.json"])
            #expect(try place.folder.bytes("hf/tokenizer.json") == place.folder.bytes("out/tokenizer.json"))
            // The weights go out in fp32; no other byte differs.
            #expect(
                try place.folder.text("hf/config.json")
                    == place.folder.text("out/config.json").replacing("bfloat16", with: "float32"))

            let evaluated = try place.run(["eval", "branch/checkpoints", "--data", "p", "--json"])
            #expect(evaluated.status == 0, "\(evaluated)")
            let object = try JSONObject(evaluated.output)
            #expect(object.isNull("bits_per_byte") && object.number("tokens") == 384, "\(evaluated)")
            let generated = try place.run(["generate", "branch/checkpoints", "--prompt", "the"])
            expectOneMessage(
                generated, status: 2,
                names: ["--prompt: branch/checkpoints/step-00000003: the checkpoint has no tokenizer", "--tokenizer"])
            #expect(generated.output.isEmpty, "\(generated)")
        }

        /// Who knows the tokenizer of a directory that does not tell says so at the import.
        @Test func theTokenizerMayBeGiven() throws {
            let place = try Workplace()
            try place.folder.writeModel(to: "out")
            let none = try place.run(["import", "out", "--output", "none", "--tokenizer", "none"])
            #expect(none.status == 0 && none.output.contains("data: {tokenizer: none}"), "\(none)")
            let bytes = try place.run(["import", "out", "--output", "bytes", "--tokenizer", "bytes"])
            #expect(bytes.status == 0 && bytes.output.contains("data: {tokenizer: bytes}"), "\(bytes)")
            #expect(bytes.warnings.isEmpty, "\(bytes)")
            let text = try place.run(["eval", "none", "--data", "held-out.txt"])
            expectOneMessage(text, status: 2, names: ["--data: held-out.txt: the checkpoint has no tokenizer"])
            try place.folder.write(HandmadeModel().bytes, to: "t.model")
            let large = try place.run(["import", "out", "--output", "model", "--tokenizer", "t.model"])
            expectOneMessage(large, status: 2, names: ["--tokenizer: t.model has 267 ids", "vocab_size, 257"])
        }

        /// A tokenizer without end token reads no text here, and that is what is said, by whatever meets it.
        @Test func aTokenizerWithoutEndToken() throws {
            let place = try Workplace()
            var model = HandmadeModel()
            model.pieces[2].text = "</x>"
            try place.folder.writeModel(to: "out", vocabularySize: 300)
            try place.folder.write(model.bytes, to: "out/tokenizer.model")
            let imported = try place.run(["import", "out", "--output", "in"])
            #expect(imported.status == 0 && imported.output.contains("data: {tokenizer: none}"), "\(imported)")
            let cause = "the model's tokenizer, tokenizer.model, has no end token (eos, \"</s>\")"
            let generated = try place.run(["generate", "in", "--prompt", "a"])
            expectOneMessage(generated, status: 2, names: [cause, "prepared data", "--tokenizer"])
            #expect(!generated.errors.contains("tokenizer train"), "\(generated)")
            try place.folder.writePrepared((0..<400).map { $0 * 7 % 250 }, to: "p")
            let evaluated = try place.run(["eval", "in", "--data", "p", "--json"])
            #expect(evaluated.status == 0, "\(evaluated)")
            // Its own file is no tokenizer for a run; without one the checkpoint keeps it.
            let data = [
                "model.vocab_size=300", "training.stop_at_step=1", "data.train.0.path=p", "data.validation=[]",
                "logging.directory=next",
            ]
            let named = try place.train(data + ["data.tokenizer=out/tokenizer.model"], options: ["--resume", "in"])
            expectOneMessage(
                named, status: 2,
                names: ["data.tokenizer: out/tokenizer.model: ", "no end token (eos", "data.tokenizer: none"])
            let trained = try place.train(data + ["data.tokenizer=none"], options: ["--resume", "in"])
            #expect(trained.status == 0, "\(trained)")
            #expect(try place.run(["export", "next/checkpoints", "--output", "hf"]).status == 0)
            #expect(try place.folder.bytes("hf/tokenizer.model") == model.bytes)
        }

        @Test func mistakesAreSaidOnce() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"]).status == 0)
            try expectSuccess(place, ["export", Self.checkpoints, "--output", "out"])
            let before = place.folder.everything()
            for ranks in [1, 2] {
                var result = try place.run(["export", Self.checkpoints, "--output", "out"], ranks: ranks)
                expectOneMessage(result, status: 2, names: ["out", "not empty"])
                result = try place.run(["export", "nowhere", "--output", "new"], ranks: ranks)
                expectOneMessage(result, status: 3, names: ["nowhere"])
                result = try place.run(["import", "nowhere", "--output", "new"], ranks: ranks)
                expectOneMessage(result, status: 2, names: ["nowhere"])
                result = try place.run(["import", "out", "--output", Self.checkpoints], ranks: ranks)
                expectOneMessage(result, status: 2, names: ["step-00000001"])
            }
            #expect(place.folder.everything() == before)
            let configuration = try place.folder.text("out/config.json")
            try place.folder.write(
                configuration.replacing("\"use_cache\"", with: "\"rope_scaling\": {\"factor\": 2.0}, \"use_cache\""),
                to: "out/config.json")
            let scaled = try place.run(["import", "out", "--output", "new"])
            expectOneMessage(scaled, status: 2, names: ["out/config.json", "rope_scaling"])
            #expect(!place.folder.exists("new"))
        }
    }
}
