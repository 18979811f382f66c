// HangDetector - how ranks that have waited too long find out which ranks are late, without the help of the late ones.
//
// A rank whose wait exceeds the limit sends an inquiry to all others. Every rank that waits answers, however long it
// has waited. A rank that is stopped, computes or reads a file does not. After a period of grace the inquirer reports
// the ranks that have not answered. A late rank may still arrive during the grace. If that moves the inquirer's wait,
// the inquiry is forgotten. If the rank only answers, everybody waits for the time of another limit.
//
// Rank 0 inquires first. It may be the one that hangs, so the other ranks inquire as well, later the higher their
// number. A rank that was asked leaves the matter to the lower rank that asked. It inquires in the end if nothing comes
// of that.

internal import Glibc

/// When a rank does what, in seconds.
struct HangDetectorTimes: Equatable {
    /// The longest that a wait should take.
    let limit: Double
    /// How long an inquirer listens for answers.
    let grace: Double

    /// A wait shorter than this takes no part, so that ordinary ones cost nothing.
    static let quiet = 0.1

    /// - Parameter limit: the longest that a wait should take, in seconds.
    init(limit: Double) {
        self.limit = limit
        // Enough for ranks that poll every few milliseconds, even on a machine that is busy with other things.
        grace = max(2, limit / 10)
    }

    /// The wait after which `rank` inquires: one grace more with each doubling of its number.
    ///
    /// Why: even where a thousand low ranks are gone it does not take long, and inquiries hardly ever cross.
    func turn(of rank: Int) -> Double { limit + grace * log2(1 + Double(rank)) }

    /// How long a rank that was asked leaves the matter to the inquirer, and waits after an inquiry in vain.
    var patience: Double { 3 * grace }
}

/// The inquiries and answers of one rank.
final class HangDetector {
    private enum Tag {
        static let inquiry: Int32 = 1
        static let answer: Int32 = 2
    }

    /// The inquiry of this rank that is under way.
    private struct Inquiry {
        /// Tells answers to this inquiry from those to earlier ones.
        let round: Int
        /// When the wait that it belongs to last moved, in seconds.
        let since: Double
        /// When the inquirer stops listening, in seconds.
        let end: Double
        /// Answers by rank.
        var reports: [Int: RankReport]
    }

    let times: HangDetectorTimes
    private let controlMessages: ControlMessages
    private let hosts: [String]
    private var inquiry: Inquiry?
    /// When another rank inquired, or an inquiry came to nothing, in seconds.
    private var lastInquiry = -Double.infinity

    /// Inquiries that this rank has made.
    private(set) var inquiryCount = 0
    /// Inquiries of others that this rank has answered.
    private(set) var answerCount = 0

    /// Ranks that have reported to the inquiry under way, this one included; 0 when there is none.
    var reportCount: Int { inquiry?.reports.count ?? 0 }

    /// - Parameter hosts: names of the nodes of all ranks.
    init(_ controlMessages: ControlMessages, hosts: [String], times: HangDetectorTimes) {
        precondition(hosts.count == controlMessages.size, "\(hosts.count) hosts for \(controlMessages.size) ranks")
        self.controlMessages = controlMessages
        self.hosts = hosts
        self.times = times
    }

    /// Inquires, answers and collects answers as far as it is time, without waiting. A rank that waits calls it now and
    /// then.
    ///
    /// - Parameters:
    ///   - since: when the rank's wait last moved, in seconds of any clock.
    ///   - now: the time of that clock.
    ///   - place: the C function waited for, and what the program is doing; only asked for during an inquiry.
    /// - Returns: at the end of an inquiry that this rank has made, who is late; nil if the last ones have only just
    ///   come.
    /// - Throws: an error of the library, or of code ``MPIError/Code/internal`` for a message that is no part of an
    ///   inquiry.
    func poll(
        since: Double, now: Double, at site: CallSite, place: () -> (operation: String, activity: String)
    ) throws(MPIError) -> StragglerReport? {
        guard now - since >= HangDetectorTimes.quiet else { return nil }
        func report() -> RankReport {
            let (operation, activity) = place()
            return RankReport(
                rank: controlMessages.rank, operation: operation, activity: activity, seconds: now - since)
        }
        // The wait has moved since the inquiry.
        if let inquiry, inquiry.since != since { self.inquiry = nil }
        while let message = try controlMessages.receive(at: site) { try read(message, now, at: site, report) }
        if var ended = inquiry {
            guard now >= ended.end else { return nil }
            inquiry = nil
            ended.reports[controlMessages.rank] = report()
            let outcome = StragglerReport(limit: times.limit, hosts: hosts, reports: ended.reports.values)
            guard outcome.isStall else {
                lastInquiry = now
                return nil
            }
            return outcome
        }
        if now - since >= times.turn(of: controlMessages.rank), now - lastInquiry >= times.patience {
            try inquire(since, now, at: site, report())
        }
        return nil
    }

    /// Answers an inquiry, or notes an answer.
    private func read(
        _ message: ControlMessages.Message, _ now: Double, at site: CallSite, _ report: () -> RankReport
    ) throws(MPIError) {
        switch message.tag {
        case Tag.inquiry:
            guard let round = RankReport.decode(message.bytes) else { throw garbled(message, at: site) }
            let answer = report().encoded(round: round)
            try controlMessages.send(answer, to: message.sender, tag: Tag.answer, at: site)
            answerCount += 1
            lastInquiry = now
            // One report is enough: of two ranks that inquire at the same time the lower goes on.
            if message.sender < controlMessages.rank { inquiry = nil }
        case Tag.answer:
            guard let (round, report) = RankReport.decode(message.bytes, rank: message.sender) else {
                throw garbled(message, at: site)
            }
            if round == inquiry?.round { inquiry?.reports[message.sender] = report }
        default: throw garbled(message, at: site)
        }
    }

    /// Asks all others, for the wait since `since`; ``poll(since:now:at:place:)`` decides when.
    func inquire(_ since: Double, _ now: Double, at site: CallSite, _ report: RankReport) throws(MPIError) {
        inquiryCount += 1
        // No earlier inquiry through the same control messages has this number, since every inquiry sends something.
        let round = controlMessages.sentCount
        inquiry = Inquiry(
            round: round, since: since, end: now + times.grace, reports: [controlMessages.rank: report])
        for other in 0..<controlMessages.size where other != controlMessages.rank {
            try controlMessages.send(RankReport.encode(round), to: other, tag: Tag.inquiry, at: site)
        }
    }

    private func garbled(_ message: ControlMessages.Message, at site: CallSite) -> MPIError {
        site.error(
            .internal, "MPI_Irecv",
            "rank \(message.sender) has sent what is no part of a roll call; do all ranks run the same program?")
    }
}
