// Console - the program's output for people: rank 0 prints, with a live line on a terminal.

internal import Foundation
internal import Glibc

/// Messages on standard output, errors on standard error; silent on every rank but 0.
public final class Console {
    /// The consequence of a failed write to standard output.
    public enum OutputLoss: Sendable {
        /// The output is the command's product: ``requireOutput()`` throws.
        case isFailure
        /// The output shows progress: one warning on standard error, and the command goes on.
        case isTold
    }

    private let speaks: Bool
    private let loss: OutputLoss
    /// The system's error number of the first write to standard output that failed.
    private var outputFailure: Int32?
    /// Whether a live line is shown; plain lines otherwise.
    let isTerminal: Bool
    private var hasLiveLine = false

    public init(speaks: Bool, loss: OutputLoss = .isFailure) {
        self.speaks = speaks
        self.loss = loss
        isTerminal = speaks && Self.outputIsTerminal()
    }

    /// Whether the output is a terminal that a person watches.
    ///
    /// Open MPI gives its ranks a terminal of their own, whatever its output is. So under Open MPI the launcher's
    /// output decides. On another node than the launcher's it cannot be seen and counts as no terminal.
    private static func outputIsTerminal() -> Bool {
        guard isatty(STDOUT_FILENO) == 1 else { return false }
        guard LauncherVariables().isOfMpirun else { return true }
        let output = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(getppid())/fd/1")
        return output.map { $0.hasPrefix("/dev/pts/") || $0.hasPrefix("/dev/tty") } ?? false
    }

    /// Prints a lasting line.
    public func line(_ text: String) {
        guard speaks else { return }
        endLiveLine()
        write(text + "\n")
    }

    /// Prints text as it is, for output that other programs read.
    public func raw(_ text: String) {
        guard speaks else { return }
        write(text)
    }

    /// Replaces the live line on a terminal; a plain line elsewhere.
    public func progress(_ text: String) {
        guard speaks else { return }
        guard isTerminal else { return line(text) }
        // Return to the line's start, text, clear to the end of the line.
        write("\r\(text)\u{1B}[K")
        hasLiveLine = true
    }

    /// Leaves the live line standing.
    public func endLiveLine() {
        guard hasLiveLine else { return }
        write("\n")
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

    /// Prints a line on standard error, from any rank. A failure of that write is ignored: no place is left to report
    /// it.
    public static func writeError(_ text: String) {
        _ = StandardStreams.write((text + "\n").utf8, to: STDERR_FILENO)
    }

    /// Whether nobody receives the output any more, so that a command whose product it is can end.
    public var hasLostOutput: Bool { loss == .isFailure && outputFailure != nil }

    /// Checks that the output, which is the command's product, was written. A reader that has gone (`| head`) is no
    /// failure.
    ///
    /// - Throws: status 1 when a part of the output is lost.
    public func requireOutput() throws {
        guard speaks, loss == .isFailure else { return }
        outputFailure = outputFailure ?? StandardStreams.lateFailure(of: STDOUT_FILENO)
        guard let code = outputFailure, code != EPIPE else { return }
        throw ProgramFailure(.runtimeFailure, Self.unwritten(code))
    }

    private func write(_ text: String) {
        guard !hasLostOutput, let code = StandardStreams.write(text.utf8, to: STDOUT_FILENO) else { return }
        let isFirst = outputFailure == nil
        outputFailure = outputFailure ?? code
        guard loss == .isTold, isFirst else { return }
        Self.writeError(
            "mile-dist: warning: \(Self.unwritten(code)); the command goes on, and what it prints is lost until it can be"
        )
    }

    static func unwritten(_ code: Int32) -> String {
        code == EPIPE
            ? "nobody reads standard output any more"
            : "standard output cannot be written: \(StandardStreams.reason(code))"
    }
}
