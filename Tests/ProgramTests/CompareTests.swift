// CompareTests - `compare` on runs that were trained: two losses, two seeds.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct CompareTests {
        private static let arms = [(name: "cross_entropy", file: "ce"), (name: "mile 2", file: "mile")]

        /// Trains runs/ce-1, runs/ce-2, runs/mile-1 and runs/mile-2.
        private func trained() throws -> Workplace {
            let place = try Workplace()
            for (file, loss) in [("ce", ["loss.kind=cross_entropy"]), ("mile", ["loss.kind=mile", "loss.gamma=2"])] {
                for seed in [1, 2] {
                    let result = try place.train(
                        loss + ["training.seed=\(seed)", "logging.directory=runs/\(file)-\(seed)"])
                    #expect(result.status == 0, "\(result)")
                }
            }
            return place
        }

        private static let runs = ["runs/ce-1", "runs/mile-2", "runs/ce-2", "runs/mile-1"]

        @Test func tableReportAndJSON() throws {
            let place = try trained()
            let table = try place.run(["compare"] + Self.runs)
            #expect(table.status == 0, "\(table)")
            #expect(table.errors.isEmpty, "\(table)")
            for part in ["step 6, seeds 1, 2", "\nvalidation_ce ", " cross_entropy ", "mile 2", "domains.held-out"] {
                #expect(table.output.contains(part), "\(part): \(table)")
            }
            #expect(table.outputLines.last == "report.html: the report", "\(table)")
            let report = try place.folder.text("report.html")
            for part in ["<!DOCTYPE html>", "runs/mile-1", "cross_entropy", "mile 2", "<svg"] {
                #expect(report.contains(part), "\(part)")
            }

            let json = try place.run(["compare"] + Self.runs + ["--json", "--output", "other.html"])
            #expect(json.status == 0, "\(json)")
            #expect(json.outputLines.count == 1, "\(json)")
            #expect(try place.folder.text("other.html") == report)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            #expect(object["seeds"] as? [Int] == [1, 2])
            #expect((object["arms"] as? [[String: Any]])?.map { $0["name"] as? String } == Self.arms.map(\.name))
            // The very text of the rows: what is printed reads back to the same bits.
            var values: [String: [Double]] = [:]
            for arm in Self.arms {
                for seed in [1, 2] {
                    let directory = "runs/\(arm.file)-\(seed)"
                    let row = try #require(try place.metrics(directory).evaluations[6])
                    let value = try #require(row.number("validation_ce"))
                    values[arm.file, default: []].append(value)
                    let run =
                        #"{"directory": "\#(directory)", "seed": \#(seed), "values": {"validation_ce": \#(value), "#
                    #expect(json.output.contains(run), "\(run): \(json)")
                }
            }
            let (ce, mile) = (try #require(values["ce"]), try #require(values["mile"]))
            // Other losses and other seeds are other models.
            #expect(Set(ce + mile).count == 4)
            let difference = ((mile[0] - ce[0]) + (mile[1] - ce[1])) / 2
            #expect(json.output.contains(#""column": "validation_ce", "pairs": 2, "difference": \#(difference), "#))
        }

        /// One rank works, and speaks.
        @Test func sameUnderMPI() throws {
            let place = try trained()
            let alone = try place.run(["compare"] + Self.runs + ["--json"])
            let three = try place.run(["compare"] + Self.runs + ["--json"], ranks: 3)
            #expect(three.status == 0, "\(three)")
            #expect(three.output == alone.output, "\(three)")
        }

        /// The files have the same path and are other ones: the checkpoints know, wherever they lie.
        @Test func otherDataUnderTheSamePathAreRefused() throws {
            let place = try Workplace()
            func train(_ kind: String, _ more: [String] = []) throws {
                let result = try place.train(["loss.kind=\(kind)", "logging.directory=runs/\(kind)"] + more)
                #expect(result.status == 0, "\(result)")
            }
            try train("cross_entropy")
            try train("focal", ["checkpoint.directory=elsewhere"])
            try place.folder.write(Workplace.words(2000, seed: 3), to: "text.txt")
            try train("mile")
            var result = try place.run(["compare", "runs/cross_entropy", "runs/focal"])
            #expect(result.status == 0 && result.output.contains("in the checkpoints of all runs;"), "\(result)")
            for (other, name) in [("cross_entropy", "cross_entropy"), ("focal", "focal 1")] {
                result = try place.run(["compare", "runs/\(other)", "runs/mile", "--baseline", name], ranks: 2)
                expectOneMessage(
                    result, status: 2,
                    names: ["other data under the same paths", "data.train text: runs/\(other) has ", "runs/mile has "])
            }
            // A directory that is another run's by now says nothing of this one.
            try place.folder.remove("runs/mile/checkpoints")
            try place.folder.copy("elsewhere", to: "runs/mile/other")
            let file = "runs/mile/configuration.yaml"
            let moved = try place.folder.text(file).replacing("runs/mile/checkpoints", with: "runs/mile/other")
            #expect(moved.contains("runs/mile/other"))
            try place.folder.write(moved, to: file)
            result = try place.run(["compare", "runs/cross_entropy", "runs/mile"])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("1 of 2 runs, and by their paths alone"), "\(result)")
            #expect(result.output.contains("(runs/mile has no checkpoint that can be read)"), "\(result)")
        }

        /// What a run began with, and what was changed on its way, as its directory tells.
        @Test func runsThatWereNotTrainedAlikeAreFound() throws {
            let place = try Workplace()
            func train(_ name: String, _ set: [String], _ options: [String] = []) throws {
                let result = try place.train(["logging.directory=runs/\(name)"] + set, options: options)
                #expect(result.status == 0, "\(result)")
            }
            try train("ce", ["loss.kind=cross_entropy"])
            try train("warm", ["loss.kind=mile"], ["--initialize-from", "runs/ce/checkpoints"])
            try train("late", ["loss.kind=cross_entropy", "training.stop_at_step=5"])
            try train("late", ["loss.kind=focal"])
            try train("batch", ["loss.kind=mile", "training.global_batch_size=4", "training.stop_at_step=2"])
            // Continued in another directory, which gets the rows of the first.
            try train("moved", ["loss.kind=mile"], ["--resume", "runs/batch/checkpoints"])
            var result = try place.run(["compare", "runs/ce", "runs/warm"])
            expectOneMessage(
                result, status: 2,
                names: ["same weights", "runs/warm began with those of runs/ce/checkpoints/step-00000006"])
            result = try place.run(["compare", "runs/ce", "runs/late"])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains(" cross_entropy up to step 5, then focal 1 "), "\(result)")
            #expect(!result.output.contains("came about"), "\(result)")
            result = try place.run(["compare", "runs/ce", "runs/moved"])
            expectOneMessage(
                result, status: 2,
                names: ["training.global_batch_size: runs/ce has 10, runs/moved has 4 up to step 2, then 10"])
            // As an earlier version left it: compared by its last configuration, which is said.
            try place.folder.remove("runs/late/starts.jsonl")
            result = try place.run(["compare", "runs/ce", "runs/late"])
            #expect(result.status == 0 && result.output.contains("How runs/late came about is not known"), "\(result)")
        }

        @Test func mistakesAreNamed() throws {
            let place = try Workplace()
            #expect(try place.train(["loss.kind=cross_entropy", "logging.directory=runs/ce"]).status == 0)
            #expect(try place.train(["loss.kind=mile", "logging.directory=runs/mile"]).status == 0)
            #expect(
                try place.train([
                    "loss.kind=focal", "logging.directory=runs/stopped", "evaluation.every=2",
                    "training.stop_at_step=4",
                ]).status == 0)
            for ranks in [1, 3] {
                var result = try place.run(["compare", "runs/ce", "runs/absent"], ranks: ranks)
                expectOneMessage(result, status: 2, names: ["runs/absent/configuration.yaml", "no such file"])
                result = try place.run(["compare", "runs/ce", "runs/stopped"], ranks: ranks)
                expectOneMessage(
                    result, status: 2,
                    names: [
                        "runs/ce was last evaluated after step 6",
                        "runs/stopped: step 4 of 4 (training.stop_at_step), last evaluated after step 4",
                    ])
                #expect(!place.folder.exists("report.html"))
            }
            // As if both had been cut off after the same evaluation.
            for loss in ["cross_entropy", "mile"] {
                let directory = "runs/cut-\(loss)"
                #expect(
                    try place.train([
                        "loss.kind=\(loss)", "logging.directory=\(directory)", "evaluation.every=2",
                        "training.stop_at_step=4",
                    ]).status == 0)
                let file = "\(directory)/configuration.yaml"
                let whole = try place.folder.text(file).replacing("stop_at_step: 4", with: "stop_at_step: 0")
                #expect(whole.contains("stop_at_step: 0"))
                try place.folder.write(whole, to: file)
            }
            var result = try place.run(["compare", "runs/cut-cross_entropy", "runs/cut-mile"])
            expectOneMessage(
                result, status: 2,
                names: ["unfinished", "runs/cut-mile: step 4 of 6 (schedule.total_steps), last evaluated after step 4"])
            result = try place.run(["compare", "runs/ce", "runs/mile", "--output", "absent/report.html"])
            expectOneMessage(result, status: 2, names: ["--output", "absent/report.html"])
            result = try place.run(["compare", "runs/ce", "runs/mile", "--baseline", "focal 1"])
            expectOneMessage(result, status: 2, names: ["--baseline", "\"focal 1\"", "\"mile 1\""])
            result = try place.run(["compare", "runs/ce", "runs/mile", "--confidence", "95"])
            expectOneMessage(result, status: 2, names: ["--confidence", "95.0", "above 0, below 1"])
            result = try place.run(["compare"])
            expectOneMessage(result, status: 2, names: ["Usage: mile-dist compare"])
            // One pair is no mistake, and no evidence.
            result = try place.run(["compare", "runs/ce", "runs/mile"])
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("One pair for each arm"), "\(result)")
        }
    }
}
