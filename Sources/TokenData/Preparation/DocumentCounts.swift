// DocumentCounts - what came out of a text: by domain, and what was left out, by reason.

/// How much of one domain there is.
public struct DomainCount: Codable, Equatable, Sendable {
    /// `meta.pile_set_name`; nil for documents that name none.
    public var name: String?
    public var documents = 0
    /// End tokens included.
    public var tokens = 0
    /// UTF-8 bytes of text.
    public var bytes = 0
}

/// Documents, tokens and bytes by domain, in the order in which the domains first appear.
struct DomainCounts: Sendable {
    /// Domains that are counted by themselves; what bounds memory when every document names another.
    static let most = 1024
    /// The name under which the others are counted.
    static let others = "(other names)"

    private(set) var list: [DomainCount] = []
    private var places: [String?: Int] = [:]

    mutating func add(_ count: DomainCount) {
        let place = place(of: count.name)
        list[place].documents += count.documents
        list[place].tokens += count.tokens
        list[place].bytes += count.bytes
    }

    private mutating func place(of name: String?) -> Int {
        if let place = places[name] { return place }
        guard list.count < Self.most || name == Self.others else { return place(of: Self.others) }
        places[name] = list.count
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

/// Lines and files that were left out.
public struct SkippedCounts: Codable, Equatable, Sendable {
    /// One line, or one whole file.
    public struct Example: Codable, Equatable, Sendable {
        public var file: String?
        public var line: Int?
        public var problem: String
    }

    /// How often a reason applied.
    public struct Reason: Codable, Equatable, Sendable {
        public var problem: String
        public var count: Int
    }

    /// Examples that are kept.
    static let mostExamples = 10

    /// In the order in which the reasons first apply.
    public private(set) var reasons: [Reason] = []
    /// The first, in the order of the input.
    public private(set) var examples: [Example] = []

    init() {}

    public var count: Int { reasons.reduce(0) { $0 + $1.count } }

    /// - Parameter reason: in words of few kinds; nil: the example's.
    mutating func add(_ example: Example, reason: String? = nil) {
        add(Reason(problem: reason ?? example.problem, count: 1))
        addExample(example)
    }

    /// Adds what a chunk of `file` skipped, whose lines are counted from 1 after the file's first `linesBefore`.
    mutating func add(_ chunk: SkippedCounts, file: String, linesBefore: Int) {
        for reason in chunk.reasons { add(reason) }
        for example in chunk.examples {
            addExample(Example(file: file, line: example.line.map { $0 + linesBefore }, problem: example.problem))
        }
    }

    private mutating func addExample(_ example: Example) {
        if examples.count < Self.mostExamples { examples.append(example) }
    }

    private mutating func add(_ reason: Reason) {
        if let place = reasons.firstIndex(where: { $0.problem == reason.problem }) {
            reasons[place].count += reason.count
        } else {
            reasons.append(reason)
        }
    }
}
