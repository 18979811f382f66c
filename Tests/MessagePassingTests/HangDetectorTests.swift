// HangDetectorTests - the parts of the hang detector that need no other rank: times, message formats, words.

import Testing

@testable import MessagePassing

@Suite struct HangDetectorTests {
    private func report(
        _ rank: Int, _ operation: String = "MPI_Iallreduce", _ activity: String = "reduction of step 17",
        _ seconds: Double = 62
    ) -> RankReport {
        RankReport(rank: rank, operation: operation, activity: activity, seconds: seconds)
    }

    private func stragglers(hosts: [String], _ reports: [RankReport]) -> StragglerReport {
        StragglerReport(limit: 60, hosts: hosts, reports: reports)
    }

    // MARK: Times

    @Test func graceIsATenthOfTheLimitAndAtLeastTwoSeconds() {
        #expect(HangDetectorTimes(limit: 3).grace == 2)
        #expect(HangDetectorTimes(limit: 20).grace == 2)
        #expect(HangDetectorTimes(limit: 600).grace == 60)
        #expect(HangDetectorTimes(limit: 600).patience == 180)
    }

    @Test func ranksInquireOneAfterAnother() {
        let times = HangDetectorTimes(limit: 10)
        #expect(times.turn(of: 0) == 10)
        #expect(times.turn(of: 1) == 12)
        #expect(times.turn(of: 3) == 14)
        #expect(times.turn(of: 1023) == 30)
        for rank in 1..<1024 { #expect(times.turn(of: rank) > times.turn(of: rank - 1)) }
    }

    // MARK: Messages

    @Test(arguments: [0, 1, 255, 256, 1 << 40, Int.max, -1]) func numbers(number: Int) {
        let bytes = RankReport.encode(number)
        #expect(bytes.count == 8)
        #expect(RankReport.decode(bytes) == number)
        #expect(RankReport.decode(bytes.dropFirst()) == nil)
        #expect(RankReport.decode(bytes + [0]) == nil)
    }

    @Test func reports() throws {
        for report in [report(3), report(0, "", "", 0), report(7, "MPI_Ibcast", "\u{17C}\u{F3}\u{142}w", 12.345)] {
            let (round, decoded) = try #require(RankReport.decode(report.encoded(round: 9), rank: report.rank))
            #expect(round == 9)
            #expect(decoded == report)
        }
    }

    @Test func aLongReportIsCut() throws {
        let bytes = report(1, "MPI_Ibcast", String(repeating: "x", count: 5000)).encoded(round: 1)
        #expect(bytes.count == ControlMessages.capacity)
        let (_, decoded) = try #require(RankReport.decode(bytes, rank: 1))
        #expect(decoded.operation == "MPI_Ibcast")
        #expect(decoded.activity == String(repeating: "x", count: ControlMessages.capacity - 16 - 11))
    }

    @Test func whatIsNoReport() {
        let bytes = report(1).encoded(round: 1)
        // Without the zero between the texts there is one text too few.
        for count in [0, 7, 8, 15, 16, 20] { #expect(RankReport.decode(Array(bytes.prefix(count)), rank: 1) == nil) }
    }

    // MARK: Words

    @Test func oneRankIsMissing() {
        let outcome = stragglers(hosts: ["a", "a", "b", "b"], [report(3), report(0), report(1)])
        #expect(outcome.missing == [2])
        #expect(
            outcome.message
                == "waited longer than 60 s for rank 2 on b, which has not arrived: stopped, still computing, in file "
                + "I/O, or gone\n  ranks 0, 1, 3 wait in reduction of step 17 (MPI_Iallreduce), for 62 s")
    }

    @Test func ranksOfSeveralNodesAreMissing() {
        let hosts = ["a", "a", "a", "b", "b", "b"]
        let outcome = stragglers(hosts: hosts, [report(2)])
        #expect(outcome.missing == [0, 1, 3, 4, 5])
        #expect(
            outcome.message
                == "waited longer than 60 s for ranks 0, 1 on a, ranks 3-5 on b, which have not arrived: stopped, still "
                + "computing, in file I/O, or gone\n  rank 2 waits in reduction of step 17 (MPI_Iallreduce), for 62 s")
    }

    @Test func thoseThatArrivedAreInDifferentPlaces() {
        let outcome = stragglers(
            hosts: ["a", "a", "a", "a"],
            [report(0, "MPI_Ibcast", "step 3", 61), report(1), report(3, "MPI_Ibcast", "step 3", 64.4)])
        #expect(
            outcome.message.hasSuffix(
                "\n  ranks 0, 3 wait in step 3 (MPI_Ibcast), for 61 to 64 s"
                    + "\n  rank 1 waits in reduction of step 17 (MPI_Iallreduce), for 62 s"))
    }

    @Test func allHaveArrived() {
        let apart = stragglers(hosts: ["a", "a"], [report(0), report(1, "MPI_Ibarrier")])
        #expect(apart.missing.isEmpty)
        #expect(
            apart.message.hasPrefix(
                "waited longer than 60 s, although every rank waits: they wait in different places\n  rank 0 waits in ")
        )
        let together = stragglers(hosts: ["a", "a"], [report(0), report(1)])
        #expect(
            together.message
                == "waited longer than 60 s, although every rank has arrived in the same place: messages do not get "
                + "through\n  ranks 0, 1 wait in reduction of step 17 (MPI_Iallreduce), for 62 s")
    }

    /// Where all are there, what they wait for has the time from the arrival of the last.
    @Test func whatIsAStall() {
        #expect(stragglers(hosts: ["a", "a"], [report(0)]).isStall)
        #expect(stragglers(hosts: ["a", "a"], [report(0), report(1)]).isStall)
        let justArrived = RankReport(rank: 1, operation: "MPI_Ibarrier", activity: "", seconds: 59)
        #expect(!stragglers(hosts: ["a", "a"], [report(0), justArrived]).isStall)
        #expect(stragglers(hosts: ["a", "a", "a"], [report(0), justArrived]).isStall)
    }

    @Test func longListsAreCut() {
        let hosts = (0..<100).map { "node\($0)" }
        let message = stragglers(hosts: hosts, [report(0)]).message
        #expect(message.contains("rank 20 on node20, and 79 more, which have not arrived"))
        #expect(!message.contains("node21"))
    }

    @Test func runsOfRanks() {
        #expect(StragglerReport.ranks([5]) == "rank 5")
        #expect(StragglerReport.ranks([0, 1]) == "ranks 0, 1")
        #expect(StragglerReport.ranks([0, 1, 2, 4, 6, 7, 9, 10, 11]) == "ranks 0-2, 4, 6, 7, 9-11")
    }

    // MARK: Waiting

    @Test func stillnessLastsFromMoveToMove() {
        var waiting = Waiting(deadlineSeconds: nil)
        let (since, first) = waiting.stillness()
        #expect(since == first)
        // The clock of the kernel counts nanoseconds, but nothing promises that it has gone on between two looks.
        var now = first
        while now == first {
            let (again, later) = waiting.stillness()
            #expect(again == since)
            now = later
        }
        waiting.restart()
        #expect(waiting.stillness().since >= now)
        waiting.advance()
        let (third, last) = waiting.stillness()
        #expect(third == last)
    }
}
