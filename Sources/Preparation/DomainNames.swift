// DomainNames - domains as parts of file names.

internal import TokenData
internal import InputFiles

/// The domains that have outputs of their own, and their names made safe for files.
struct DomainNames: Sendable {
    /// Most domains with outputs of their own: what a configuration's list may hold.
    static let most = Mixture.blockSize
    /// Longest safe name, in bytes: file systems allow 255 with all that is added.
    static let longest = 160

    private let most: Int
    /// Domains by safe name.
    private(set) var domains: [String: String] = [:]

    init(most: Int = Self.most) { self.most = most }

    /// Letters, digits, `.`, `-` and `_` stay; runs of anything else become one `_`, and none at the ends:
    /// "Wikipedia (en)" gives "Wikipedia_en".
    static func safe(_ name: String) -> String {
        name.split { !$0.isLetter && !$0.isNumber && $0 != "." && $0 != "-" && $0 != "_" }.joined(separator: "_")
    }

    /// Why no file can have a name: nothing of it remains, or it is too long; nil for one that a file can have.
    static func problem(_ name: String) -> String? {
        let safe = safe(name)
        guard safe.isEmpty || safe.utf8.count > longest else { return nil }
        return "\"meta.pile_set_name\" cannot be part of a file's name"
    }

    /// What ``problem(_:)`` allows.
    static let nameRemedy = "allowed: up to \(longest) bytes, with a letter or digit among them"

    /// Notes a domain.
    ///
    /// - Throws: ``DataError`` for a name of which nothing remains, one that would be the same as another's, and for too
    ///   many.
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
