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
