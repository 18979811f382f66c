// StorageProbe - writes, locks and reads back small files in the directory of checkpoints.

internal import Foundation
internal import Glibc
internal import HDF5Store
internal import Reporting

/// A test of the directory of checkpoints that leaves nothing behind.
///
/// It does not create a missing directory. The nearest existing parent is tested instead.
struct StorageProbe {
    /// Absolute path of the directory of checkpoints.
    let directory: String
    /// Value of `HDF5_USE_FILE_LOCKING`, for the report: HDF5 reads the environment itself.
    let lockVariable: String?
    /// Part of the files' names, different on every rank.
    let tag: String

    init(directory: String, environment: [String: String], tag: String) {
        self.directory = URL(fileURLWithPath: directory).standardizedFileURL.path
        lockVariable = environment["HDF5_USE_FILE_LOCKING"]
        self.tag = tag
    }

    func run() throws -> StorageFacts {
        let place = existing
        var facts = StorageFacts(
            directory: directory, probed: place, hdf5Version: try HDF5File.libraryVersion(), lockVariable: lockVariable,
            freeBytes: 0)
        var information = statvfs()
        if unsafe statvfs(place, &information) == 0 {
            facts.freeBytes = Int(information.f_bavail) * Int(information.f_frsize)
            facts.freeFiles = information.f_files > 0 ? Int(information.f_favail) : nil
        }
        // The directory may not exist yet.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        facts.checkpoints = names.count { $0.hasPrefix("step-") && !$0.contains(".") }
        let problem: SystemError?
        (problem, facts.lockProblem) = writeAndLock(path(in: place, ".tmp"))
        facts.problem = problem?.description
        facts.isFull = problem?.isWantOfSpace ?? false
        guard facts.problem == nil else { return facts }
        let file = path(in: place, ".h5")
        do {
            try writeAndRead(file)
        } catch {
            facts.hdf5Problem = "\(error)"
            let error = error as? HDF5Error
            facts.hdf5WantsLocks = error?.isLockingFailure ?? false
            facts.hdf5WantsSpace = error?.systemError.map { SystemError(code: $0).isWantOfSpace } ?? false
        }
        unlink(file)
        return facts
    }

    /// The directory, or its nearest existing parent.
    private var existing: String {
        var path = directory
        while path != "/", !FileManager.default.fileExists(atPath: path) {
            path = URL(fileURLWithPath: path).deletingLastPathComponent().path
        }
        return path
    }

    private func path(in place: String, _ suffix: String) -> String { "\(place)/.mile-dist-doctor-\(tag)\(suffix)" }

    /// Removes a file. A failure is ignored, because no fact depends on it.
    private func unlink(_ path: String) { _ = unsafe Glibc.unlink(path) }

    /// Makes, locks and writes a file; returns the errors of writing and of locking.
    private func writeAndLock(_ file: String) -> (problem: SystemError?, lockProblem: String?) {
        let descriptor = unsafe open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return (SystemError(code: errno), nil) }
        defer { unlink(file) }
        var lockProblem: String?
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 { lockProblem = SystemError(code: errno).description }
        let block = [UInt8](repeating: 1, count: 4096)
        let count = unsafe write(descriptor, block, block.count)
        var problem: SystemError?
        if count < 0 {
            problem = SystemError(code: errno)
        } else if count < block.count {
            // A short write sets no error; the next write would fail with ENOSPC.
            problem = SystemError(code: ENOSPC)
        } else if fsync(descriptor) != 0 {
            problem = SystemError(code: errno)
        }
        return (close(descriptor) == 0 ? problem : problem ?? SystemError(code: errno), lockProblem)
    }

    /// Writes an HDF5 file, closes it and reads it back, as a checkpoint does.
    private func writeAndRead(_ file: String) throws {
        let values: [Int64] = [3, 1, 4]
        let new = try HDF5File.create(file)
        try new.writeIntegers(values, to: "probe")
        try new.close()
        let old = try HDF5File.open(file)
        let read = try old.readIntegers("probe", limit: values.count)
        try old.close()
        guard read == values else {
            throw ProgramFailure(.runtimeFailure, "\(file): \(read) was read where \(values) had been written")
        }
    }

    // MARK: A file that all ranks should see

    /// Name of the file by which the other ranks see that they share rank 0's directory.
    var beacon: String { ".mile-dist-doctor-\(tag).beacon" }

    /// Makes the beacon file; false if that fails.
    func makeBeacon() -> Bool { FileManager.default.createFile(atPath: "\(existing)/\(beacon)", contents: nil) }

    func removeBeacon() { unlink("\(existing)/\(beacon)") }

    /// Whether another rank's file `name` is visible here.
    ///
    /// Why it waits: caches of network file systems may show a new file up to two seconds late.
    func sees(_ name: String) -> Bool {
        for attempt in 0..<20 {
            if attempt > 0 { usleep(100_000) }
            if FileManager.default.fileExists(atPath: "\(existing)/\(name)") { return true }
        }
        return false
    }
}
