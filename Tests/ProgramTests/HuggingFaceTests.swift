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

        /// An end token that is not the tokenizer's stays unknown: through training, and from weights alone.
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
            #expect(imported.warnings[0].contains("eos_token_id is 200 in config.json, and 256"), "\(imported)")
            for (name, option) in [("second", "--resume"), ("third", "--initialize-from")] {
                let set = ["logging.directory=\(name)", "training.stop_at_step=1"]
                #expect(try place.train(set, options: [option, "back"]).status == 0)
                let result = try place.run(["export", "\(name)/checkpoints", "--output", "out-\(name)"])
                #expect(result.status == 0 && result.warnings.count == 1, "\(result)")
                #expect(result.warnings[0].contains("eos_token_id: left out"), "\(result)")
                #expect(try place.folder.text("out-\(name)/config.json").contains("\"eos_token_id\": null,"))
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
                inspected.warnings[0].contains(words) && inspected.output.contains(" NaN or infinite\n"), "\(inspected)"
            )
            let exported = try place.run(["export", Self.checkpoints, "--output", "out"])
            #expect(exported.status == 0 && exported.warnings.count == 1, "\(exported)")
            #expect(exported.warnings[0].contains(words), "\(exported)")
            expectOneMessage(try place.run(["import", "out", "--output", "back"]), status: 2, names: [words])
            #expect(!place.folder.exists("back"))
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
