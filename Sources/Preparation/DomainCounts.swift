// DomainCounts - documents, tokens and bytes by domain.

/// Documents, tokens and bytes of one domain.
public struct DomainCount: Codable, Equatable, Sendable {
    /// `meta.pile_set_name`; nil for documents without one.
    public var name: String?
    public var documents = 0
    /// Number of tokens, end tokens included.
    public var tokens = 0
    /// Number of UTF-8 bytes of text.
    public var bytes = 0
}

/// Documents, tokens and bytes by domain, in order of the domains' first documents.
struct DomainCounts: Sendable {
    /// Name of the domain that counts all domains beyond the maximum.
    static let others = "(other names)"

    private let most: Int
    private(set) var list: [DomainCount] = []
    private var indexes: [String?: Int] = [:]

    /// - Parameter most: maximum number of domains counted separately. Why: it bounds memory where every document names
    ///   another.
    init(most: Int = 1024) { self.most = most }

    mutating func add(_ count: DomainCount) {
        let index = index(of: count.name)
        list[index].documents += count.documents
        list[index].tokens += count.tokens
        list[index].bytes += count.bytes
    }

    private mutating func index(of name: String?) -> Int {
        if let index = indexes[name] { return index }
        guard list.count < most || name == Self.others else { return index(of: Self.others) }
        indexes[name] = list.count
        list.append(DomainCount(name: name))
        return list.count - 1
    }

    var total: DomainCount {
        list.reduce(into: DomainCount()) {
            $0.documents += $1.documents
            $0.tokens += $1.tokens
            $0.bytes += $1.bytes
        }
    }
}
