// RankReport - a rank's answer to an inquiry, and its form in a message.

/// Where a rank waits.
struct RankReport: Equatable {
    let rank: Int
    /// The C function whose operation it waits for.
    let operation: String
    /// What the rank is doing, as the program describes it.
    let activity: String
    /// How long nothing has moved, in seconds.
    let seconds: Double
}

extension RankReport {
    /// Bytes before the texts: 8 of the inquiry's round, 8 of the milliseconds.
    private static let headerCount = 16

    /// The message: round and milliseconds, the operation, a zero byte, the activity. Too long an activity is cut so
    /// that the message has at most ``ControlMessages/capacity`` bytes.
    func encoded(round: Int) -> [UInt8] {
        // Beyond any run, and within what an Int holds.
        let milliseconds = Int((min(max(seconds, 0), 1e12) * 1000).rounded())
        let bytes = Self.encode(round) + Self.encode(milliseconds) + Array(operation.utf8) + [0] + Array(activity.utf8)
        return Array(bytes.prefix(ControlMessages.capacity))
    }

    /// The round and the report in a message of `rank`; nil for bytes that are no report.
    static func decode(_ bytes: [UInt8], rank: Int) -> (round: Int, report: RankReport)? {
        guard bytes.count >= headerCount, let round = decode(bytes[..<8]), let time = decode(bytes[8..<headerCount]),
            let end = bytes[headerCount...].firstIndex(of: 0)
        else { return nil }
        let report = RankReport(
            rank: rank, operation: String(decoding: bytes[headerCount..<end], as: UTF8.self),
            activity: String(decoding: bytes[(end + 1)...], as: UTF8.self), seconds: Double(time) / 1000)
        return (round, report)
    }

    /// A number in eight bytes, the lowest byte first.
    static func encode(_ number: Int) -> [UInt8] {
        stride(from: 0, to: 64, by: 8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// The number in eight bytes, the lowest byte first; nil for another count.
    static func decode(_ bytes: some Collection<UInt8>) -> Int? {
        guard bytes.count == 8 else { return nil }
        return bytes.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    }
}
