// RunDirectory - the place of a run's files, locked against a second job.

internal import Configuration
internal import Foundation
internal import Reporting

/// `logging.directory`: lock, resolved configuration, metrics. Rank 0 only.
package final class RunDirectory {
    package let path: String
    private var lock: FileLock
    /// A checkpoints directory elsewhere has a lock of its own: two run directories may name the same one.
    private var checkpointLock: (lock: FileLock, directory: String)?
    private let host: String
    /// Texts of files that were written here, by name, for a directory that has to be made again.
    private var texts: [String: String] = [:]

    /// Makes the directory and takes its lock.
    ///
    /// - Throws: status 2 when the directory cannot be written or another job holds it.
    package init(path: String, host: String) throws {
        self.path = path
        lock = try Self.takeLock(path, host)
        self.host = host
    }

    private static func takeLock(_ path: String, _ host: String) throws -> FileLock {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ProgramFailure(
                .badInput,
                "logging.directory: \(path) cannot be made: \(FileErrors.reason(error)). "
                    + (FileErrors.isWantOfSpace(error)
                        ? "Make room, or choose a directory on another file system."
                        : "Choose a directory that this user may write."))
        }
        return try FileLock(path + "/" + RunFiles.lock, host: host, key: "logging.directory")
    }

    /// What somebody has removed cannot be made again, at the moment.
    struct Unrestored: Error, CustomStringConvertible {
        let description: String
    }

    /// Makes again what somebody has removed under the run: the directory, its lock, the lock of the checkpoints
    /// directory, and the texts that were written.
    ///
    /// - Returns: what was removed, for a warning; nil where everything stands.
    /// - Throws: ``Unrestored``; ``ProgramFailure`` when another job has taken the place, because two jobs would spoil
    ///   each other's checkpoints.
    package func restore() throws -> String? {
        if let (held, directory) = checkpointLock, !held.isInPlace, FileManager.default.fileExists(atPath: directory) {
            try take(directory) { checkpointLock = (try takeCheckpointLock(directory), directory) }
            if lock.isInPlace { return directory + "/" + RunFiles.lock }
        }
        let isThere = FileManager.default.fileExists(atPath: path)
        var removed: String?
        try take(path) {
            if !lock.isInPlace {
                lock = try Self.takeLock(path, host)
                removed = RunFiles.lock
            }
            for (name, text) in texts where !FileManager.default.fileExists(atPath: path + "/" + name) {
                try write(text, to: name)
                removed = name
            }
        }
        return removed.map { isThere ? path + "/" + $0 : path }
    }

    /// Runs `body`, which takes the lock of `directory` anew.
    private func take(_ directory: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            let text = "\(directory) was removed under this run, and cannot be taken again: \(error)"
            // This job's own lock, which a second look finds held as well, is no other job's.
            let isOwn = directory == path ? lock.isInPlace : checkpointLock?.lock.isInPlace ?? false
            guard !isOwn, FileLock.isHeld(directory + "/" + RunFiles.lock) else { throw Unrestored(description: text) }
            throw ProgramFailure(.runtimeFailure, text)
        }
    }

    /// Takes the lock of the checkpoints directory `directory`, which exists, where it does not lie in this one.
    package func lockCheckpoints(in directory: String) throws {
        guard directory != path + "/checkpoints", checkpointLock == nil else { return }
        checkpointLock = (try takeCheckpointLock(directory), directory)
    }

    private func takeCheckpointLock(_ directory: String) throws -> FileLock {
        try FileLock(directory + "/" + RunFiles.lock, host: host, key: "checkpoint.directory")
    }

    package var metricsPath: String { path + "/" + RunFiles.metrics }

    /// Writes the resolved configuration.
    package func write(configuration: String) throws { try write(configuration, to: RunFiles.configuration) }

    /// Writes a text that is made again with the directory.
    private func write(_ text: String, to name: String) throws {
        let file = path + "/" + name
        do {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
        } catch {
            throw ProgramFailure(.badInput, "\(file) cannot be written: \(FileErrors.reason(error))")
        }
        texts[name] = text
    }

    /// Moves the metrics and starts of an earlier run aside: a new run's rows must not follow them.
    ///
    /// - Returns: the new names, or nil when there were none.
    package func setAsideMetrics() throws -> String? { try Self.setAside(recordPaths) }

    /// Files of metrics, whether this run writes them or not, and starts.
    private var recordPaths: [String] {
        LoggingConfiguration.Sink.allCases.map { path + "/" + $0.fileName } + [StartsFile(directory: path).path]
    }

    /// Moves `DIR/name.extension`, where there is one, to the first free `DIR/name.N.extension`, and returns that.
    package static func setAside(_ file: String) throws -> String? { try setAside([file]) }

    /// Moves those of `files` that exist, all with the first number that is free for each, and returns their new names.
    private static func setAside(_ files: [String]) throws -> String? {
        let existing = files.filter(FileManager.default.fileExists(atPath:))
        guard !existing.isEmpty else { return nil }
        func target(_ file: String, _ number: Int) -> String {
            let suffix = URL(fileURLWithPath: file).pathExtension
            return "\(file.dropLast(suffix.count + 1)).\(number).\(suffix)"
        }
        var number = 1
        while files.contains(where: { FileManager.default.fileExists(atPath: target($0, number)) }) { number += 1 }
        for file in existing { try FileManager.default.moveItem(atPath: file, toPath: target(file, number)) }
        return existing.map { target($0, number) }.joined(separator: " and ")
    }

    /// The PATH that `--resume` last continued this run from.
    package var origin: String? { try? String(contentsOfFile: path + "/" + RunFiles.origin, encoding: .utf8) }

    package func write(origin: String) throws { try write(origin, to: RunFiles.origin) }

    /// Removes metrics and starts, for the self-test job, which starts over each time.
    package func removeMetrics() throws {
        for file in recordPaths where FileManager.default.fileExists(atPath: file) {
            try FileManager.default.removeItem(atPath: file)
        }
    }
}
