// RunDirectory - the place of a run's files, locked against a second job.

internal import Foundation

/// `logging.directory`: lock, resolved configuration, metrics. Rank 0 only.
final class RunDirectory {
    static let metricsName = "metrics.jsonl"
    static let configurationName = "configuration.yaml"
    static let lockName = "lock"
    static let originName = "resumed-from"

    let path: String
    private let lock: FileLock
    /// A checkpoints directory elsewhere has a lock of its own: two run directories may name the same one.
    private var checkpointLock: FileLock?
    private let host: String

    /// Makes the directory and takes its lock.
    ///
    /// - Throws: status 2 when the directory cannot be written or another job holds it.
    init(path: String, host: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw ProgramFailure(
                .badInput,
                "logging.directory: \(path) cannot be made: \(Self.reason(error)). "
                    + (Self.isWantOfSpace(error)
                        ? "Make room, or choose a directory on another file system."
                        : "Choose a directory that this user may write."))
        }
        lock = try FileLock(path + "/" + Self.lockName, host: host, key: "logging.directory")
        self.host = host
    }

    /// Takes the lock of the checkpoints directory `directory`, which exists, where it does not lie in this one.
    func lockCheckpoints(in directory: String) throws {
        guard directory != path + "/checkpoints", checkpointLock == nil else { return }
        checkpointLock = try FileLock(
            directory + "/" + Self.lockName, host: host, key: "checkpoint.directory")
    }

    var metricsPath: String { path + "/" + Self.metricsName }

    /// Writes the resolved configuration.
    func write(configuration: String) throws {
        let file = path + "/" + Self.configurationName
        do {
            try configuration.write(toFile: file, atomically: true, encoding: .utf8)
        } catch {
            throw ProgramFailure(.badInput, "\(file) cannot be written: \(Self.reason(error))")
        }
    }

    /// Moves the metrics and starts of an earlier run aside: a new run's rows must not follow them.
    ///
    /// - Returns: the new names, or nil when there were none.
    func setAsideMetrics() throws -> String? {
        try Self.setAside([metricsPath, StartsFile(directory: path).path])
    }

    /// Moves `DIR/name.extension`, where there is one, to the first free `DIR/name.N.extension`, and returns that.
    static func setAside(_ file: String) throws -> String? { try setAside([file]) }

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
    var origin: String? { try? String(contentsOfFile: path + "/" + Self.originName, encoding: .utf8) }

    func write(origin: String) throws {
        let file = path + "/" + Self.originName
        do {
            try origin.write(toFile: file, atomically: true, encoding: .utf8)
        } catch {
            throw ProgramFailure(.badInput, "\(file) cannot be written: \(Self.reason(error))")
        }
    }

    /// Removes metrics and starts, for the embedded job, which starts over each time.
    func removeMetrics() throws {
        for file in [metricsPath, StartsFile(directory: path).path]
        where FileManager.default.fileExists(atPath: file) {
            try FileManager.default.removeItem(atPath: file)
        }
    }

    /// Whether a file error says that space, inodes or a quota are used up.
    static func isWantOfSpace(_ error: any Error) -> Bool {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let cause = underlying ?? error as NSError
        if cause.domain == NSPOSIXErrorDomain { return SystemError(code: Int32(cause.code)).isWantOfSpace }
        return cause.domain == NSCocoaErrorDomain && cause.code == CocoaError.Code.fileWriteOutOfSpace.rawValue
    }

    /// What the system says of a file error, without a full stop: it goes into a sentence.
    static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let text = underlying?.localizedDescription ?? error.localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
