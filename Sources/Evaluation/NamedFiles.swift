// NamedFiles - the arguments of `--data` and `--counts`: `FILE` or `NAME=FILE`.

internal import Foundation
package import TokenData
internal import InputFiles

/// Reads arguments of the form `FILE` or `NAME=FILE`.
package enum NamedFiles {
    private struct Argument {
        /// The given name; nil if there is none.
        var name: String?
        var path: String

        init(_ text: String) {
            // A file's name may contain the character too.
            let isFile = ["", ".idx"].contains { FileManager.default.fileExists(atPath: text + $0) }
            if let equals = text.firstIndex(of: "="), !isFile {
                (name, path) = (String(text[..<equals]), String(text[text.index(after: equals)...]))
            } else {
                (name, path) = (nil, text)
            }
        }

        /// The file's name without folders and endings.
        var shortName: String {
            let file = path.split(separator: "/").last.map(String.init) ?? path
            return file.split(separator: ".").first.map(String.init) ?? file
        }
    }

    /// The domains of `--data`. A domain's name is the given name, or the file's name, or the path if another domain
    /// has that name.
    ///
    /// - Throws: ``DataError`` for a name given twice, and for a file given twice without names.
    package static func domains(_ arguments: [String]) throws -> [DataConfiguration.Domain] {
        let arguments = arguments.map(Argument.init)
        let names = arguments.map { $0.name ?? $0.shortName }
        var paths: [String: String] = [:]
        return try zip(arguments, names).map { argument, name in
            let isUnique = names.count { $0 == name } == 1
            let name = argument.name == nil && !isUnique ? argument.path : name
            if let first = paths.updateValue(argument.path, forKey: name) {
                throw DataError(
                    key: "--data", problem: "\"\(name)\" names \(first) and \(argument.path)",
                    remedy: "give each file a name of its own, as NAME=FILE")
            }
            return DataConfiguration.Domain(name: name, path: argument.path)
        }
    }

    /// The domains of `--counts`. Their names are not shown, so that two may be equal.
    ///
    /// - Throws: ``DataError`` for a file given twice, because its tokens would count twice.
    package static func unnamedDomains(_ arguments: [String]) throws -> [DataConfiguration.Domain] {
        var paths: Set<String> = []
        return try arguments.map(Argument.init).map { argument in
            guard paths.insert(argument.path).inserted else {
                throw DataError(
                    key: "--counts", file: argument.path, problem: "the file is given twice",
                    remedy: "give each file once")
            }
            return DataConfiguration.Domain(name: argument.path, path: argument.path)
        }
    }
}
