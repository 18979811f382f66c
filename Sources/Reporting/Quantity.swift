// Quantity - numbers with units on the command line: 25Gbit/s, 50us, 256GiB.

/// A kind of quantity: the units that an option takes, and the unit of a plain number.
package struct Quantity {
    /// Spellings of units, each with its factor to the base unit. The first unit is that of plain numbers.
    package let units: [(name: String, factor: Double)]
    package let example: String

    /// Bytes per second of a network; vendors state bits.
    package static let networkRate = Quantity(
        units: [
            ("Gbit/s", 1e9 / 8), ("Gbit", 1e9 / 8), ("Mbit/s", 1e6 / 8), ("Mbit", 1e6 / 8), ("GB/s", 1e9),
            ("MB/s", 1e6),
        ], example: "25Gbit/s")
    /// Bytes per second of a file system.
    package static let diskRate = Quantity(units: [("MB/s", 1e6), ("GB/s", 1e9)], example: "500MB/s")
    /// Bytes per second of memory.
    package static let memoryRate = Quantity(units: [("GB/s", 1e9)], example: "200GB/s")
    /// Seconds of latency of a message.
    package static let latency = Quantity(units: [("us", 1e-6), ("ms", 1e-3), ("s", 1)], example: "50us")
    /// Operations per second.
    package static let computeRate = Quantity(units: [("GF/s", 1e9), ("GFLOPS", 1e9), ("TF/s", 1e12)], example: "150")
    /// Bytes of a node's memory.
    package static let memory = Quantity(
        units: [
            ("GiB", 0x1p30), ("MiB", 0x1p20), ("TiB", 0x1p40), ("GB", 1e9), ("MB", 1e6), ("TB", 1e12),
        ], example: "256GiB")
    /// Bytes of a message.
    package static let size = Quantity(
        units: [("MiB", 0x1p20), ("KiB", 0x1p10), ("GiB", 0x1p30), ("B", 1)], example: "64KiB")

    /// Values from here on are refused as a mistake in the unit; they would not fit an integer.
    private static let limit = 0x1p62

    /// The value of `text` in the base unit.
    ///
    /// - Throws: status 2 unless `text` is a decimal number, with at most one point, above 0 and below 2^62 of the base
    ///   unit, followed by one of the units or nothing.
    package func parse(_ text: String, option: String) throws -> Double {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        let factor = unit.isEmpty ? units[0].factor : units.first { $0.name == unit }?.factor
        guard let factor, let value = Double(number), value > 0, value * factor < Self.limit else {
            throw ProgramFailure(
                .badInput,
                "\(option): \"\(text)\" found; allowed: a number above 0 in "
                    + units.map(\.name).joined(separator: ", ")
                    + " (without a unit: \(units[0].name)), such as \(example)",
                isShared: true)
        }
        return value * factor
    }

    /// A list of values: single ones, and ranges `first-last` whose values grow by `step` and end with `last`.
    /// Ascending, each once.
    package static func list(_ text: String, step: Int, option: String, allowed: String, value: (String) throws -> Int)
        throws
        -> [Int]
    {
        var values: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = try part.split(separator: "-", omittingEmptySubsequences: false).map {
                try value(String($0.filter { $0 != " " }))
            }
            guard let first = ends.first, let last = ends.last, ends.count <= 2, first <= last else {
                throw ProgramFailure(.badInput, "\(option): \"\(part)\" found; allowed: \(allowed)", isShared: true)
            }
            var next = first
            while next < last {
                values.insert(next)
                next *= step
            }
            values.insert(last)
        }
        return values.sorted()
    }

    /// Numbers of ranks: `1,2,4` or `1-64`, which doubles.
    package static func ranks(_ text: String) throws -> [Int] {
        let allowed = "ranks from 1 to \(mostRanks), such as 4 or 1,2,4 or 1-64 (each twice the one before)"
        return try list(text, step: 2, option: "--ranks", allowed: allowed) { part in
            guard let ranks = Int(part), (1...mostRanks).contains(ranks) else {
                throw ProgramFailure(.badInput, "--ranks: \"\(text)\" found; allowed: \(allowed)", isShared: true)
            }
            return ranks
        }
    }

    package static let mostRanks = 1 << 16

    /// Sizes in bytes: `4KiB,1MiB` or `4KiB-256MiB`, each four times the one before.
    package static func sizes(_ text: String) throws -> [Int] {
        let allowed =
            "sizes from 8B to 16GiB, such as 1MiB or 4KiB,1MiB or 4KiB-256MiB (each four times the one before)"
        return try list(text, step: 4, option: "--sizes", allowed: allowed) { part in
            let bytes = try size.parse(part, option: "--sizes")
            guard bytes >= 8, bytes <= 0x1p34 else {
                throw ProgramFailure(.badInput, "--sizes: \"\(part)\" found; allowed: \(allowed)", isShared: true)
            }
            return Int(bytes)
        }
    }
}
