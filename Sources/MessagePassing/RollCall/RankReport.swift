// RankReport - what a rank says at a roll call, and its form in a message.

/// Where a rank waits.
struct RankReport: Equatable {
    let rank: Int
    /// The C function whose operation it waits for.
    let operation: String
    /// What it is doing, in its program's words.
    let activity: String
    /// How long nothing has moved.
    let seconds: Double
}

extension RankReport {
    /// Bytes before the texts: the round that is answered, and milliseconds.
    private static let headerCount = 16

    /// A message: round and milliseconds, the operation, a zero, the activity, which is cut where it is too long.
    func encoded(round: Int) -> [UInt8] {
        // Beyond any run, and within what an Int holds.
        let milliseconds = Int((min(max(seconds, 0), 1e12) * 1000).rounded())
        let bytes = Self.encode(round) + Self.encode(milliseconds) + Array(operation.utf8) + [0] + Array(activity.utf8)
        return Array(bytes.prefix(Mailbox.capacity))
    }

    /// Reads a message of `rank`; nil if it is none.
    static func decode(_ bytes: [UInt8], rank: Int) -> (round: Int, report: RankReport)? {
        guard bytes.count >= headerCount, let round = decode(bytes[..<8]), let time = decode(bytes[8..<headerCount]),
            let end = bytes[headerCount...].firstIndex(of: 0)
        else { return nil }
        let report = RankReport(
            rank: rank, operation: String(decoding: bytes[headerCount..<end], as: UTF8.self),
            activity: String(decoding: bytes[(end + 1)...], as: UTF8.self), seconds: Double(time) / 1000)
        return (round, report)
    }

    /// A number in eight bytes, the lowest first.
    static func encode(_ number: Int) -> [UInt8] {
        stride(from: 0, to: 64, by: 8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// The number in eight bytes; nil for another count.
    static func decode(_ bytes: some Collection<UInt8>) -> Int? {
        guard bytes.count == 8 else { return nil }
        return bytes.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    }
}
