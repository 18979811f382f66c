// ConfigurationError - what is wrong with a configuration: where, what was found, what is allowed.

public import Reporting

/// One or more mistakes in a configuration, in the order of the file and then of the overrides.
public struct ConfigurationError: Error, Sendable, Equatable {
    /// One mistake.
    public struct Issue: Sendable, Equatable {
        /// The key's path, for example `training.micro_batch_size`; empty where the whole text is meant.
        public var key: String
        /// The file's name, or `--set KEY=VALUE` for an override.
        public var file: String
        /// Line of `file`, from 1; nil for overrides and where there is no line to name.
        public var line: Int?
        /// What was found.
        public var found: String
        /// What is allowed instead.
        public var allowed: String

        public init(key: String, file: String, line: Int? = nil, found: String, allowed: String) {
            self.key = key
            self.file = file
            self.line = line
            self.found = found
            self.allowed = allowed
        }
    }

    /// All mistakes that were found; never empty.
    public let issues: [Issue]

    /// An error of at least one issue.
    public init(_ issues: [Issue]) {
        precondition(!issues.isEmpty, "a configuration error needs an issue")
        self.issues = issues
    }

    /// Sorts by place; issues at one place keep their order.
    init(_ issues: [LocatedIssue]) {
        let sorted = issues.enumerated().sorted { left, right in
            left.element.origin == right.element.origin
                ? left.offset < right.offset : left.element.origin < right.element.origin
        }
        self.init(
            sorted.map { _, issue in
                Issue(
                    key: issue.key, file: issue.origin.file, line: issue.origin.line, found: issue.found,
                    allowed: issue.allowed)
            })
    }

    init(at origin: Origin, key: String, found: String, allowed: String) {
        self.init([LocatedIssue(at: origin, key: key, found: found, allowed: allowed)])
    }

    /// The first issue's key.
    public var key: String { issues[0].key }
    /// The first issue's file.
    public var file: String { issues[0].file }
    /// The first issue's line.
    public var line: Int? { issues[0].line }
    /// Text that the first issue found.
    public var found: String { issues[0].found }
    /// What the first issue's key allows.
    public var allowed: String { issues[0].allowed }
}

extension ConfigurationError: CustomStringConvertible {
    /// One line per issue.
    public var description: String { issues.map(\.description).joined(separator: "\n") }
}

extension ConfigurationError.Issue: CustomStringConvertible {
    /// For example `run.yaml:12: training.micro_batch_size: found "four" (string); allowed: an integer from 1 to 9`.
    public var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        let subject = key.isEmpty ? "" : "\(key): "
        return "\(place): \(subject)found \(found); allowed: \(allowed)"
    }
}

/// Where a node was written. Origins sort by position: the file first, then the overrides in their order.
struct Origin: Equatable, Sendable, Comparable {
    var file: String
    var line: Int?
    var column = 1
    /// 0 for the file, n for the n-th override.
    var source = 0

    static func < (left: Origin, right: Origin) -> Bool {
        (left.source, left.line ?? 0, left.column) < (right.source, right.line ?? 0, right.column)
    }
}

/// A mistake with its exact place. `ConfigurationError` sorts all mistakes by place.
struct LocatedIssue: Sendable {
    var origin: Origin
    var key: String
    var found: String
    var allowed: String

    init(at origin: Origin, key: String, found: String, allowed: String) {
        self.origin = origin
        self.key = key
        self.found = found
        self.allowed = allowed
    }
}

extension ConfigurationError: ExitStatusProviding {
    public var exitStatus: ExitStatus { .badInput }
}
