// OptimizerTests - runs with another update rule than AdamW: the same bits on any ranks, its state alone, no mixture.

import Optimization
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct OptimizerTests {
        private static let checkpoints = "runs/run/checkpoints"
        private static let others = OptimizerConfiguration.Kind.allCases.filter { $0 != .adamw }

        /// The hashes of the parameters and of each state tensor of the rule, which are all that a checkpoint holds.
        private func hashes(_ place: Workplace, _ kind: OptimizerConfiguration.Kind) throws -> [[String: String]] {
            let roles = ["parameter"] + kind.rule.stateTensors
            let inspection = try place.inspect(Self.checkpoints)
            for (name, tensor) in inspection.tensors { #expect(tensor.keys == Set(["shape"] + roles), "\(name)") }
            return roles.map(inspection.hashes)
        }

        @Test(arguments: others, ["fp32", "bf16"])
        func everyRuleHasTheSameBitsOnAnyRanks(kind: OptimizerConfiguration.Kind, precision: String) throws {
            func hashes(_ place: Workplace) throws -> [[String: String]] { try self.hashes(place, kind) }
            let set = [
                "optimizer.kind=\(kind.rawValue)", "optimizer.learning_rate=1e-4", "training.reproducible=true",
                "training.precision=\(precision)",
            ]
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
            // Negative control: another decay of the state is another run.
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
