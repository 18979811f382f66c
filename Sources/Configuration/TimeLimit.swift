// TimeLimit - the formats of `training.time_limit`.

/// Reads durations.
enum TimeLimit {
    static let allowed =
        "\"\" (no limit), seconds, minutes, hours or days as in \"90s\", \"30m\", \"12h\", \"2d\", or "
        + "Slurm's \"HH:MM:SS\" and \"D-HH:MM:SS\""

    /// The seconds of `text`; nil for the empty text and for text that is no duration of at least a second.
    ///
    /// `HH` may exceed 23 unless days stand before it. Slurm's shorter forms (`30`, `30:00`) are not read.
    /// Why: Slurm reads them as minutes, and most other programs as seconds.
    static func seconds(_ text: String) -> Int? {
        let seconds = text.contains(":") ? clock(text) : unit(text)
        return seconds.flatMap { $0 > 0 ? $0 : nil }
    }

    private static func unit(_ text: String) -> Int? {
        let factors: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let factor = text.last.flatMap({ factors[$0] }), let count = digits(text.dropLast()) else { return nil }
        return count * factor
    }

    private static func clock(_ text: String) -> Int? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { return nil }
        let fields = parts[parts.count - 1].split(separator: ":", omittingEmptySubsequences: false).map(digits)
        guard fields.count == 3, let hours = fields[0], let minutes = fields[1], let seconds = fields[2] else {
            return nil
        }
        guard minutes < 60, seconds < 60 else { return nil }
        let rest = hours * 3600 + minutes * 60 + seconds
        if parts.count == 1 { return rest }
        guard hours < 24, let days = digits(parts[0]) else { return nil }
        return days * 86_400 + rest
    }

    /// At most nine decimal digits: more would be centuries, and their products could overflow.
    private static func digits(_ text: Substring) -> Int? {
        guard (1...9).contains(text.count), text.allSatisfy({ $0.isASCII && $0.isWholeNumber }) else { return nil }
        return Int(text)
    }
}
