// CheckpointTests - which checkpoints a run writes and keeps.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct CheckpointTests {
        private func steps(_ overrides: [String], ranks: Int = 1) throws -> [Int] {
            let place = try Workplace()
            let result = try place.train(["schedule.total_steps=7"] + overrides, ranks: ranks)
            #expect(result.status == 0, "\(result)")
            let names = place.checkpoints()
            // Nothing unfinished stays behind.
            #expect(place.folder.names(in: "runs/run/checkpoints") == names)
            return names.compactMap { Int($0.dropFirst("step-".count)) }
        }

        @Test func keepsWhatItIsToldTo() throws {
            #expect(try steps([]) == [7])
            #expect(try steps(["checkpoint.every=2"]) == [4, 6, 7])
            #expect(try steps(["checkpoint.every=1", "checkpoint.keep=1"], ranks: 2) == [7])
            #expect(try steps(["checkpoint.every=1", "checkpoint.keep=2", "checkpoint.keep_every=3"]) == [3, 6, 7])
            #expect(try steps(["checkpoint.initial=true"]) == [0, 7])
        }

        @Test func stepDirectoryHasOneShardPerRank() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=1"], ranks: 3).status == 0)
            #expect(
                place.folder.names(in: "runs/run/checkpoints/step-00000001") == [
                    "COMPLETE", "checkpoint.h5", "shard-00000-of-00003.h5", "shard-00001-of-00003.h5",
                    "shard-00002-of-00003.h5",
                ])
        }

        /// Initial weights depend on the seed and the tensor, not on the ranks.
        @Test func initialWeightsAreTheSeeds() throws {
            func initial(seed: Int, ranks: Int) throws -> [String: String] {
                let place = try Workplace(.sharded)
                let set = ["checkpoint.initial=true", "training.stop_at_step=1", "training.seed=\(seed)"]
                let result = try place.train(set, ranks: ranks)
                #expect(result.status == 0, "\(result)")
                let inspection = try place.inspect("runs/run/checkpoints/step-00000000")
                #expect(inspection.object.number("step") == 0)
                return inspection.hashes("parameter")
            }
            let reference = try initial(seed: 5, ranks: 1)
            #expect(try initial(seed: 5, ranks: 3) == reference)
            #expect(try initial(seed: 6, ranks: 1) != reference)
        }

        /// What a save that died has left is cleared away, and was never taken for a checkpoint.
        @Test func unfinishedSaveIsClearedAway() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=2"]).status == 0)
            let directory = "runs/run/checkpoints"
            try place.folder.makeFolder("\(directory)/step-00000004.partial")
            try place.folder.write("half", to: "\(directory)/step-00000004.partial/shard-00000-of-00001.h5")
            let result = try place.train(["training.stop_at_step=3"])
            #expect(result.output.contains("continuing from \(directory)/step-00000002"), "\(result)")
            #expect(result.warnings.count == 1, "\(result)")
            #expect(place.folder.names(in: directory) == ["step-00000002", "step-00000003"])
        }
    }
}
