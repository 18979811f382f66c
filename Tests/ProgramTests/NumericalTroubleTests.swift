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
                #expect(row.isNull(kind == "nan-loss" ? "loss" : "grad_norm") == (step == 3), "\(row.text)")
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
                names: ["3 steps in a row were skipped", "step 5", "rank 1", "sequences 42 ..< 45"])
        }

        @Test func aFaultThatIsNotUnderstoodIsRefused() throws {
            let place = try Workplace()
            let program = try place.start(place.arguments([]), variables: ["MILE_FAULT": "nan-loss:2"])
            expectOneMessage(program.wait(limit: 60), status: 2, names: ["MILE_FAULT has \"nan-loss:2\""])
        }

        /// Without learning the losses are noise, which passes a low threshold: some steps are skipped, and a stop in between
        /// changes nothing. The parameters stand still, the moments tell.
        @Test func spikesAreSkippedAcrossAStopToo() throws {
            let set = [
                "training.spike_z_score=1.2", "training.reproducible=true", "schedule.total_steps=60",
                "optimizer.learning_rate=0.0", "training.maximum_skipped_steps=50",
            ]
            let straight = try Workplace()
            let result = try straight.train(set)
            #expect(result.status == 0, "\(result)")
            let rows = try straight.metrics().steps
            let skipped = rows.filter { $0.value.isTrue("skipped") }.keys.sorted()
            #expect(!skipped.isEmpty && skipped.allSatisfy { $0 > 32 }, "\(skipped)")
            #expect(result.warnings.count == skipped.count, "\(result)")
            #expect(result.warnings.allSatisfy { $0.contains("standard deviations above the last") }, "\(result)")
            // The loss was finite, and is written.
            for step in skipped { #expect(rows[step]?.number("loss") != nil) }

            let first = try #require(skipped.first)
            let place = try Workplace()
            #expect(try place.train(set + ["training.stop_at_step=\(first - 1)"], ranks: 2).status == 0)
            #expect(try place.train(set).status == 0)
            let again = try place.metrics().steps.filter { $0.value.isTrue("skipped") }.keys.sorted()
            #expect(again == skipped)
            let (expected, actual) = (
                try straight.inspect("runs/run/checkpoints"), try place.inspect("runs/run/checkpoints")
            )
            #expect(actual.hashes("first_moment") == expected.hashes("first_moment"))
            // Without the guard nothing is skipped, and the moments are others.
            let off = try Workplace()
            #expect(try off.train(Array(set.dropFirst())).status == 0)
            #expect(try off.inspect("runs/run/checkpoints").hashes("first_moment") != expected.hashes("first_moment"))
        }
    }
}
