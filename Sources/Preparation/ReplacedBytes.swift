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
    ///
    /// - Parameter encoding: the encoding of the files.
    public func lines(_ encoding: TextEncoding = .utf8) -> [String] {
        guard let first = files.first else { return [] }
        let (unit, name) = encoding == .utf16 ? ("units", "UTF-16") : ("bytes", "UTF-8")
        return ["\(count) \(unit) of \(fileCount) files are no \(name), and each was read as U+FFFD:"]
            + files.map { file in
                let line = file.bytes.line > 0 ? ":\(file.bytes.line)" : ""
                return "  \(file.file)\(line): \(file.bytes.words(encoding))"
            } + (fileCount > files.count ? ["  ..."] : [])
            + ["  to mend it, \(InvalidUTF8.remedy(first.file, encoding))"]
    }
}
