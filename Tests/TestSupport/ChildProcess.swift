// ChildProcess - a program that is started, watched and reaped here.

internal import Foundation
internal import Glibc

/// A child process with its output in files, in a process group of its own.
///
/// Foundation's `Process` takes a child to run for as long as anything that the child started holds a socket which all of them
/// inherit, and the daemon that Open MPI starts for a single rank can outlive that rank for ever: it sometimes locks itself
/// up when the rank is killed. The kernel knows better.
final class ChildProcess {
    let identifier: pid_t
    /// As `waitpid` gives it; nil while it runs.
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
        // Above all files that other tests have open: with them a child would hold their locks. What has been closed
        // meanwhile does no harm.
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            guard let descriptor = Int32(name), descriptor > STDERR_FILENO else { continue }
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY, 0)
        // Threads of a pool may hold signals back, and a child inherits that: it would never hear of them.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        // Whoever starts the tests may ignore signals, as nohup and background jobs do, and a child inherits that too.
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
        // A test that gave up must not leave ranks behind.
        if isRunning { kill(identifier, SIGTERM) }
    }

    var isRunning: Bool {
        reap(WNOHANG)
        return waitStatus == nil
    }

    /// Blocks until it has ended; its exit status, or 128 and the number of the signal that ended it, as in a shell.
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
