// PrepareTests - `prepare` as its users meet it: ranks, stops, mistakes, and training on what it wrote.

import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct PrepareTests {
        private static let domains = ["Books", "Code", "Wikipedia (en)"]

        /// So many documents of seeded words, of a quarter of a kilobyte to some kilobytes.
        private static func lines(_ count: Int, seed: UInt64 = 1) -> String {
            (0..<count).map { number in
                let text = Workplace.words(50 + number * 37 % 700, seed: seed + UInt64(number))
                return "{\"text\": \"\(text)\", \"meta\": {\"pile_set_name\": \"\(domains[number % 3])\"}}\n"
            }.joined()
        }

        private static func arguments(_ output: String, _ files: [String], _ options: [String] = []) -> [String] {
            ["prepare", "--tokenizer", "bytes", "--output", output] + files + options
        }

        /// Names of the parts that are complete.
        private static func parts(_ place: Workplace, _ output: String) -> [String] {
            place.folder.names(in: output + ".parts").filter { $0.hasPrefix("part-") && !$0.hasSuffix(".new") }
        }

        @Test func everyNumberOfRanksAndThreadsGivesTheSameBytes() throws {
            let place = try Workplace()
            // Several parts of a mebibyte.
            try place.folder.write(Self.lines(3000), to: "a.jsonl")
            let files = ["a.jsonl", "text.txt"]
            for (ranks, threads) in [(1, 1), (1, 2), (2, 1), (3, 2)] {
                let name = "out-\(ranks)-\(threads)"
                let result = try place.run(
                    Self.arguments(name, files, ["--threads", "\(threads)"]), ranks: ranks, limit: 120)
                #expect(result.status == 0 && result.messages.isEmpty, "\(result)")
                #expect(result.output.contains("3001 documents"), "\(result)")
                #expect(result.output.contains("  Wikipedia (en): 1000 documents"), "\(result)")
                #expect(!place.folder.exists(name + ".parts"))
                for ending in [".bin", ".idx"] {
                    let same = try place.folder.bytes(name + ending) == place.folder.bytes("out-1-1" + ending)
                    #expect(same, "\(name)\(ending)")
                }
            }
            // What would not be the same.
            #expect(try place.run(Self.arguments("other", files.reversed())).status == 0)
            #expect(try place.folder.bytes("other.bin") != place.folder.bytes("out-1-1.bin"))
        }

        /// Standard input of two ranks and of one, a pipe, a directory and a pattern.
        @Test func everyFormGivesTheSameBytes() throws {
            let place = try Workplace()
            try place.folder.makeFolder("shards")
            let (first, second) = (Self.lines(300), Self.lines(200, seed: 9))
            try place.folder.write(first + second, to: "a.jsonl")
            try place.folder.write(first, to: "shards/1.JSONL")
            try place.folder.write(second, to: "shards/2.ndjson")
            try place.folder.write("no text", to: "shards/README")
            #expect(try place.run(Self.arguments("plain", ["a.jsonl"])).status == 0)
            let command = "\"$0\" prepare --tokenizer bytes --output"
            let ranks = "mpirun --oversubscribe -n 2 \(command)"
            for (name, script) in [
                ("stdin", "\(command) stdin - < a.jsonl"), ("packed", "gzip -c a.jsonl | \(command) packed -"),
                ("ranks", "cat a.jsonl | \(ranks) ranks -"),
                ("pipe", "mkfifo p; cat a.jsonl > p & \(command) pipe ./p"), ("folder", "\(command) folder shards"),
                ("pattern", "\(command) pattern 'shards/*.[Jn]*'"),
            ] {
                let result = try RunningProgram(
                    tool: "/bin/sh", ["-c", script, RunningProgram.executable], in: place.folder.path
                ).wait(limit: 60)
                #expect(result.status == 0 && result.output.contains("500 documents"), "\(name): \(result)")
                #expect(result.errors.contains("1 file is ignored") == (name == "folder"), "\(name): \(result)")
                #expect(!place.folder.exists(name + ".parts"), "\(name)")
                for ending in [".bin", ".idx"] {
                    let same = try place.folder.bytes(name + ending) == place.folder.bytes("plain" + ending)
                    #expect(same, "\(name)\(ending)")
                }
            }
        }

        /// Text that is not named as such, and a stop before the end.
        @Test func aStreamThatIsNotReadLeavesNothing() throws {
            let place = try Workplace()
            let command = "\"$0\" prepare --tokenizer bytes --output x"
            for (script, status, words) in [
                ("echo plain text, and more of it | \(command) -", 2, "--input-format txt"),
                (
                    "mkfifo p; \(command) p & while ! test -e x.parts/stream-0.unfinished; do sleep 0.1; done; kill -TERM $!; "
                        + "wait $!", 75, "stopped by a signal while standard input or a pipe was read"
                ),
            ] {
                let result = try RunningProgram(
                    tool: "/bin/sh", ["-c", script, RunningProgram.executable], in: place.folder.path
                ).wait(limit: 60)
                let isSaid = result.output.contains(words) || result.messages.contains { $0.contains(words) }
                #expect(result.status == status && isSaid, "\(result)")
                #expect(!place.folder.exists("x.parts"), "\(script)")
            }
        }

        /// A program in the place of Python writes two rows and is killed.
        @Test func aReaderOfParquetThatEndsLeavesNothing() throws {
            let place = try Workplace()
            try place.folder.write(Array("PAR1 a table PAR1".utf8), to: "a.parquet")
            let rows = "{\"text\":\"a\"}\n{\"text\":\"b\"}\n"
            let header = "\\0\(String(rows.utf8.count, radix: 8))\\0\\0\\0" + String(repeating: "\\0", count: 8)
            let whole = "printf 'MILEROWS\(header)'; printf '%s\\n' '{\"text\":\"a\"}' '{\"text\":\"b\"}'"
            let end = "; printf '\(String(repeating: "\\0", count: 12))\\2\(String(repeating: "\\0", count: 7))'"
            for (name, script, words) in [
                ("killed", whole + "; kill -9 $$", "was killed by signal 9 in the middle of the file"),
                ("absent", "echo No module >&2; exit 3", "pip install pyarrow"), ("whole", whole + end, nil),
            ] as [(String, String, String?)] {
                let command = """
                    printf '#!/bin/sh\\n%s\\n' "$1" > python; chmod +x python
                    MILE_PYTHON=./python "$0" prepare --tokenizer bytes --output \(name) a.parquet
                    """
                let result = try RunningProgram(
                    tool: "/bin/sh", ["-c", command, RunningProgram.executable, script], in: place.folder.path
                ).wait(limit: 60)
                #expect((result.status == 0) == (words == nil), "\(result)")
                #expect(
                    words.map { result.errors.contains($0) } ?? result.output.contains("2 documents, 4 tokens"),
                    "\(result)")
                #expect(place.folder.exists(name + ".bin") == (words == nil))
                #expect(place.folder.exists(name + ".idx") == (words == nil))
            }
        }

        @Test func killedInTheMiddleItGoesOn() throws {
            let place = try Workplace()
            let block = Self.lines(1000)
            let copies = (24 << 20) / block.utf8.count
            try place.folder.write(String(repeating: block, count: copies), to: "a.jsonl")
            let command = Self.arguments("out", ["a.jsonl"], ["--threads", "1"])
            let program = try place.start(command)
            let isUnderWay = RunningProgram.poll(limit: 60) {
                Self.parts(place, "out").count >= 3 || !program.isRunning
            }
            program.signal(SIGKILL)
            let killed = program.wait()
            #expect(isUnderWay && killed.status == 128 + SIGKILL, "\(killed)")
            let before = Self.parts(place, "out").count
            #expect(before >= 3 && before < 23 && !place.folder.exists("out.idx"))

            let result = try place.run(command, ranks: 2, limit: 120)
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("going on, \(before) parts are there already"), "\(result)")
            #expect(result.output.contains(" parts, \(before) of them from an earlier start"), "\(result)")
            let straight = try place.run(Self.arguments("straight", ["a.jsonl"]), limit: 120)
            #expect(straight.status == 0 && straight.output.contains(" parts, 0 of them"), "\(straight)")
            for ending in [".bin", ".idx"] {
                #expect(try place.folder.bytes("out" + ending) == place.folder.bytes("straight" + ending))
            }
        }

        @Test(arguments: [1, 3]) func malformedLines(ranks: Int) throws {
            let place = try Workplace()
            try place.folder.write(Self.lines(4) + "\nnonsense\n{\"text\": 3}\n" + Self.lines(2), to: "bad.jsonl")
            try place.folder.write(Self.lines(3), to: "good.jsonl")
            let command = Self.arguments("out", ["good.jsonl", "bad.jsonl"])
            let failed = try place.run(command + ["--on-error", "fail"], ranks: ranks)
            expectOneMessage(
                failed, status: 2, names: ["bad.jsonl:6: the line is not valid JSON", "JSON object with a string"])
            #expect(!place.folder.exists("out.bin"))

            let result = try place.run(command, ranks: ranks)
            #expect(result.status == 0 && result.warnings.count == 1, "\(result)")
            for words in [
                "2 lines or files were skipped", "  1 times: \"text\" is not a string",
                "  1 times: the line is not valid JSON\n", "  bad.jsonl:6: the line is not valid JSON: at column 2",
                "  bad.jsonl:7: \"text\" is not a string",
            ] {
                #expect(result.errors.contains(words), "\(words): \(result)")
            }
            #expect(result.output.contains("9 documents") && result.output.contains("1 blank lines"), "\(result)")
            let summary = try JSONObject(try place.folder.text("out.json"))
            #expect(summary.number("documents") == 9 && summary.number("skipped_count") == 2)

            let again = try place.run(command, ranks: ranks)
            #expect(again.status == 0 && again.output.contains("nothing to do"), "\(again)")
            let strict = try place.run(command + ["--on-error", "fail"], ranks: ranks)
            expectOneMessage(strict, status: 2, names: ["--on-error", "2 lines or files were skipped"])
        }

        /// What was skipped is shown where nothing is left, and the mended file needs no other command.
        @Test func nothingThatCanBeUsed() throws {
            let place = try Workplace()
            try place.folder.write("{\"content\": \"x\"}\n", to: "a.jsonl")
            let command = Self.arguments("out", ["a.jsonl"])
            let failed = try place.run(command, ranks: 2)
            expectOneMessage(
                failed, status: 2,
                names: ["no document that can be used", "1 lines or files", "a.jsonl:1: the object has no \"text\""])
            #expect(place.folder.names().filter { $0.hasPrefix("out") }.isEmpty)
            try place.folder.write("{\"text\": \"x\"}\n", to: "a.jsonl")
            let result = try place.run(command)
            #expect(result.status == 0 && result.output.contains("1 documents"), "\(result)")
        }

        /// The pair of a run becomes shorter under it: an error that names the file, and no crash.
        @Test(arguments: [1, 3]) func aPairThatShrinksUnderARun(ranks: Int) throws {
            let place = try Workplace()
            #expect(try place.run(Self.arguments("pair", ["text.txt"])).status == 0)
            let program = try place.start(
                place.arguments(["data.train.0.path=pair", "schedule.total_steps=1000000"]), ranks: ranks)
            let isRunning = place.waitForRows(3, of: program)
            #expect(unsafe truncate(place.folder.path("pair.bin"), 1000) == 0)
            let result = program.wait(limit: 30)
            #expect(isRunning && !result.timedOut && result.status == 1, "\(result)")
            #expect(result.errors.contains("pair.bin: the file became shorter while it was in use"), "\(result)")
            #expect(!result.errors.contains("Signal") && !result.errors.contains("crash"), "\(result)")
        }

        @Test func domainsHaveOutputsOfTheirOwn() throws {
            let place = try Workplace()
            try place.folder.write(Self.lines(30), to: "a.jsonl")
            let result = try place.run(Self.arguments("out", ["a.jsonl"], ["--split-domains"]), ranks: 2)
            #expect(result.status == 0, "\(result)")
            let names = place.folder.names().filter { $0.hasPrefix("out") }
            let pairs = ["Books", "Code", "Wikipedia_en"].flatMap { ["out-\($0).bin", "out-\($0).idx"] }
            #expect(names == pairs + ["out.json"])
            let text = try place.run(Self.arguments("other", ["text.txt"], ["--split-domains", "--on-error", "fail"]))
            expectOneMessage(text, status: 2, names: ["text.txt", "pile_set_name"])
        }

        /// Ids are ids: the same losses to the last bit. With another text they are others.
        @Test func trainsAsOnTheText() throws {
            let place = try Workplace()
            for (output, file) in [("pair", "text.txt"), ("other", "held-out.txt")] {
                let result = try place.run(Self.arguments(output, [file]))
                #expect(result.status == 0 && result.output.contains("\(output).bin, .idx: 1 documents"), "\(result)")
                #expect(result.output.contains("(uint16)"), "\(result)")
            }
            func losses(_ path: String) throws -> [Double] {
                let result = try place.train(["data.train.0.path=\(path)", "logging.directory=runs/\(path)"])
                #expect(result.status == 0, "\(result)")
                return try place.metrics("runs/\(path)").losses(1...6)
            }
            let expected = try losses("text.txt")
            #expect(try losses("pair") == expected)
            #expect(try losses("other") != expected)
        }

        @Test func anExistingOutputIsNotReplacedUnasked() throws {
            let place = try Workplace()
            #expect(try place.run(Self.arguments("out", ["text.txt"])).status == 0)
            let before = try place.folder.bytes("out.bin")
            let other = Self.arguments("out", ["held-out.txt"])
            let refused = try place.run(other, ranks: 2)
            expectOneMessage(
                refused, status: 2,
                names: ["--output", "prepared from another input", "files are text.txt", "--overwrite"])
            #expect(try place.folder.bytes("out.bin") == before)
            let replaced = try place.run(other + ["--overwrite"])
            #expect(replaced.status == 0, "\(replaced)")
            #expect(try place.folder.bytes("out.bin") != before)
            #expect(!place.folder.exists("out.parts"))
        }

        @Test(.enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"))
        func aFullDiskIsAnErrorAndTheRestGoesOn() throws {
            let place = try Workplace()
            // Four parts of 2 MiB fit beside the filler; joined they do not fit once more.
            try place.folder.write(String(repeating: "sixteen letters ", count: 1 << 18), to: "long.txt")
            let disk = try SmallDisk(in: place.folder, "small", mebibytes: 24)
            defer { withExtendedLifetime(disk) {} }
            try place.folder.write([UInt8](repeating: 1, count: 12 << 20), to: "small/filler")
            let command = Self.arguments("small/out", ["long.txt"])
            let failed = try place.run(command, ranks: 2)
            expectOneMessage(
                failed, status: 1,
                names: ["small/out.parts/joined-0.bin", "No space left on device", "run the same command again"])
            disk.empty()
            let result = try place.run(command, ranks: 2)
            #expect(result.status == 0 && result.output.contains("4 parts, 4 of them from"), "\(result)")
            #expect(place.folder.names(in: "small") == ["out.bin", "out.idx", "out.json"])
        }

        @Test(arguments: [
            (["--tokenizer", "bytes", "--output", "out"], ["Missing expected argument", "<files>"]),
            (["--output", "out", "text.txt"], ["--tokenizer"]),
            (["--tokenizer", "words", "--output", "out", "text.txt"], ["--tokenizer", "\"words\""]),
            (["--tokenizer", "bytes", "--output", "out", "absent.txt"], ["absent.txt", "no such file"]),
            (
                ["--tokenizer", "bytes", "--output", "out", "run.yaml"],
                ["run.yaml", "allowed: .txt, .jsonl, .json"]
            ),
            (["--tokenizer", "bytes", "--output", "out.idx", "text.txt"], ["--output", "without the ending"]),
            (["--tokenizer", "bytes", "--output", "out", "text.txt", "--on-error", "ignore"], ["--on-error", "skip"]),
            (["--tokenizer", "bytes", "--output", "out", "text.txt", "--threads", "-1"], ["--threads"]),
        ])
        func badArguments(arguments: [String], names: [String]) throws {
            let place = try Workplace()
            let before = place.folder.everything()
            for ranks in [1, 2] {
                expectOneMessage(try place.run(["prepare"] + arguments, ranks: ranks), status: 2, names: names)
            }
            #expect(place.folder.everything() == before)
        }

        /// Counted with Python's json.
        @Test(
            .enabled(
                if: SharedData.path("train-00.jsonl.zst") != nil, "the shared texts are not part of the repository"))
        func realTexts() throws {
            let place = try Workplace()
            let file = try #require(SharedData.path("train-00.jsonl.zst"))
            for ranks in [1, 2] {
                let result = try place.run(Self.arguments("out-\(ranks)", [file]), ranks: ranks, limit: 120)
                #expect(result.status == 0, "\(result)")
                #expect(result.output.contains("668 documents, 8001306 tokens of 8000638 bytes"), "\(result)")
                for domain in ["Gutenberg: 150", "PythonCode: 203", "Shakespeare: 45", "SwiftCode: 270"] {
                    #expect(result.output.contains("  \(domain) documents"), "\(result)")
                }
            }
            #expect(try place.folder.bytes("out-1.bin") == place.folder.bytes("out-2.bin"))
            #expect(try place.folder.bytes("out-1.idx") == place.folder.bytes("out-2.idx"))
        }
    }
}
