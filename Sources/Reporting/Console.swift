// Console - what a person sees: rank 0 speaks, with a live line where the output is a terminal.

internal import Foundation
internal import Glibc

/// Messages on standard output, errors on standard error; silent on every rank but 0.
public final class Console {
    /// What follows when standard output cannot be written.
    public enum OutputLoss: Sendable {
        /// The output is what the command is for: ``requireOutput()`` throws.
        case isFailure
        /// The output says how far the command is: one warning on standard error, and the command goes on.
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

    /// Whether a person watches. Open MPI gives its ranks a terminal of their own whatever its output is, so there the
    /// launcher's output decides; on another node than the launcher's it cannot be seen and counts as none.
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

    /// A line on standard error, from any rank. Where that cannot be written there is no place left to say so.
    public static func writeError(_ text: String) {
        _ = StandardStreams.write((text + "\n").utf8, to: STDERR_FILENO)
    }

    /// Whether nobody gets what is printed from now on, so that a command whose product it is can end.
    public var hasLostOutput: Bool { loss == .isFailure && outputFailure != nil }

    /// Throws when a part of the output, which is the command's product, is lost. A reader that has read enough and gone
    /// (`| head`) misses nothing: that is no failure.
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
