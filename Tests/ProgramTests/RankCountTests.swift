// RankCountTests - the number of ranks does not show in the losses.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct RankCountTests {
        /// Rounding only: sums are formed in another order, and 50 steps of training spread that a little.
        static let tolerance = 1e-4

        private func losses(_ overrides: [String], ranks: Int) throws -> [Double] {
            let place = try Workplace(.sharded)
            let result = try place.train(["schedule.total_steps=50"] + overrides, ranks: ranks)
            #expect(result.status == 0, "\(result)")
            #expect(result.warnings == [], "\(result)")
            return try place.metrics().losses(1...50)
        }

        /// 12 is divided by 2, 3 and 4; 10 is not by 3 and 4. Buckets of a MiB: more than one per step.
        ///
        /// A reduction each, in turns: steps of every reduction on every number of ranks are compared by rank tests.
        @Test(arguments: [12, 10])
        func sameLossesOnAnyNumberOfRanks(batch: Int) throws {
            let overrides = ["training.global_batch_size=\(batch)", "training.bucket_mib=1"]
            let reference = try losses(overrides, ranks: 1)
            #expect(reference[49] < 0.8 * reference[0], "nothing was learnt: \(reference)")
            let runs =
                batch == 12
                ? [(2, "reduce_scatter"), (3, "all_reduce"), (4, "reduce_scatter")]
                : [(3, "reduce_scatter"), (4, "all_reduce")]
            for (ranks, reduction) in runs {
                let set = overrides + ["training.gradient_reduction=\(reduction)"]
                let problem = difference(try losses(set, ranks: ranks), reference, within: Self.tolerance)
                #expect(problem == nil, "\(ranks) ranks, \(reduction)")
            }
            // The tolerance tells runs apart: another seed is not the same run.
            let other = try losses(overrides + ["training.seed=6"], ranks: 1)
            #expect(difference(other, reference, within: Self.tolerance) != nil)
        }

        @Test(arguments: ["reduce_scatter", "all_reduce"])
        func ranksWithoutSequencesTakePart(reduction: String) throws {
            let set = [
                "training.global_batch_size=3", "schedule.total_steps=5", "training.gradient_reduction=\(reduction)",
            ]
            let alone = try Workplace(.sharded)
            #expect(try alone.train(set).status == 0)
            let place = try Workplace(.sharded)
            let result = try place.train(set, ranks: 4)
            #expect(result.status == 0, "\(result)")
            #expect(result.warnings.count == 1, "\(result)")
            #expect(result.warnings.first?.contains("1 of 4 ranks") == true, "\(result)")
            let expected = try alone.metrics().losses(1...5)
            #expect(difference(try place.metrics().losses(1...5), expected, within: Self.tolerance) == nil)
        }

        @Test func resumesOnOtherNumbersOfRanks() throws {
            let total = "schedule.total_steps=40"
            let straight = try Workplace(.sharded)
            #expect(try straight.train([total], ranks: 4).status == 0)

            let place = try Workplace(.sharded)
            var result = try place.train([total, "training.stop_at_step=20"], ranks: 4)
            #expect(result.status == 0, "\(result)")
            let reduction = "training.gradient_reduction=all_reduce"
            result = try place.train([total, "training.stop_at_step=30", reduction], ranks: 3)
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("step 20"), "\(result)")
            result = try place.train([total])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("continuing from"), "\(result)")

            let (expected, actual) = (try straight.metrics(), try place.metrics())
            for key in ["loss", "ce", "grad_norm", "lr", "tokens"] {
                let problem = difference(
                    try actual.values(key, 1...40), try expected.values(key, 1...40), within: Self.tolerance)
                #expect(problem == nil, "\(key)")
            }
            #expect(place.checkpoints() == ["step-00000020", "step-00000030", "step-00000040"])
        }

        @Test func sixtyFourRanksSaveWhatOneResumes() throws {
            let place = try Workplace()
            let total = "schedule.total_steps=5"
            // 64 processes on few cores: starting them is what takes the time.
            let first = try place.start(place.arguments([total, "training.stop_at_step=3"]), ranks: 64).wait(limit: 120)
            #expect(first.status == 0, "\(first)")
            #expect(place.folder.names(in: "runs/run/checkpoints/step-00000003").count == 64 + 2)
            let result = try place.train([total])
            #expect(result.status == 0, "\(result)")

            let alone = try Workplace()
            #expect(try alone.train([total]).status == 0)
            let expected = try alone.metrics().losses(1...5)
            #expect(difference(try place.metrics().losses(1...5), expected, within: Self.tolerance) == nil)
        }
    }
}
