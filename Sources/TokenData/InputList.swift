// InputList - files, directories and patterns of a command or a domain as a list of files.

internal import Foundation
internal import Glibc
internal import InputFiles

/// The files that arguments name: files as they are, directories and patterns as the files in them.
///
/// A directory stands for the files in it and below whose endings are known. They are in the order of their paths' bytes.
/// Names that begin with a point are left out. A pattern has the meaning that it has in a shell.
public struct InputList: Equatable, Sendable {
    /// The files, in the order of the arguments.
    public private(set) var files: [String] = []
    /// What was left out, and files that are there twice.
    public private(set) var remarks: [String] = []

    /// The argument that stands for standard input.
    public static let standardInput = "-"

    /// - Parameters:
    ///   - arguments: paths and patterns.
    ///   - readsTables: whether files that another program reads are taken. If not, they are left out.
    /// - Throws: ``DataError`` for a pattern or directory without a file, and for a file given twice.
    public init(_ arguments: [String], readsTables: Bool = true) throws {
        var argumentOfFile: [String: String] = [:]
        var identities: [FileIdentity: String] = [:]
        for argument in arguments {
            for file in try expand(argument, readsTables: readsTables) {
                if let first = argumentOfFile.updateValue(argument, forKey: Self.normal(file)) {
                    let by = first == argument ? "" : ", by \(first) and by \(argument)"
                    throw DataError(
                        file: file, problem: "the file is given twice\(by)", remedy: "give each file once")
                }
                if let identity = FileIdentity(file), let other = identities.updateValue(file, forKey: identity) {
                    remarks.append("\(other) and \(file) are one file under two names, whose text is read twice")
                }
                files.append(file)
            }
        }
    }

    /// A path without `.` and empty parts.
    private static func normal(_ path: String) -> String {
        let parts = path.split(separator: "/").filter { $0 != "." }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    /// Whether `path` has characters of a pattern.
    static func isPattern(_ path: String) -> Bool { path.contains { "*?[{".contains($0) } }

    private mutating func expand(_ argument: String, readsTables: Bool) throws -> [String] {
        switch FileKind.at(argument) {
        case .directory where argument != Self.standardInput:
            var ignored: [String] = []
            var visited: Set<FileIdentity> = []
            let found = try Self.files(below: argument, readsTables, &visited, &ignored).sorted(by: Self.precedes)
            remark(ignored, argument)
            guard !found.isEmpty else {
                throw DataError(
                    file: argument, problem: "the directory holds no text",
                    remedy: "allowed: files that end in \(Self.suffixes(readsTables))")
            }
            return found
        case .missing where Self.isPattern(argument):
            var (found, ignored): ([String], [String]) = ([], [])
            for path in try Self.matches(argument) {
                var visited: Set<FileIdentity> = []
                if FileKind.at(path) == .directory {
                    found += try Self.files(below: path, readsTables, &visited, &ignored).sorted(by: Self.precedes)
                } else if Self.isText(path, readsTables) {
                    found.append(path)
                } else {
                    ignored.append(path)
                }
            }
            remark(ignored, argument)
            guard !found.isEmpty else {
                throw DataError(
                    file: argument,
                    problem: ignored.isEmpty
                        ? "no file matches the pattern" : "no file that matches the pattern is text",
                    remedy: "see what it matches: ls \(argument); allowed: files that end in "
                        + Self.suffixes(readsTables))
            }
            return found
        default: return [argument]
        }
    }

    private mutating func remark(_ ignored: [String], _ argument: String) {
        guard !ignored.isEmpty else { return }
        let shown = ignored.sorted(by: Self.precedes).prefix(3).joined(separator: ", ")
        let count = ignored.count == 1 ? "1 file is" : "\(ignored.count) files are"
        remarks.append(
            "\(argument): \(count) ignored, because no text ends so: \(shown)" + (ignored.count > 3 ? ", ..." : ""))
    }

    private static func suffixes(_ readsTables: Bool) -> String {
        readsTables ? DocumentSource.suffixes(joinedBy: "or") : DocumentSource.textSuffixes(joinedBy: "or")
    }

    private static func isText(_ path: String, _ readsTables: Bool) -> Bool {
        DocumentSource(path: path).map { readsTables || !$0.isTable } ?? false
    }

    /// The order of the bytes of two paths. Why: the order of a file system and of a locale differ between machines.
    private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

    /// The text files below a directory, in any order.
    ///
    /// - Parameters:
    ///   - visited: directories that were listed. Why: a link to one of them is not followed.
    ///   - ignored: gets the files whose endings are not known.
    private static func files(
        below directory: String, _ readsTables: Bool, _ visited: inout Set<FileIdentity>, _ ignored: inout [String]
    ) throws -> [String] {
        guard let identity = FileIdentity(directory), visited.insert(identity).inserted else { return [] }
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
            throw DataError(
                file: directory, problem: "the directory cannot be listed: \(error.localizedDescription)",
                remedy: "check its permissions")
        }
        var found: [String] = []
        for name in names where !name.hasPrefix(".") {
            let path = directory.hasSuffix("/") ? directory + name : directory + "/" + name
            if FileKind.at(path) == .directory {
                found += try files(below: path, readsTables, &visited, &ignored)
            } else if isText(path, readsTables) {
                found.append(path)
            } else {
                ignored.append(path)
            }
        }
        return found
    }

    /// The paths that match a pattern, in the order of their bytes. The corresponding C function is `glob`.
    private static func matches(_ pattern: String) throws -> [String] {
        var result = unsafe glob_t()
        let code = unsafe glob(pattern, GLOB_BRACE | GLOB_ERR, nil, &result)
        defer { unsafe globfree(&result) }
        guard code == 0 || code == GLOB_NOMATCH else {
            throw DataError(
                file: pattern, problem: "the pattern cannot be read: \(lastSystemError())",
                remedy: "check the permissions of its directories")
        }
        guard code == 0, let paths = unsafe result.gl_pathv else { return [] }
        let list = unsafe (0..<Int(result.gl_pathc)).compactMap { index in
            unsafe paths[index].map { unsafe String(cString: $0) }
        }
        return Array(Set(list)).sorted(by: precedes)
    }
}

/// Device and number of a file, by which two names of one file are told.
private struct FileIdentity: Hashable {
    private let device: UInt64
    private let number: UInt64

    /// Nil for a missing file, and for a pipe or a device.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        guard [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
    }
}
