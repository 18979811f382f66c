// ConfigurationError - the mistakes of a configuration: place, found value, allowed values.

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
        /// The found value, in words.
        public var found: String
        /// The allowed values, in words.
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

    /// Sorts by place; mistakes at one place keep their order.
    init(_ located: [LocatedIssue]) {
        let sorted = located.enumerated().sorted { left, right in
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
    /// The found value of the first issue.
    public var found: String { issues[0].found }
    /// The allowed values of the first issue.
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

extension ConfigurationError: ExitStatusProviding {
    public var exitStatus: ExitStatus { .badInput }
}
