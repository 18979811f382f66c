// OutputTests - standard output that is full, closed, or that nobody reads any more.

import Foundation
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct OutputTests {
        /// Commands whose product is what they print.
        private static let printing: [[String]] = [
            ["--version"], ["--help"], ["inspect", "--help"], ["train", "--help-keys"],
            ["train", "run.yaml", "--print-config"], ["train", "run.yaml", "--print-order", "3"],
            ["train", "run.yaml", "--dry-run"], ["inspect", checkpoints, "--json"], ["inspect", checkpoints],
            ["eval", checkpoints, "--data", "held-out.txt", "--json"],
            ["generate", checkpoints, "--prompt", "the", "--max-tokens", "2"],
            ["plan", "run.yaml", "--ranks", "2", "--gflops", "10"],
            ["doctor", "--json"],
            ["tokenizer", "encode", "--tokenizer", "bytes", "text.txt"],
            ["tokenizer", "decode", "--tokenizer", "bytes", "ids.txt"],
        ]
        private static let checkpoints = "runs/run/checkpoints"

        /// How a shell starts the program.
        private func shell(_ place: Workplace, _ script: String, _ arguments: [String]) throws -> ProgramResult {
            try RunningProgram(
                tool: "/bin/sh", ["-c", script, RunningProgram.executable] + arguments, in: place.folder.path
            ).wait(limit: 60)
        }

        @Test func outputThatCannotBeWrittenIsAnError() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            try place.folder.write("65 66\n", to: "ids.txt")
            for arguments in Self.printing {
                let full = try shell(place, "exec \"$0\" \"$@\" > /dev/full", arguments)
                expectOneMessage(
                    full, status: 1, names: ["standard output cannot be written: No space left on device"])
                #expect(full.errorLines.count == 1, "\(full)")
            }
            let closed = try shell(place, "exec \"$0\" \"$@\" >&-", ["inspect", Self.checkpoints])
            expectOneMessage(closed, status: 1, names: ["standard output cannot be written: Bad file descriptor"])
            // What the command says of itself comes first.
            let bad = try shell(place, "exec \"$0\" \"$@\" > /dev/full", ["inspect", "nowhere"])
            expectOneMessage(bad, status: 3, names: ["nowhere"])
        }

        @Test func aReaderThatHasGoneEndsACommandQuietly() throws {
            let place = try Workplace()
            #expect(try place.train().status == 0)
            let script = "{ \"$0\" \"$@\"; echo \"status $?\" >&2; } | head -n 1"
            let order = try shell(place, script, ["train", "run.yaml", "--print-order", "1000000000000"])
            #expect(order.errorLines == ["status 0"] && order.outputLines.count == 1, "\(order)")
            #expect(order.output.hasPrefix("{\"position\": 0, "), "\(order)")
            // `true` reads nothing: the first write may already fail.
            for arguments in Self.printing.prefix(6) + [["inspect", Self.checkpoints]] {
                let result = try shell(
                    place, "{ sleep 0.05; \"$0\" \"$@\"; echo \"status $?\" >&2; } | true", arguments)
                #expect(result.errorLines == ["status 0"] && result.output == "", "\(result)")
            }
        }

        /// Its product is elsewhere: it says once what is lost, and goes on.
        @Test(arguments: [">&-", "> /dev/full", "| true"]) func trainingGoesOn(redirection: String) throws {
            let place = try Workplace()
            let script = "{ \"$0\" \"$@\"; echo \"status $?\" >&2; } \(redirection)"
            let set = ["schedule.total_steps=40", "checkpoint.every=20"]
            let result = try shell(place, script, place.arguments(set))
            #expect(result.errorLines.last == "status 0", "\(result)")
            // Another one may be about saves, which are slow on a busy disk.
            let warnings = result.warnings.filter { $0.contains("standard output") }
            #expect(warnings.count == 1, "\(result)")
            let words =
                redirection == "| true"
                ? "nobody reads standard output any more" : "standard output cannot be written: "
            #expect(warnings.first?.contains(words) == true, "\(result)")
            // No file got the words that were meant for a person.
            #expect(try place.metrics().steps.count == 40)
            let directory = Self.checkpoints
            #expect(place.checkpoints(directory) == ["step-00000020", "step-00000040"])
            #expect(try place.inspect(directory).object.number("step") == 40)
            let lock = try place.folder.text("runs/run/lock")
            #expect(lock.hasPrefix("host ") && lock.filter { $0 == "\n" }.count == 1, "\(lock)")
        }
    }
}
