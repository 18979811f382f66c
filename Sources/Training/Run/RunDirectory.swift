// RunDirectory - the place of a run's files, locked against a second job.

internal import Foundation
internal import Glibc

/// `logging.directory`: lock, resolved configuration, metrics. Rank 0 only.
final class RunDirectory {
    static let metricsName = "metrics.jsonl"
    static let configurationName = "configuration.yaml"
    static let lockName = "lock"
    static let originName = "resumed-from"

    let path: String
    private let lockDescriptor: Int32
    /// A checkpoints directory elsewhere has a lock of its own: two run directories may name the same one.
    private var checkpointLockDescriptor: Int32?
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
                "logging.directory: \(path) cannot be made: \(Self.reason(error)). Choose a directory that this user may "
                    + "write.")
        }
        lockDescriptor = try Self.lock(path + "/" + Self.lockName, host: host, key: "logging.directory")
        self.host = host
    }

    deinit {
        // The kernel gives the lock back; the file stays, because removing it would race with the next job.
        close(lockDescriptor)
        if let checkpointLockDescriptor { close(checkpointLockDescriptor) }
    }

    /// Takes the lock of the checkpoints directory `directory`, which exists, where it does not lie in this one.
    func lockCheckpoints(in directory: String) throws {
        guard directory != path + "/checkpoints", checkpointLockDescriptor == nil else { return }
        checkpointLockDescriptor = try Self.lock(
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

    /// Moves the metrics of an earlier run aside: a new run's rows must not follow them.
    ///
    /// - Returns: the new name, or nil when there were none.
    func setAsideMetrics() throws -> String? {
        try Self.setAside(metricsPath)
    }

    /// Moves `DIR/name.extension`, where there is one, to the first free `DIR/name.N.extension`, and returns that.
    static func setAside(_ file: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        let name = URL(fileURLWithPath: file)
        let (stem, suffix) = (file.dropLast(name.pathExtension.count + 1), name.pathExtension)
        var number = 1
        while FileManager.default.fileExists(atPath: "\(stem).\(number).\(suffix)") { number += 1 }
        let target = "\(stem).\(number).\(suffix)"
        try FileManager.default.moveItem(atPath: file, toPath: target)
        return target
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

    /// Removes the metrics, for the embedded job, which starts over each time.
    func removeMetrics() throws {
        guard FileManager.default.fileExists(atPath: metricsPath) else { return }
        try FileManager.default.removeItem(atPath: metricsPath)
    }

    /// What the system says of a file error, without a full stop: it goes into a sentence.
    static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        let text = underlying?.localizedDescription ?? error.localizedDescription
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    /// The lock is the kernel's (`flock`), so that it cannot outlive a killed job; the file's text names the holder.
    private static func lock(_ file: String, host: String, key: String) throws -> Int32 {
        let descriptor = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw ProgramFailure(
                .badInput, "\(key): \(file) cannot be written: \(unsafe String(cString: strerror(errno)))")
        }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            // A file system without locks (some Lustre mounts): go on without, as the holder's text is still written.
            if code == EWOULDBLOCK {
                let holder = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                close(descriptor)
                throw ProgramFailure(
                    .badInput,
                    "\(file): another job is running in this directory (\(holder.trimmingCharacters(in: .whitespacesAndNewlines))). "
                        + "Wait for it, end it, or choose another \(key).")
            }
        }
        let job = ProcessInfo.processInfo.environment["SLURM_JOB_ID"] ?? "none"
        let text = Array("host \(host), pid \(getpid()), job \(job)\n".utf8)
        let written = unsafe text.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == text.count, ftruncate(descriptor, off_t(text.count)) == 0 else {
            close(descriptor)
            throw ProgramFailure(.badInput, "\(file) cannot be written: \(unsafe String(cString: strerror(errno)))")
        }
        return descriptor
    }
}
