// CharacterSet - sets of characters by properties, of the version of Unicode that Oniguruma has.

/// A set of characters as ascending ranges of code points.
///
/// Why not PCRE2's own properties alone: the installed PCRE2 may know another version of Unicode. Ids would then depend
/// on the machine. The standard library knows in which version a character was added.
struct CharacterSet: Equatable {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    /// The version of Unicode whose characters count; those added later have no property.
    static let newestAge = (major: 16, minor: 0)

    /// Planes 4 to 13 have no characters, plane 14 tags and variation selectors, planes 15 and 16 private ones.
    static let planes: [Range<UInt32>] = [0..<0x40000, 0xE0000..<0xE1000]

    init(ranges: [ClosedRange<UInt32>]) { self.ranges = ranges }

    /// The characters that `isMember` holds for.
    private init(_ isMember: (Unicode.Scalar.Properties) -> Bool) {
        for plane in Self.planes {
            for code in plane {
                guard let scalar = Unicode.Scalar(code), isMember(scalar.properties), Self.isKnown(scalar) else {
                    continue
                }
                append(code)
            }
        }
    }

    private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        guard let age = scalar.properties.age else { return false }
        return (age.major, age.minor) <= newestAge
    }

    /// Adds a code point that is greater than all others.
    mutating func append(_ code: UInt32) {
        if let last = ranges.last, last.upperBound + 1 == code {
            ranges[ranges.count - 1] = last.lowerBound...code
        } else {
            ranges.append(code...code)
        }
    }

    var inverted: CharacterSet {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { result.append(next...0x10FFFF) }
        return CharacterSet(ranges: result)
    }

    /// The members that are not in `other`.
    func subtracting(_ other: CharacterSet) -> CharacterSet {
        var result: [ClosedRange<UInt32>] = []
        var index = 0
        for range in ranges {
            var next = range.lowerBound
            while index < other.ranges.count, other.ranges[index].upperBound < next { index += 1 }
            var cut = index
            while cut < other.ranges.count, other.ranges[cut].lowerBound <= range.upperBound, next <= range.upperBound {
                let taken = other.ranges[cut]
                if taken.lowerBound > next { result.append(next...(taken.lowerBound - 1)) }
                next = max(next, taken.upperBound + 1)
                cut += 1
            }
            if next <= range.upperBound { result.append(next...range.upperBound) }
        }
        return CharacterSet(ranges: result)
    }

    /// The set as members of a bracket expression of PCRE2.
    var members: String {
        func code(_ value: UInt32) -> String { "\\x{" + String(value, radix: 16) + "}" }
        return ranges.flatMap { range -> [ClosedRange<UInt32>] in
            // Surrogates cannot be the ends of a range.
            guard range.overlaps(0xD800...0xDFFF) else { return [range] }
            let below = range.lowerBound < 0xD800 ? [range.lowerBound...0xD7FF] : []
            return below + (range.upperBound > 0xDFFF ? [0xE000...range.upperBound] : [])
        }
        .map { $0.count == 1 ? code($0.lowerBound) : code($0.lowerBound) + "-" + code($0.upperBound) }
        .joined()
    }

    // MARK: - Properties

    /// `\s`: White_Space.
    static let space = CharacterSet(\.isWhitespace)
    /// `\w`: letters, marks, decimal digits and connectors.
    static let word = CharacterSet { properties in
        properties.isAlphabetic
            || [
                .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation,
            ].contains(properties.generalCategory)
    }
    static let alphabetic = CharacterSet(\.isAlphabetic)
    static let ideographs = CharacterSet(\.isUnifiedIdeograph)
    static let hexadecimalDigits = CharacterSet(ranges: [0x30...0x39, 0x41...0x46, 0x61...0x66])

    /// The characters of general categories.
    init(categories: Set<Unicode.GeneralCategory>) { self.init { categories.contains($0.generalCategory) } }
}
