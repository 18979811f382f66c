// FolderReferences - references between the folders of a module, and their cycles.

internal import Foundation

/// References of top-level type names between the folders of one module.
///
/// A name counts wherever it is a word of code: types of members, calls, extensions. It does not count in a file that
/// declares a type with that name. A word after a point is a member and does not count.
public struct FolderReferences {
    /// One folder needs another.
    public struct Edge: Hashable, Comparable, Sendable {
        public let from: String
        public let to: String

        public init(from: String, to: String) { (self.from, self.to) = (from, to) }

        public static func < (left: Edge, right: Edge) -> Bool { (left.from, left.to) < (right.from, right.to) }
    }

    /// Lines of all files.
    public private(set) var lineCount = 0
    /// Paths of the folders within the module; "." is the module's own.
    public private(set) var folders: Set<String> = []
    /// How often names of the second folder occur in the first, by file and name.
    public private(set) var references: [Edge: [String: Int]] = [:]

    private struct File {
        let path: String
        let folder: String
        let words: [Substring]
    }

    /// - Parameter directory: the module's.
    public init(ofModule directory: String) throws {
        let all = try FileManager.default.subpathsOfDirectory(atPath: directory)
        var files: [File] = []
        var homes: [String: Set<String>] = [:]
        for path in all.sorted() where path.hasSuffix(".swift") {
            let source = try String(contentsOfFile: "\(directory)/\(path)", encoding: .utf8)
            let code = codeOnly(source)
            lineCount += source.count { $0 == "\n" }
            let folder = path.split(separator: "/").dropLast().joined(separator: "/")
            let file = File(path: path, folder: folder.isEmpty ? "." : folder, words: Self.words(code))
            for name in Self.sharedTypes(code) { homes[name, default: []].insert(file.folder) }
            files.append(file)
        }
        folders = Set(files.map(\.folder))
        for file in files {
            let own = Self.declaredNames(file.words)
            for word in file.words {
                let name = String(word)
                guard let home = homes[name], !home.contains(file.folder), !own.contains(word) else { continue }
                for folder in home {
                    references[Edge(from: file.folder, to: folder), default: [:]][
                        "\(file.path): \(name)", default: 0] += 1
                }
            }
        }
    }

    private static let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "actor", "typealias"]

    /// Types that a file declares at the start of a line, and that other files can see.
    private static func sharedTypes(_ code: String) -> [String] {
        code.split(separator: "\n").compactMap { line in
            guard let first = line.first, first != " ", first != "}" else { return nil }
            let words = words(String(line))
            guard !words.contains("private"), !words.contains("fileprivate"),
                let kind = words.firstIndex(where: { kinds.contains($0) }), kind + 1 < words.count
            else { return nil }
            // Only attributes and modifiers stand before the kind.
            let modifiers: Set<Substring> = ["public", "package", "internal", "final", "indirect", "unsafe", "safe"]
            guard words[..<kind].allSatisfy({ modifiers.contains($0) }) else { return nil }
            return String(words[kind + 1])
        }
    }

    /// Names of all types that a file declares, at any depth.
    private static func declaredNames(_ words: [Substring]) -> Set<Substring> {
        Set(zip(words, words.dropFirst()).filter { kinds.contains($0.0) }.map(\.1))
    }

    /// The identifiers of code that do not follow a point.
    private static func words(_ code: String) -> [Substring] {
        var words: [Substring] = []
        var start: String.UTF8View.Index?
        var isMember = false
        var last: UInt8 = 0
        let bytes = code.utf8
        for index in bytes.indices {
            let byte = bytes[index]
            let isPart =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
            if isPart, start == nil {
                start = index
                isMember = last == UInt8(ascii: ".")
            } else if !isPart, let begin = start {
                if !isMember { words.append(code[begin..<index]) }
                start = nil
            }
            last = byte
        }
        if let begin = start, !isMember { words.append(code[begin...]) }
        return words
    }

    /// Groups of folders each of which needs, directly or not, every other one of its group.
    public var cycles: [[String]] {
        var reach: [String: Set<String>] = [:]
        for folder in folders {
            var found: Set<String> = []
            var open = [folder]
            while let next = open.popLast() {
                for edge in references.keys where edge.from == next && !found.contains(edge.to) {
                    found.insert(edge.to)
                    open.append(edge.to)
                }
            }
            reach[folder] = found
        }
        let groups = Set(
            folders.filter { reach[$0]?.contains($0) == true }.map { folder in
                folders.filter { reach[folder]?.contains($0) == true && reach[$0]?.contains(folder) == true }.sorted()
            })
        return groups.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// For every edge within a cycle, the files and names behind it.
    public func explanation(of cycle: [String]) -> String {
        references.keys.filter { cycle.contains($0.from) && cycle.contains($0.to) }.sorted().map { edge in
            let names = (references[edge] ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
            return "\(edge.from) -> \(edge.to): \(names.joined(separator: ", "))"
        }.joined(separator: "\n")
    }
}
