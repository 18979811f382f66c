// ByteText - byte counts as text.

internal import Reporting

/// Byte counts as text, in the largest unit of which there are at least ten.
enum ByteText {
    static func of(_ bytes: Int) -> String {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where bytes >= 10 << shift {
            return "\(GroupedNumber.text(bytes >> shift)) \(unit)"
        }
        return "\(GroupedNumber.text(bytes)) bytes"
    }
}
