// Branch - a return to an older checkpoint of a run's own directory (`--resume PATH --branch NAME`).

package import Checkpointing
internal import Configuration
internal import Foundation
package import JobRuntime
internal import Reporting

/// A return to an older checkpoint within one run directory. Rank 0 only.
///
/// Newer checkpoints move to `before-NAME` in the checkpoints directory. The folder also gets copies of the files of
/// metrics, `starts.jsonl` and `configuration.yaml`, so that it is a run directory. `metrics.jsonl` keeps the rows up
/// to the checkpoint. Nothing is lost.
///
/// The folder gets its name last. So a killed command can be repeated, and a command that a scheduler repeats later
/// finds the branch begun.
package struct Branch {
    package let name: String
    package let store: CheckpointStore
    package let directory: RunDirectory

    private static let mostCharacters = 100

    package init(name: String, store: CheckpointStore, directory: RunDirectory) {
        self.name = name
        self.store = store
        self.directory = directory
    }

    /// The problem of a branch's name; nil for a good one. The name becomes part of a file's name.
    package static func problem(_ name: String) -> String? {
        let isAllowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        if isAllowed, (1...mostCharacters).contains(name.utf8.count) { return nil }
        return "--branch: \"\(name)\" found; allowed: 1 to \(mostCharacters) letters, digits, \"-\" and \"_\"."
    }

    /// The folder of the newer checkpoints.
    package var folder: String { "\(store.directory)/before-\(name)" }

    private var unfinished: String { folder + ".unfinished" }

    /// Whether an earlier start began the branch. If so, its newest checkpoint is continued.
    ///
    /// - Throws: status 2 if the run has begun another branch since.
    package func isBegun() throws -> Bool {
        let names = try (StartsFile(directory: directory.path).rows() ?? []).compactMap(\.record.branch)
        if let last = names.last, last != name, names.contains(name) {
            throw ProgramFailure(
                .badInput,
                "--branch: \(name) was begun before and left for \(last): its newer checkpoints are in "
                    + "\(store.directory)/before-\(last). Choose another name, or continue from those in another "
                    + "logging.directory.")
        }
        // The folder may have been removed to free space: the branch is still begun.
        return names.last == name || FileManager.default.fileExists(atPath: folder)
    }

    /// - Throws: status 2 unless `path`, a step directory or a checkpoints directory, is the one where this run saves.
    func requireOwn(_ path: String) throws {
        let newest = try CheckpointStore.candidates(path).first ?? path
        guard store.holds(newest) else {
            throw ProgramFailure(
                .badInput,
                "--branch: \(newest) is no checkpoint of \(store.directory), where this run saves: a branch goes back within "
                    + "one directory. Without --branch, --resume continues it in another logging.directory.")
        }
    }

    /// Moves checkpoints newer than `step` aside, and removes later rows from the metrics.
    ///
    /// - Returns: a sentence about the branch.
    package func begin(after step: Int) throws -> String {
        do {
            return try moveAside(after: step)
        } catch let error as CheckpointError {
            throw error
        } catch {
            throw ProgramFailure(
                .runtimeFailure,
                "--branch \(name): what is newer than step \(step) could not be moved to \(unfinished): "
                    + "\(FileErrors.reason(error)). Mend that and repeat the command.")
        }
    }

    private func moveAside(after step: Int) throws -> String {
        try FileManager.default.createDirectory(atPath: unfinished, withIntermediateDirectories: true)
        let moved = try store.moveAside(stepsAfter: step, into: unfinished)
        for name in [RunFiles.configuration, StartsFile.name] + LoggingConfiguration.Sink.allCases.map(\.fileName) {
            try copy(name)
        }
        try keepRows(upTo: step)
        try FileManager.default.moveItem(atPath: unfinished, toPath: folder)
        let names = moved.isEmpty ? "no newer checkpoint" : moved.joined(separator: ", ")
        return
            "branch \(name) begins after step \(step): \(folder) holds what was left, \(names) and the rows of metrics"
    }

    /// Copies a file of the run directory, unless an earlier attempt did. Why: the original may have been cut since.
    private func copy(_ name: String) throws {
        let (source, target) = ("\(directory.path)/\(name)", "\(unfinished)/\(name)")
        let files = FileManager.default
        guard files.fileExists(atPath: source), !files.fileExists(atPath: target) else { return }
        // A file with the final name is complete.
        let begun = target + ".begun"
        if files.fileExists(atPath: begun) { try files.removeItem(atPath: begun) }
        try files.copyItem(atPath: source, toPath: begun)
        try files.moveItem(atPath: begun, toPath: target)
    }

    /// Removes the rows of later steps from the metrics.
    private func keepRows(upTo step: Int) throws {
        guard FileManager.default.fileExists(atPath: directory.metricsPath) else { return }
        let text = try String(contentsOfFile: directory.metricsPath, encoding: .utf8)
        try Self.rows(of: text, upTo: step).write(toFile: directory.metricsPath, atomically: true, encoding: .utf8)
    }

    /// The lines of a `metrics.jsonl` with a step up to `step`, and the lines without a step.
    package static func rows(of text: String, upTo step: Int) -> String {
        // The beginning of every row that this program writes.
        let prefix = "{\"step\": "
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return lines.filter { line in
            guard line.hasPrefix(prefix), let number = Int(line.dropFirst(prefix.count).prefix(while: \.isNumber))
            else {
                return true
            }
            return number <= step
        }.map { $0 + "\n" }.joined()
    }
}

extension CheckpointFinder {
    /// The resume mode of `--resume PATH --branch NAME`. Collective.
    ///
    /// - Parameter branch: the branch on rank 0; nil on the others.
    package func mode(resuming path: String, as branch: Branch?) throws -> ResumeMode {
        let begun = try communicator.textFromRankZero {
            guard let branch else { return "" }
            if try branch.isBegun() { return branch.name }
            do {
                try branch.requireOwn(path)
            } catch let error as CheckpointError {
                throw ProgramFailure(.noUsableCheckpoint, "\(error)")
            }
            return ""
        }
        guard !begun.isEmpty else { return .path(path) }
        console.line("branch \(begun) was begun before: taking its newest checkpoint")
        return .auto
    }
}
