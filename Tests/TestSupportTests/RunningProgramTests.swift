// RunningProgramTests - how the end of a program is seen.

import Glibc
import TestSupport
import Testing

@Suite struct RunningProgramTests {
    private func shell(_ script: String, variables: [String: String] = [:]) throws -> RunningProgram {
        try RunningProgram(tool: "/bin/sh", ["-c", script], in: "/usr", variables: variables)
    }

    @Test func statusOutputAndErrors() throws {
        let result = try shell("pwd; echo $SOME; echo wrong >&2; exit 3", variables: ["SOME": "a b"]).wait(limit: 20)
        #expect(result.status == 3 && !result.timedOut)
        #expect(result.output == "/usr\na b\n")
        #expect(result.errors == "wrong\n")
    }

    /// What a program leaves running behind it does not count.
    @Test func aDescendantMayLiveOn() throws {
        let begin = ContinuousClock.now
        let result = try shell("sleep 30 & echo $!; exit 4").wait(limit: 20)
        #expect(result.status == 4 && !result.timedOut)
        #expect(ContinuousClock.now - begin < .seconds(20))
        let descendant = try #require(result.outputLines.first)
        #expect(try shell("kill \(descendant)").wait(limit: 20).status == 0)
    }

    /// A file that a child keeps open stays locked.
    @Test func openFilesAreNotHandedOn() throws {
        let descriptor = unsafe open("/dev/zero", O_RDONLY)
        #expect(descriptor > 2)
        defer { close(descriptor) }
        // 0 to 2 are its own, and one more is the folder that ls reads.
        let result = try shell("ls /proc/self/fd").wait(limit: 20)
        #expect(result.outputLines == ["0", "1", "2", "3"])
    }

    @Test func aSignalsNumberIsInTheStatus() throws {
        let program = try shell("kill -9 $$")
        #expect(program.wait(limit: 20).status == 128 + 9)
        #expect(!program.isRunning)
    }

    @Test func theLimitEndsIt() throws {
        let result = try shell("exec sleep 30").wait(limit: 0.2)
        #expect(result.timedOut && result.status == 128 + 15)
    }
}
