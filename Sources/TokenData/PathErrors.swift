// PathErrors - errors about paths that are no text files: directories, prepared pairs, unknown endings.

internal import Foundation
package import InputFiles

/// The size in bytes of the regular, non-empty file at `path`. For a directory, the error lists its text files.
func requireTextFile(_ path: String) throws -> Int { try requireFile(path, directoryRemedy: directoryRemedy) }

/// The remedy for a directory where files are wanted.
func directoryRemedy(_ directory: String) -> String {
    guard let patterns = textPatterns(in: directory) else {
        return "give files; it holds none that ends in \(DocumentSource.suffixes(joinedBy: "or"))"
    }
    return "give the files in it: \(patterns)"
}

/// The text files of a directory as shell patterns; nil if there are none.
func textPatterns(in directory: String) -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    let found = Set(names.compactMap { DocumentSource(path: $0)?.suffix })
    let patterns = DocumentSource.all.map(\.suffix).filter(found.contains).map { "\(directory)/*\($0)" }
    return patterns.isEmpty ? nil : patterns.joined(separator: " ")
}

/// The remedy for ids without an index.
let bareIdsRemedy =
    "for ids alone, as in nanoGPT's train.bin, write one as the page YourData shows, or prepare the text with "
    + "mile-dist prepare"

/// The error for a path whose ending is no format of text.
///
/// - Parameters:
/// - allowed: the remedy that names the allowed paths.
/// - pairRemedy: the remedy for one file of a prepared pair.
package func wrongEnding(
    _ path: String, allowed: String, pairRemedy: (_ prefix: String) -> String
) throws -> DataError {
    if FileKind.at(path) == .directory {
        return DataError(file: path, problem: "this is a directory", remedy: directoryRemedy(path))
    }
    for (ending, other) in [(".bin", ".idx"), (".idx", ".bin")] where path.hasSuffix(ending) {
        let prefix = String(path.dropLast(ending.count))
        if case .regular = FileKind.at(prefix + other) {
            return DataError(
                file: path, problem: "this is one file of a prepared pair", remedy: pairRemedy(prefix))
        }
        if ending == ".bin", FileKind.at(path) != .missing {
            return DataError(
                file: path, problem: "these are ids without an index, or no ids: there is no \(prefix).idx",
                remedy: bareIdsRemedy)
        }
        if ending == ".idx", FileKind.at(path) != .missing {
            return DataError(
                file: path, problem: "this is an index without ids, or no index: there is no \(prefix).bin",
                remedy: "copy \(prefix).bin to its place, or prepare the text again with mile-dist prepare")
        }
    }
    guard let content = try ForeignContent(path: path) else {
        return DataError(file: path, problem: "the file's ending is not known", remedy: allowed)
    }
    return DataError(file: path, problem: content.problem, remedy: content.remedy)
}
