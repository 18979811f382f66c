// SkippedCounts - lines and files that were left out, counted by reason.

/// Counts and examples of lines and files that were left out.
public struct SkippedCounts: Codable, Equatable, Sendable {
    /// One line, or one whole file.
    public struct Example: Codable, Equatable, Sendable {
        public var file: String?
        public var line: Int?
        public var problem: String

        package init(file: String? = nil, line: Int? = nil, problem: String) {
            self.file = file
            self.line = line
            self.problem = problem
        }
    }

    /// A reason, and the number of lines or files with it.
    public struct Reason: Codable, Equatable, Sendable {
        public var problem: String
        public var count: Int
    }

    /// Maximum number of examples.
    package static let mostExamples = 10

    /// The reasons, in order of their first use.
    public private(set) var reasons: [Reason] = []
    /// The first examples, in the order of the input.
    public private(set) var examples: [Example] = []

    package init() {}

    public var count: Int { reasons.reduce(0) { $0 + $1.count } }

    /// Lines for people: a headline, the reasons, the first examples.
    public var lines: [String] {
        guard count > 0 else { return [] }
        return ["\(count) lines or files were skipped:"] + reasons.map { "  \($0.count) times: \($0.problem)" }
            + examples.map { example in
                let location = [example.file, example.line.map(String.init)].compactMap(\.self).joined(separator: ":")
                return "  \(location): \(example.problem)"
            } + (count > examples.count ? ["  ..."] : [])
    }

    /// Adds a line or a file.
    ///
    /// - Parameters:
    ///   - example: the line or file.
    /// - reason: the problem without its location, by which lines are counted; nil: the example's problem.
    package mutating func add(_ example: Example, reason: String? = nil) {
        add(Reason(problem: reason ?? example.problem, count: 1))
        addExample(example)
    }

    /// Adds the counts of a chunk of `file`, whose line 1 follows the file's first `linesBefore` lines.
    package mutating func add(_ chunk: SkippedCounts, file: String, linesBefore: Int) {
        for reason in chunk.reasons { add(reason) }
        for example in chunk.examples {
            addExample(Example(file: file, line: example.line.map { $0 + linesBefore }, problem: example.problem))
        }
    }

    private mutating func addExample(_ example: Example) {
        if examples.count < Self.mostExamples { examples.append(example) }
    }

    private mutating func add(_ reason: Reason) {
        if let index = reasons.firstIndex(where: { $0.problem == reason.problem }) {
            reasons[index].count += reason.count
        } else {
            reasons.append(reason)
        }
    }
}
