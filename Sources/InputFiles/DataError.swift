// DataError - a mistake in the data or in how a configuration names it.

public import Reporting

/// A mistake in a run's data: its location, the finding and a remedy.
public struct DataError: Error, CustomStringConvertible, Equatable {
    /// The configuration key that leads to the data, for example `data.train[1].path`; empty where there is none.
    public var key: String
    /// The file at fault, if one is.
    public var file: String?
    /// The line in `file`, counted from 1, if one is at fault.
    public var line: Int?
    /// The mistake, in words.
    public var problem: String
    /// The allowed values, or a way to get there.
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
        var location = key.isEmpty ? "" : key + ": "
        if let file { location += file + (line.map { ":\($0)" } ?? "") + ": " }
        return "\(location)\(problem); \(remedy)"
    }

    /// This error, with `key` unless it already names one.
    package func with(key: String) -> DataError {
        var copy = self
        if copy.key.isEmpty { copy.key = key }
        return copy
    }

    /// This error, with `file` unless it already names one.
    package func with(file: String) -> DataError {
        var copy = self
        if copy.file == nil { copy.file = file }
        return copy
    }
}

extension DataError: ExitStatusProviding {
    public var exitStatus: ExitStatus { .badInput }
}
