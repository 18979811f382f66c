// SignalTests - signals at any moment, on shapes that oneDNN computes: the run ends as it should, and no thread that
// computes ever runs a handler.

import Foundation
import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct SignalTests {
        /// How many runs get a signal; `make torture` sends a thousand.
        static let count = ProcessInfo.processInfo.environment["MILE_SIGNALS"].flatMap { Int($0) } ?? 60

        /// A run that gets one signal.
        struct Case: CustomStringConvertible, Sendable {
            let number: Int
            let signal: Int32
            let blas: String
            let precision: String
            let ranks: Int
            let threads: Int
            /// Milliseconds from ``moment`` to the signal.
            let delay: Int
            let moment: Moment

            enum Moment: CaseIterable, Sendable {
                /// From the program's first instruction on: libraries, MPI, tokens, memory.
                case startUp
                /// From the first row on: steps, an evaluation every third, a save every fifth.
                case steps
                /// From the last row but two on: the last steps, the last save, the end.
                case end
            }

            init(number: Int) {
                var generator = SeededGenerator(seed: UInt64(1000 + number))
                func pick<Value>(_ values: [Value]) -> Value { values[Int(generator.next() % UInt64(values.count))] }
                self.number = number
                signal = pick([SIGUSR1, SIGTERM, SIGINT, SIGHUP])
                blas = pick(["onednn", "onednn", "auto", "openblas"])
                precision = pick(["fp32", "bf16"])
                moment = pick([.startUp, .steps, .steps, .end])
                // mpirun has no handlers yet when it starts itself.
                ranks = moment == .startUp || number % 10 != 0 ? 1 : 3
                threads = pick([1, 2])
                delay = Int(generator.next() % 400)
            }

            var description: String {
                "case \(number): signal \(signal), \(blas), \(precision), \(ranks) x \(threads), \(delay) ms after \(moment)"
            }

            var set: [String] {
                [
                    "model.hidden_size=256", "model.intermediate_size=1024", "model.num_attention_heads=4",
                    "model.num_hidden_layers=2", "model.vocab_size=2000", "data.sequence_length=32",
                    "training.global_batch_size=6", "training.micro_batch_size=2", "training.threads=\(threads)",
                    "training.blas=\(blas)", "training.precision=\(precision)", "evaluation.every=3",
                    "checkpoint.every=5", "checkpoint.keep=1",
                    "schedule.total_steps=\(moment == .end ? 8 : 1_000_000)",
                ]
            }
        }

        @Test(.twoSlots) func everyRunEndsAsItShould() throws {
            // Two at a time: what a single one leaves of two cores is the other's, and signals come at odd moments.
            let failures = try Parallel.map(0..<Self.count, width: 2) { try Self.failure(of: Case(number: $0)) }
            let messages = failures.compactMap { $0 }
            #expect(messages.isEmpty, "\(messages.count) of \(Self.count):\n\(messages.joined(separator: "\n"))")
        }

        /// What is wrong with the end of a run; nil where nothing is.
        private static func failure(of test: Case) throws -> String? {
            let place = try Workplace()
            let program = try place.start(place.arguments(test.set), ranks: test.ranks)
            let rows = test.moment == .steps ? 1 : 6
            let hasCome = { test.moment == .startUp ? blocksSignals(program) : place.rowCount() >= rows }
            guard RunningProgram.poll(limit: 60, until: { hasCome() || !program.isRunning }) else {
                return "\(test): no row came: \(program.wait(limit: 1))"
            }
            usleep(UInt32(1000 * test.delay))
            // What mpirun forwards; the other signals would end mpirun itself.
            program.signal(test.ranks > 1 ? SIGUSR1 : test.signal)
            let result = program.wait(limit: 60)
            // The time limit ends a run by a signal of its own, which says nothing of the first one.
            guard !result.timedOut else { return "\(test): the signal was not noticed: \(result)" }
            if result.status == 0 && result.output.contains("done: step 8 of 8") { return nil }
            guard result.status == 75 && result.messages.isEmpty else { return "\(test): \(result)" }
            if result.output.contains("stopped early, before the first step") { return nil }
            guard let last = place.checkpoints().last else { return "\(test): nothing is saved: \(result)" }
            guard result.output.contains("stopped early at step \(Int(last.dropFirst(5)) ?? -1)") else {
                return "\(test): \(last) is the newest checkpoint: \(result)"
            }
            return nil
        }

        /// Whether the program has begun. Before, while the system loads it, a signal ends it as it ends any process.
        private static func blocksSignals(_ program: RunningProgram) -> Bool {
            let id = program.processIdentifier
            return (try? openSignals(process: id, task: "\(id)")).map { $0 & 1 << UInt64(SIGUSR1 - 1) == 0 } ?? false
        }

        /// The signals that a thread does not block, as a set of bits: 1 for signal 1.
        private static func openSignals(process: Int32, task: String) throws -> UInt64 {
            let status = try String(contentsOfFile: "/proc/\(process)/task/\(task)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") })
            return ~(try #require(UInt64(line.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16)))
        }

        /// Every thread but one holds the awaited signals back, OpenBLAS's own and MPI's too; and the first thread, which
        /// computes, is not that one.
        @Test func oneThreadAloneReceivesSignals() throws {
            let place = try Workplace()
            let arguments = place.arguments([ExitStatusTests.endless, "training.threads=2", "training.blas=onednn"])
            let program = try place.start(arguments)
            #expect(place.waitForRows(3, of: program), "\(program.outputSoFar)")
            let id = program.processIdentifier
            let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")
            #expect(tasks.count >= 3)
            for signal in [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGPROF] {
                let open = try tasks.filter {
                    try Self.openSignals(process: id, task: $0) & 1 << UInt64(signal - 1) != 0
                }
                #expect(open.count == 1 && open != ["\(id)"], "signal \(signal): \(open)")
            }
            program.signal(SIGUSR1)
            let result = program.wait(limit: 30)
            #expect(result.status == 75, "\(result)")
        }

        /// A profiler that is loaded into the program interrupts it a thousand times a second of computing.
        @Test(arguments: ["onednn", "openblas"]) func aProfilersHandlerNeverRunsWhereItIsComputed(blas: String) throws {
            let place = try Workplace()
            try place.folder.write(Self.profiler, to: "profiler.c")
            let compiler = try RunningProgram(
                tool: "/usr/bin/env", ["cc", "-shared", "-fPIC", "-o", "profiler.so", "profiler.c"],
                in: place.folder.path
            ).wait(limit: 60)
            #expect(compiler.status == 0, "\(compiler)")
            let set = Case(number: 1).set + ["training.blas=\(blas)", "training.threads=2", "schedule.total_steps=20"]
            let result = try place.start(
                place.arguments(set), variables: ["LD_PRELOAD": place.folder.path("profiler.so")]
            ).wait(limit: 60)
            #expect(result.status == 0, "\(result)")
            let line = try #require(result.errorLines.first { $0.hasPrefix("profiler: ") }, "\(result)")
            let words = line.split(separator: " ").compactMap { Int($0) }
            #expect(words.count == 2 && words[0] >= 20 && words[1] == 0, "\(line)")
        }

        /// Counts the calls of its handler, and those on the first thread or on more than one other.
        private static let profiler = """
            #define _GNU_SOURCE
            #include <errno.h>
            #include <signal.h>
            #include <stdio.h>
            #include <string.h>
            #include <sys/syscall.h>
            #include <sys/time.h>
            #include <unistd.h>
            static volatile int calls, wrong, receiver;
            static void handle(int number) {
                int thread = (int)syscall(SYS_gettid);
                if (!receiver && thread != getpid()) receiver = thread;
                __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
                if (thread != receiver) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
            }
            static void report(void) { dprintf(2, "profiler: %d calls, %d on another thread\\n", calls, wrong); }
            __attribute__((constructor)) static void start(void) {
                // Not in `env`, which starts the program: its timer would go on, without a handler.
                if (strcmp(program_invocation_short_name, "mile-dist") != 0) return;
                struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
                struct itimerval timer = {{0, 1000}, {0, 1000}};
                sigaction(SIGPROF, &action, 0);
                setitimer(ITIMER_PROF, &timer, 0);
            }
            __attribute__((destructor)) static void stop(void) { if (calls) report(); }
            """

        /// Whoever starts the program with SIGHUP ignored, as nohup does, means it.
        @Test func aHangupThatIsIgnoredStaysIgnored() throws {
            let place = try Workplace()
            let program = try RunningProgram(
                tool: "/bin/sh",
                ["-c", "trap '' HUP; exec \"$0\" \"$@\"", RunningProgram.executable]
                    + place.arguments([ExitStatusTests.endless]), in: place.folder.path)
            #expect(place.waitForRows(3, of: program), "\(program.outputSoFar)")
            program.signal(SIGHUP)
            let rows = place.rowCount()
            #expect(place.waitForRows(rows + 20, of: program), "\(program.outputSoFar)")
            program.signal(SIGTERM)
            #expect(program.wait(limit: 30).status == 75)
        }

        /// Commands without anything to save die of a signal as any program does.
        @Test(.alone, arguments: [SIGTERM, SIGINT, SIGHUP, SIGUSR1])
        func otherCommandsEndByTheSignal(number: Int32) throws {
            let place = try Workplace()
            let program = try place.start(["bench", "gemm", "--json"])
            usleep(200_000)
            program.signal(number)
            let result = program.wait(limit: 20)
            #expect(result.status == 128 + number && !result.timedOut, "\(result)")
        }

        /// Tokens of a long text are not waited for, and the command can be given again.
        @Test(.alone, arguments: [SIGTERM, SIGUSR1]) func aStopDuringStartUpIsPrompt(number: Int32) throws {
            let place = try Workplace()
            // A gigabyte takes seconds.
            let path = place.folder.path("text.txt")
            let status = unsafe truncate(path, 1 << 30)
            #expect(status == 0)
            let program = try place.start(place.arguments([ExitStatusTests.endless]))
            usleep(600_000)
            program.signal(number)
            let begin = ContinuousClock.now
            let result = program.wait(limit: 30)
            #expect(ContinuousClock.now - begin < .seconds(3), "\(result)")
            #expect(result.status == 75 && result.messages.isEmpty, "\(result)")
            #expect(result.output.contains("stopped early, before the first step: nothing is lost"), "\(result)")
            #expect(place.checkpoints().isEmpty)
        }
    }
}
