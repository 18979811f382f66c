// DataError - a mistake in the data or in how a configuration names it.

public import Reporting

/// What is wrong with a run's data: where, what was found, what is allowed.
public struct DataError: Error, CustomStringConvertible, Equatable {
    /// The configuration key that leads to the data, for example `data.train[1].path`; empty where there is none.
    public var key: String
    /// The file at fault, if one is.
    public var file: String?
    /// The line in `file`, counted from 1, if one is at fault.
    public var line: Int?
    /// What is wrong.
    public var problem: String
    /// What would be right, or how to get there.
    public var remedy: String

    public init(key: String = "", file: String? = nil, line: Int? = nil, problem: String, remedy: String) {
        self.key = key
        self.file = file
        self.line = line
        self.problem = problem
        self.remedy = remedy
    }

    /// `data.train[1].path: corpus.jsonl:12: ... (remedy)`.
    public var description: String {
        var place = key.isEmpty ? "" : key + ": "
        if let file { place += file + (line.map { ":\($0)" } ?? "") + ": " }
        return "\(place)\(problem); \(remedy)"
    }

    /// The same error, naming `key` unless it already names one.
    package func with(key: String) -> DataError {
        var copy = self
        if copy.key.isEmpty { copy.key = key }
        return copy
    }

    /// The same error, naming `file` unless it already names one.
    package func with(file: String) -> DataError {
        var copy = self
        if copy.file == nil { copy.file = file }
        return copy
    }
}

extension DataError: ExitStatusProviding {
    public var exitStatus: ExitStatus { .badInput }
}
