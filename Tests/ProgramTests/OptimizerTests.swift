// OptimizerTests - runs with another update rule than AdamW: the same bits on any ranks, its state alone, no mixture.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct OptimizerTests {
        private static let checkpoints = "runs/run/checkpoints"
        private static let lion = ["optimizer.kind=lion", "optimizer.learning_rate=1e-4", "training.reproducible=true"]

        private func hashes(_ place: Workplace) throws -> [[String: String]] {
            let inspection = try place.inspect(Self.checkpoints)
            for (name, tensor) in inspection.tensors {
                #expect(tensor.keys == ["shape", "parameter", "first_moment"], "\(name)")
            }
            return ["parameter", "first_moment"].map(inspection.hashes)
        }

        @Test(arguments: ["fp32", "bf16"]) func lionHasTheSameBitsOnAnyRanks(precision: String) throws {
            let set = Self.lion + ["training.precision=\(precision)"]
            let straight = try Workplace(.sharded)
            #expect(try straight.train(set).status == 0)
            let expected = try hashes(straight)
            let three = try Workplace(.sharded)
            #expect(try three.train(set, ranks: 3).status == 0)
            #expect(try hashes(three) == expected)
            let stopped = try Workplace(.sharded)
            #expect(try stopped.train(set + ["training.stop_at_step=3"], ranks: 3).status == 0)
            #expect(try stopped.train(set, ranks: 2).status == 0)
            #expect(try hashes(stopped) == expected)
            // Negative control: another decay of the momentum is another run.
            let other = try Workplace(.sharded)
            #expect(try other.train(set + ["optimizer.beta2=0.9"]).status == 0)
            #expect(try hashes(other) != expected)
        }

        @Test func anotherOptimizerIsRefused() throws {
            let place = try Workplace()
            #expect(try place.train(["training.stop_at_step=3"]).status == 0)
            expectOneMessage(
                try place.train(["optimizer.kind=lion"]), status: 2,
                names: ["optimizer.kind", "adamw", "lion", "--initialize-from"])
        }
    }
}
