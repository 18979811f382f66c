// DomainNames - domains as parts of file names.

internal import TokenData
internal import InputFiles

/// The domains with outputs of their own, and their names made safe for files.
struct DomainNames: Sendable {
    /// Maximum number of domains with outputs of their own, which is a configuration's maximum too.
    static let most = Mixture.blockSize
    /// Longest safe name in bytes. File systems allow 255, prefix and ending included.
    static let longest = 160

    private let most: Int
    /// Domains by safe name.
    private(set) var domains: [String: String] = [:]

    init(most: Int = Self.most) { self.most = most }

    /// A name safe for files: letters, digits, `.`, `-` and `_` stay; runs of other characters become one `_`, or
    /// nothing at the ends. "Wikipedia (en)" gives "Wikipedia_en".
    static func safe(_ name: String) -> String {
        name.split { !$0.isLetter && !$0.isNumber && $0 != "." && $0 != "-" && $0 != "_" }.joined(separator: "_")
    }

    /// The reason why a name is no part of a file's name: its safe name is empty or too long. Nil for a usable one.
    static func problem(_ name: String) -> String? {
        let safe = safe(name)
        guard safe.isEmpty || safe.utf8.count > longest else { return nil }
        return "\"meta.pile_set_name\" cannot be part of a file's name"
    }

    /// The remedy for ``problem(_:)``.
    static let nameRemedy = "allowed: up to \(longest) bytes, with a letter or digit among them"

    /// Adds a domain.
    ///
    /// - Throws: ``DataError`` for an unusable name, for two domains with one safe name, and for too many domains.
    mutating func add(_ domain: String) throws {
        let safe = Self.safe(domain)
        func failure(_ problem: String, _ remedy: String) -> DataError {
            DataError(key: "--split-domains", problem: problem, remedy: remedy)
        }
        if let known = domains[safe] {
            guard known != domain else { return }
            let (first, second) = known < domain ? (known, domain) : (domain, known)
            throw failure(
                "\"\(first)\" and \"\(second)\" would both be -\(safe)",
                "rename one in the input, or leave out --split-domains")
        }
        guard Self.problem(domain) == nil else {
            throw failure("\"\(domain.prefix(80))\" cannot be part of a file's name", Self.nameRemedy)
        }
        guard domains.count < most else {
            throw failure(
                "there are more than \(most) domains; one of them is \"\(domain.prefix(80))\"",
                "allowed: at most \(most): give domains one name in the input, or leave out --split-domains")
        }
        domains[safe] = domain
    }
}
