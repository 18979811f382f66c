// ChildProcess - a child process with its output in files, started and reaped without Foundation.

internal import Foundation
internal import Glibc

/// A child process with its output in files, in a process group of its own.
///
/// Why not Foundation's `Process`: it waits until every descendant has closed an inherited socket. The daemon that Open
/// MPI starts for a single rank can hang when the rank is killed, and then outlive it forever.
final class ChildProcess {
    let identifier: pid_t
    /// Status from `waitpid`; nil while the child runs.
    private var waitStatus: Int32?

    struct SpawnError: Error, CustomStringConvertible {
        let description: String
    }

    /// Without such a tool the status is 127, as in a shell.
    ///
    /// - Parameters:
    ///   - tool: path of the program.
    ///   - folder: its working directory.
    ///   - output: path of an existing file.
    ///   - errors: path of an existing file.
    init(
        tool: String, arguments: [String], environment: [String: String], folder: String, output: String, errors: String
    ) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        // The child must not inherit open files of other tests, because it would hold their locks. Files that were
        // closed meanwhile do no harm.
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            guard let descriptor = Int32(name), descriptor > STDERR_FILENO else { continue }
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY, 0)
        // The child gets an empty signal mask. Why: it would inherit the mask of a pool's thread, which may block
        // signals.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        // The child gets default signal actions. Why: nohup and background jobs ignore signals, which a child inherits.
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        for number in [SIGHUP, SIGINT, SIGTERM, SIGUSR1] { unsafe sigaddset(&defaults, number) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var identifier: pid_t = 0
        // The spawning function that changes the directory cannot be imported; `env` replaces itself by the tool.
        let env = "/usr/bin/env"
        let status = unsafe Self.withCStrings([env, "--chdir=\(folder)", tool] + arguments) { argv in
            unsafe Self.withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
                unsafe posix_spawn(&identifier, env, &actions, &attributes, argv, envp)
            }
        }
        guard status == 0 else {
            throw unsafe SpawnError(description: "\(env) cannot be started: \(String(cString: strerror(status)))")
        }
        self.identifier = identifier
    }

    deinit {
        // A test that has given up must not leave ranks behind.
        if isRunning { kill(identifier, SIGTERM) }
    }

    var isRunning: Bool {
        reap(WNOHANG)
        return waitStatus == nil
    }

    /// Blocks until the child has ended; returns its exit status, or 128 plus the number of the signal that ended it.
    func waitUntilExit() -> Int32 {
        while waitStatus == nil { reap(0) }
        let status = waitStatus ?? 0
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }

    private func reap(_ options: Int32) {
        guard waitStatus == nil else { return }
        var status: Int32 = 0
        if unsafe waitpid(identifier, &status, options) == identifier { waitStatus = status }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var copies = unsafe strings.map { unsafe strdup($0) } + [nil]
        defer { unsafe copies.forEach { unsafe free($0) } }
        return unsafe copies.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else {
                preconditionFailure("the list ends with nil, so it is not empty")
            }
            return unsafe body(base)
        }
    }
}
