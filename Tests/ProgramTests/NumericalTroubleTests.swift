// NumericalTroubleTests - a NaN on one rank: all skip the step, name where it came from, and end when it does not stop.

import TestSupport
import Testing

extension ProgramTests {
    @Suite struct NumericalTroubleTests {
        /// Rank 2 of 4 has sequences 5 ..< 7 of each ten; step 3 begins with sequence 20.
        @Test(arguments: ["nan-loss", "nan-gradient"], [true, false])
        func aStepIsSkippedAndItsPlaceNamed(kind: String, reproducible: Bool) throws {
            let place = try Workplace()
            let set = ["training.reproducible=\(reproducible)", "training.micro_batch_size=2"]
            let result = try place.start(
                place.arguments(set), ranks: 4, variables: ["MILE_FAULT": "\(kind):2:3"]
            ).wait(limit: 60)
            #expect(result.status == 0, "\(result)")
            #expect(result.warnings.count == 1, "\(result)")
            let warning = try #require(result.warnings.first)
            let sequences = reproducible ? "24 ..< 26" : "25 ..< 27"
            for part in ["step 3 was skipped", "rank 2", "sequences \(sequences)"] {
                #expect(warning.contains(part), "\(warning)")
            }
            #expect(!warning.contains("rank 0") && !warning.contains("rank 1") && !warning.contains("rank 3"))
            let rows = try place.metrics().steps
            #expect(rows.keys.sorted() == [1, 2, 3, 4, 5, 6])
            for (step, row) in rows {
                #expect(row.isTrue("skipped") == (step == 3), "\(row.text)")
                #expect(row.isNull("grad_norm") == (step == 3), "\(row.text)")
            }
        }

        @Test func tooManyInARowEndTheRun() throws {
            let place = try Workplace()
            let faults = (3...6).map { "nan-loss:1:\($0)" }.joined(separator: ",")
            let result = try place.start(
                place.arguments(["training.maximum_skipped_steps=2"]), ranks: 4, variables: ["MILE_FAULT": faults]
            ).wait(limit: 60)
            expectOneMessage(
                result, status: 1,
                names: ["3 steps in a row were not finite", "step 5", "rank 1", "sequences 42 ..< 45"])
        }
    }
}
