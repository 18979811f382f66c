// RollCall - how ranks that have waited too long find out for whom, without the help of those.
//
// A rank whose wait exceeds the limit calls all others. Every rank that waits answers, however long it has waited; one
// that is stopped, computes or reads a file does not. After a period of grace the caller names those that have not
// answered. Should they arrive during the grace, the caller's wait moves, and the call is forgotten; or at least they
// answer, and then what all wait for is given the time of another limit from there on.
//
// Rank 0 calls first. It may be the one that hangs, so the other ranks call as well, later the higher their number,
// unless they have been called: then somebody lower is at it. Should that come to nothing, they call in the end.

internal import Glibc

/// When a rank does what, in seconds.
struct RollCallTimes: Equatable {
    /// The longest that a wait should take.
    let limit: Double
    /// How long a caller listens for answers.
    let grace: Double

    /// A wait shorter than this takes no part, so that ordinary ones cost nothing.
    static let quiet = 0.1

    init(limit: Double) {
        self.limit = limit
        // Enough for ranks that poll every few milliseconds, even on a machine that is busy with other things.
        grace = max(2, limit / 10)
    }

    /// The wait after which `rank` calls: one grace more with each doubling of its number, so that even where a
    /// thousand low ranks are gone it does not take long, and calls hardly ever cross.
    func turn(of rank: Int) -> Double { limit + grace * log2(1 + Double(rank)) }

    /// How long a rank that has been called leaves the matter to the caller, and a call in vain is not repeated.
    var patience: Double { 3 * grace }
}

/// The roll calls of one rank.
final class RollCall {
    private enum Tag {
        static let call: Int32 = 1
        static let answer: Int32 = 2
    }

    /// The call of this rank that is under way.
    private struct Collection {
        /// Tells answers to this call from those to earlier ones.
        let round: Int
        /// Which wait it belongs to.
        let since: Double
        let end: Double
        var reports: [Int: RankReport]
    }

    let times: RollCallTimes
    private let mailbox: Mailbox
    private let hosts: [String]
    private var collection: Collection?
    /// When another rank called, or a call came to nothing.
    private var lastCall = -Double.infinity

    /// Calls that this rank has made.
    private(set) var callCount = 0
    /// Calls of others that this rank has answered.
    private(set) var answerCount = 0

    /// Ranks that have answered the call under way, this one included; 0 when there is none.
    var presentCount: Int { collection?.reports.count ?? 0 }

    /// - Parameter hosts: names of the nodes of all ranks.
    init(_ mailbox: Mailbox, hosts: [String], times: RollCallTimes) {
        precondition(hosts.count == mailbox.size, "\(hosts.count) hosts for \(mailbox.size) ranks")
        self.mailbox = mailbox
        self.hosts = hosts
        self.times = times
    }

    /// Does what is to be done now, without waiting; for a rank that waits to call now and then.
    ///
    /// - Parameters:
    ///   - since: when the rank's wait last moved, in seconds of any clock.
    ///   - now: the time of that clock.
    ///   - place: the C function waited for, and what the program is doing; asked for at a roll call only.
    /// - Returns: who is there, at the end of a roll call that this rank has made, unless the last have only just come.
    func attend(
        since: Double, now: Double, at site: CallSite, place: () -> (operation: String, activity: String)
    ) throws(MPIError) -> Attendance? {
        guard now - since >= RollCallTimes.quiet else { return nil }
        func report() -> RankReport {
            let (operation, activity) = place()
            return RankReport(rank: mailbox.rank, operation: operation, activity: activity, seconds: now - since)
        }
        // What was called for has come.
        if let collection, collection.since != since { self.collection = nil }
        while let letter = try mailbox.receive(at: site) { try read(letter, now, at: site, report) }
        if var ended = collection {
            guard now >= ended.end else { return nil }
            collection = nil
            ended.reports[mailbox.rank] = report()
            let outcome = Attendance(limit: times.limit, hosts: hosts, reports: ended.reports.values)
            guard outcome.isStall else {
                lastCall = now
                return nil
            }
            return outcome
        }
        if now - since >= times.turn(of: mailbox.rank), now - lastCall >= times.patience {
            try call(since, now, at: site, report())
        }
        return nil
    }

    /// Answers a call, or notes an answer.
    private func read(
        _ letter: Mailbox.Letter, _ now: Double, at site: CallSite, _ report: () -> RankReport
    ) throws(MPIError) {
        switch letter.tag {
        case Tag.call:
            guard let round = RankReport.decode(letter.bytes) else { throw garbled(letter, at: site) }
            try mailbox.send(report().encoded(round: round), to: letter.sender, tag: Tag.answer, at: site)
            answerCount += 1
            lastCall = now
            // One message is enough: of two that call at the same time the lower goes on.
            if letter.sender < mailbox.rank { collection = nil }
        case Tag.answer:
            guard let (round, report) = RankReport.decode(letter.bytes, rank: letter.sender) else {
                throw garbled(letter, at: site)
            }
            if round == collection?.round { collection?.reports[letter.sender] = report }
        default: throw garbled(letter, at: site)
        }
    }

    /// Calls all others for the wait since `since`; ``attend(since:now:at:place:)`` decides when.
    func call(_ since: Double, _ now: Double, at site: CallSite, _ report: RankReport) throws(MPIError) {
        callCount += 1
        // A number that no earlier call through the same mailbox has, since every call sends something.
        let round = mailbox.sentCount
        collection = Collection(
            round: round, since: since, end: now + times.grace, reports: [mailbox.rank: report])
        for other in 0..<mailbox.size where other != mailbox.rank {
            try mailbox.send(RankReport.encode(round), to: other, tag: Tag.call, at: site)
        }
    }

    private func garbled(_ letter: Mailbox.Letter, at site: CallSite) -> MPIError {
        site.error(
            .internal, "MPI_Irecv",
            "rank \(letter.sender) has sent what is no part of a roll call; do all ranks run the same program?")
    }
}
