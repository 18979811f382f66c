// NormalizationTests - `loss.normalization: reference` depends on the ranks it stands for, not on those that run.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct NormalizationTests {
        private func metrics(_ overrides: [String], ranks: Int) throws -> Metrics {
            let place = try Workplace()
            let set = ["loss.normalization=reference", "training.global_batch_size=16", "loss.gamma=2.0"]
            let result = try place.train(set + overrides, ranks: ranks)
            #expect(result.status == 0, "\(result)")
            return try place.metrics()
        }

        @Test func oneRankPlaysTwo() throws {
            let learns = "optimizer.learning_rate=1.0e-2"
            let played = try metrics(["loss.reference_ranks=2", learns], ranks: 1)
            let real = try metrics([learns], ranks: 2)
            for key in ["loss", "ce", "alpha"] {
                let problem = difference(try real.values(key, 1...6), try played.values(key, 1...6), within: 1e-5)
                #expect(problem == nil, "\(key)")
            }
            // Four ranks of the authors' trainer have another alpha than two.
            let four = try metrics(["loss.reference_ranks=4", learns], ranks: 1)
            #expect(difference(try four.losses(1...6), try played.losses(1...6), within: 1e-5) != nil)
        }
    }
}
