// DomainCounts - documents, tokens and bytes by domain.

public import TokenData

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

/// Counts and examples of bytes of .txt files that are no UTF-8 and were read as U+FFFD.
public struct ReplacedBytes: Codable, Equatable, Sendable {
    /// One file with such bytes.
    public struct File: Codable, Equatable, Sendable {
        public var file: String
        public var bytes: InvalidUTF8
    }

    public private(set) var count = 0
    public private(set) var fileCount = 0
    /// The first files, in the order of the input.
    public private(set) var files: [File] = []

    init() {}

    mutating func add(_ bytes: InvalidUTF8, file: String) {
        guard !bytes.isEmpty else { return }
        count += bytes.count
        fileCount += 1
        if files.count < SkippedCounts.mostExamples { files.append(File(file: file, bytes: bytes)) }
    }

    /// Lines for people: a headline, the first files, a remedy.
    public var lines: [String] {
        guard let first = files.first else { return [] }
        return ["\(count) bytes of \(fileCount) files are no UTF-8, and each was read as U+FFFD:"]
            + files.map { "  \($0.file):\($0.bytes.line): \($0.bytes.words)" }
            + (fileCount > files.count ? ["  ..."] : [])
            + ["  to mend it, \(InvalidUTF8.remedy(first.file))"]
    }
}
