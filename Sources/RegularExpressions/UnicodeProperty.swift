// UnicodeProperty - `\p{...}` as members of a bracket expression of PCRE2.

internal import Synchronization

/// A property by its name in a pattern.
struct UnicodeProperty {
    /// The name in PCRE2.
    private let name: String
    /// The members by the standard library; nil for a script, which it does not know.
    private let set: CharacterSet?
    /// Whether letters of another case change the members.
    let dependsOnCase: Bool

    /// General categories by their names.
    private static let categories: [String: Set<Unicode.GeneralCategory>] = {
        let single: [String: Unicode.GeneralCategory] = [
            "Lu": .uppercaseLetter, "Ll": .lowercaseLetter, "Lt": .titlecaseLetter, "Lm": .modifierLetter,
            "Lo": .otherLetter, "Mn": .nonspacingMark, "Mc": .spacingMark, "Me": .enclosingMark,
            "Nd": .decimalNumber, "Nl": .letterNumber, "No": .otherNumber, "Pc": .connectorPunctuation,
            "Pd": .dashPunctuation, "Ps": .openPunctuation, "Pe": .closePunctuation, "Pi": .initialPunctuation,
            "Pf": .finalPunctuation, "Po": .otherPunctuation, "Sm": .mathSymbol, "Sc": .currencySymbol,
            "Sk": .modifierSymbol, "So": .otherSymbol, "Zs": .spaceSeparator, "Zl": .lineSeparator,
            "Zp": .paragraphSeparator, "Cf": .format,
        ]
        var all = single.mapValues { Set([$0]) }
        for major in ["L", "M", "N", "P", "S", "Z"] {
            all[major] = Set(single.filter { $0.key.hasPrefix(major) }.values)
        }
        return all
    }()

    /// Long names of the categories that have short ones.
    private static let longNames = [
        "letter": "L", "mark": "M", "number": "N", "punctuation": "P", "symbol": "S", "separator": "Z",
        "uppercaseletter": "Lu", "lowercaseletter": "Ll", "titlecaseletter": "Lt", "modifierletter": "Lm",
        "otherletter": "Lo", "nonspacingmark": "Mn", "spacingmark": "Mc", "enclosingmark": "Me",
        "decimalnumber": "Nd", "letternumber": "Nl", "othernumber": "No",
    ]

    /// - Throws: for a name that is neither a category nor a script of PCRE2.
    init(_ given: String) throws(RegularExpressionError) {
        guard given.utf8.allSatisfy({ $0 == UInt8(ascii: "_") || Character(Unicode.Scalar($0)).isLetter }),
            !given.isEmpty
        else { throw RegularExpressionError("the property \\p{\(given)} is not known") }
        let name = Self.longNames[given.lowercased().filter { $0 != "_" }] ?? given
        if let categories = Self.categories[name] {
            self.name = name
            set = Self.known(name, categories)
            dependsOnCase = ["Lu", "Ll", "Lt"].contains(name)
            return
        }
        dependsOnCase = false
        if name == "Alphabetic" {
            (self.name, set) = ("Alphabetic", .alphabetic)
        } else if name == "White_Space" {
            (self.name, set) = ("White_Space", .space)
        } else {
            // PCRE2 takes a name alone for Script_Extensions.
            self.name = "sc:" + name
            set = nil
            do { _ = try RegularExpression(translated: "\\p{\(self.name)}") } catch {
                throw RegularExpressionError("the property \\p{\(given)} is not known")
            }
        }
    }

    /// Members of a bracket expression that stand for the characters with the property.
    var members: String {
        guard let set else { return "\\p{\(name)}" + (name == "sc:Han" ? Self.newIdeographs : "") }
        return Self.text(name, set)
    }

    /// Members of a bracket expression that stand for the characters without the property.
    ///
    /// - Throws: for a script, whose members PCRE2 alone knows.
    func otherMembers() throws(RegularExpressionError) -> String {
        guard let set else {
            throw RegularExpressionError("\\P{\(name.dropFirst(3))} in brackets, or \\p{^...}, is not supported")
        }
        return set.inverted.members
    }

    // MARK: - The installed PCRE2

    private struct Tables {
        var sets: [String: CharacterSet] = [:]
        var texts: [String: String] = [:]
    }

    private static let tables = Mutex(Tables())

    private static func known(_ name: String, _ categories: Set<Unicode.GeneralCategory>) -> CharacterSet {
        if let set = tables.withLock({ $0.sets[name] }) { return set }
        let set = CharacterSet(categories: categories)
        tables.withLock { $0.sets[name] = set }
        return set
    }

    /// PCRE2's own property with what it lacks; all ranges where it has too many characters.
    ///
    /// Why: PCRE2 finds a property by a table, and searches ranges one by one.
    private static func text(_ name: String, _ set: CharacterSet) -> String {
        if let text = tables.withLock({ $0.texts[name] }) { return text }
        let own = ownSet("\\p{\(name)}")
        let text =
            own.map { $0.subtracting(set).ranges.isEmpty ? "\\p{\(name)}" + set.subtracting($0).members : set.members }
            ?? set.members
        tables.withLock { $0.texts[name] = text }
        return text
    }

    private static let newIdeographs: String = {
        guard let own = ownSet("\\p{sc:Han}") else { return CharacterSet.ideographs.members }
        return CharacterSet.ideographs.subtracting(own).members
    }()

    /// UTF-8 of all characters that can have properties, once.
    private static let allCharacters: [UInt8] = {
        var bytes: [UInt8] = []
        for code in CharacterSet.planes.joined() {
            if let scalar = Unicode.Scalar(code), let encoded = UTF8.encode(scalar) { bytes += encoded }
        }
        return bytes
    }()

    /// The characters that PCRE2 finds by `pattern`; nil where it does not know it.
    private static func ownSet(_ pattern: String) -> CharacterSet? {
        guard let expression = try? RegularExpression(translated: pattern + "+") else { return nil }
        let text = allCharacters
        var set = CharacterSet(ranges: [])
        do {
            try expression.withMatcher { matcher throws(RegularExpressionError) in
                try matcher.forEachMatch(in: text, 0..<text.count) { match in
                    // Matches may run across the surrogates and the planes that are left out.
                    for scalar in String(decoding: text[match], as: UTF8.self).unicodeScalars {
                        set.append(scalar.value)
                    }
                }
            }
        } catch { return nil }
        return set
    }
}
