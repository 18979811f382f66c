// GroupedNumber - large numbers with a comma after every three digits.

/// Texts of whole numbers for people.
package enum GroupedNumber {
    /// `6,427 MiB`, rounded up.
    package static func mebibytes(_ bytes: Int) -> String { "\(text((bytes + (1 << 20) - 1) >> 20)) MiB" }

    /// `6,738,415,616`.
    package static func text(_ number: Int) -> String {
        var digits = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0 && index % 3 == 0 { digits.append(",") }
            digits.append(digit)
        }
        return String(digits.reversed())
    }
}
