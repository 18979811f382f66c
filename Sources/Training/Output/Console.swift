// Console - what a person sees: rank 0 speaks, with a live line where the output is a terminal.

internal import Foundation
internal import Glibc

/// Messages on standard output, errors on standard error; silent on every rank but 0.
public final class Console {
    private let speaks: Bool
    /// Whether a live line is shown; plain lines otherwise.
    let isTerminal: Bool
    private var hasLiveLine = false

    public init(speaks: Bool) {
        self.speaks = speaks
        isTerminal = speaks && Self.outputIsTerminal()
    }

    /// Whether a person watches. Open MPI gives its ranks a terminal of their own whatever its output is, so there the
    /// launcher's output decides; on another node than the launcher's it cannot be seen and counts as none.
    private static func outputIsTerminal() -> Bool {
        guard isatty(STDOUT_FILENO) == 1 else { return false }
        guard ProcessInfo.processInfo.environment["OMPI_COMM_WORLD_RANK"] != nil else { return true }
        let output = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(getppid())/fd/1")
        return output.map { $0.hasPrefix("/dev/pts/") || $0.hasPrefix("/dev/tty") } ?? false
    }

    /// Prints a lasting line.
    public func line(_ text: String) {
        guard speaks else { return }
        endLiveLine()
        Self.write(text + "\n", to: STDOUT_FILENO)
    }

    /// Prints text as it is, for output that other programs read.
    public func raw(_ text: String) {
        guard speaks else { return }
        Self.write(text, to: STDOUT_FILENO)
    }

    /// Replaces the live line on a terminal; a plain line elsewhere.
    public func progress(_ text: String) {
        guard speaks else { return }
        guard isTerminal else { return line(text) }
        // Return to the line's start, text, clear to the end of the line.
        Self.write("\r\(text)\u{1B}[K", to: STDOUT_FILENO)
        hasLiveLine = true
    }

    /// Leaves the live line standing.
    public func endLiveLine() {
        guard hasLiveLine else { return }
        Self.write("\n", to: STDOUT_FILENO)
        hasLiveLine = false
    }

    public func warning(_ text: String) {
        guard speaks else { return }
        endLiveLine()
        Self.writeError("mile-dist: warning: \(text)")
    }

    public func error(_ text: String) {
        guard speaks else { return }
        endLiveLine()
        Self.writeError(text)
    }

    /// A line on standard error, from any rank.
    public static func writeError(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Unbuffered, so that lines of several ranks and a killed process lose nothing. A closed output is no reason to stop
    /// training: what cannot be printed is dropped.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
