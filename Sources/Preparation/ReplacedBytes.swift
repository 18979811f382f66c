// ReplacedBytes - bytes of .txt files that are no UTF-8.

public import TokenData

/// Counts and examples of bytes of .txt files that are no UTF-8 and were read as U+FFFD.
public struct ReplacedBytes: Codable, Equatable, Sendable {
    /// One file with such bytes.
    public struct File: Codable, Equatable, Sendable {
        public var file: String
        public var bytes: InvalidUTF8
    }

    public private(set) var count = 0
    private(set) var fileCount = 0
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
