// FileLock - a directory that one job has for itself.

internal import Foundation
internal import Glibc
internal import Reporting

/// A lock file that is held for the object's lifetime. The file's text names the holder.
///
/// Why `flock`: the kernel frees the lock of a killed job.
package final class FileLock {
    private let descriptor: Int32
    private let file: String

    /// - Parameters:
    ///   - file: the lock file, made where it is not there.
    ///   - key: the key or option that names the directory, for errors.
    /// - Throws: status 2 when the file cannot be written or another job holds it.
    package init(_ file: String, host: String, key: String) throws {
        self.file = file
        descriptor = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw ProgramFailure(
                .badInput, "\(key): \(file) cannot be written: \(unsafe String(cString: strerror(errno)))")
        }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            // A file system without locks (some Lustre mounts): go on without, as the holder's text is still written.
            if code == EWOULDBLOCK {
                let holder = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
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
            throw ProgramFailure(.badInput, "\(file) cannot be written: \(unsafe String(cString: strerror(errno)))")
        }
    }

    /// Whether the lock file at the path is still the held one. A second job would take another file at the path.
    package var isInPlace: Bool { PlacedFile.isInPlace(file, descriptor) }

    /// Whether another job holds the lock `file`.
    package static func isHeld(_ file: String) -> Bool {
        let descriptor = unsafe open(file, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    // The kernel gives the lock back; the file stays, because removing it would race with the next job.
    deinit { close(descriptor) }
}
