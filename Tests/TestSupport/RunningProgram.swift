// RunningProgram - the program as a user starts it: with or without mpirun, with a time limit, its output kept.

internal import Foundation
internal import Glibc

/// How a program ended.
public struct ProgramResult: Sendable, CustomStringConvertible {
    /// Exit status, or 128 plus the number of the signal that ended the program.
    public let status: Int32
    public let output: String
    public let errors: String
    /// Whether the time limit ended it.
    public let timedOut: Bool
    /// The command line.
    public let command: String

    public var outputLines: [String] { Self.lines(output) }
    public var errorLines: [String] { Self.lines(errors) }

    /// The program's error messages: lines on either output that start with its name and are no warnings.
    ///
    /// Indented lines that follow belong to the message.
    public var messages: [String] { named.filter { !$0.hasPrefix(Self.warning) } }

    /// The program's warnings, except the warning about more threads than cores, which tests always meet.
    public var warnings: [String] { named.filter { $0.hasPrefix(Self.warning) && !$0.contains(Self.crowded) } }
    /// Whether the program warned that its threads have not a core each.
    public var warnsOfTooFewCores: Bool { named.contains { $0.hasPrefix(Self.warning) && $0.contains(Self.crowded) } }

    private static let crowded = "more threads than cores"

    private static let warning = "mile-dist: warning:"

    private var named: [String] { (outputLines + errorLines).filter { $0.hasPrefix("mile-dist:") } }

    private static func lines(_ text: String) -> [String] { text.split(whereSeparator: \.isNewline).map(String.init) }

    /// Command line, status and output, for the message of a failing test.
    public var description: String {
        "\(command): \(timedOut ? "ended by the time limit" : "status \(status)")\n"
            + "-- output\n\(output.suffix(2000))\n-- errors\n\(errors.suffix(2000))"
    }
}

/// A program that was started and has not been waited for.
public final class RunningProgram {
    private let process: ChildProcess
    private let files: TemporaryFolder
    private let command: String

    /// The executable that the tests run: the one named by `MILE_DIST_EXECUTABLE`, or else the one built beside them.
    public static let executable: String = {
        if let named = ProcessInfo.processInfo.environment["MILE_DIST_EXECUTABLE"], !named.isEmpty { return named }
        let bundle = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
        return bundle.deletingLastPathComponent().appendingPathComponent("mile-dist").path
    }()

    /// Starts the program.
    ///
    /// - Parameters:
    ///   - arguments: of `mile-dist`.
    ///   - ranks: 1 starts it without `mpirun`.
    ///   - folder: its working directory.
    ///   - variables: environment variables beside this process's.
    public convenience init(
        _ arguments: [String], ranks: Int = 1, in folder: String, variables: [String: String] = [:]
    ) throws {
        if ranks == 1 {
            try self.init(tool: Self.executable, arguments, in: folder, variables: variables)
        } else {
            let launch = ["mpirun", "--oversubscribe", "-n", "\(ranks)", Self.executable]
            try self.init(tool: "/usr/bin/env", launch + arguments, in: folder, variables: variables)
        }
    }

    /// Starts any tool, with Open MPI's permission to run as root, which containers need.
    public init(tool: String, _ arguments: [String], in folder: String, variables: [String: String] = [:]) throws {
        files = try TemporaryFolder()
        command = ([tool] + arguments).joined(separator: " ")
        // Why files instead of pipes: nobody has to read while the program runs.
        try files.write("", to: "output")
        try files.write("", to: "errors")
        var environment = ProcessInfo.processInfo.environment
        // Each program gets its own folder for Open MPI. Why: all its processes of a user share one folder, and each
        // removes it at its end when it is empty, at times under another that starts (Open MPI issue 8510). Tests run
        // side by side.
        environment["TMPDIR"] = files.path
        environment.merge(variables) { $1 }
        if getuid() == 0 {
            environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
            environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
        }
        process = try ChildProcess(
            tool: tool, arguments: arguments, environment: environment, folder: folder, output: files.path("output"),
            errors: files.path("errors"))
    }

    public var isRunning: Bool { process.isRunning }
    public var processIdentifier: Int32 { process.identifier }

    /// Standard output so far.
    public var outputSoFar: String { (try? files.text("output")) ?? "" }

    /// Standard error so far.
    public var errorsSoFar: String { (try? files.text("errors")) ?? "" }

    /// Sends a signal to the started process: the program, or `mpirun`.
    public func signal(_ number: Int32) { kill(process.identifier, number) }

    /// Waits for the end of the program. After `limit` seconds it ends the program, and the result says so.
    public func wait(limit: Double = 60) -> ProgramResult {
        let timedOut = !Self.poll(limit: limit) { !self.process.isRunning }
        if timedOut {
            // On SIGTERM mpirun ends its ranks within 1.5 s.
            kill(process.identifier, SIGTERM)
            if !Self.poll(limit: 5, until: { !self.process.isRunning }) { kill(process.identifier, SIGKILL) }
        }
        return ProgramResult(
            status: process.waitUntilExit(), output: outputSoFar, errors: (try? files.text("errors")) ?? "",
            timedOut: timedOut, command: command)
    }

    /// Polls until `condition` holds; false when it did not within `limit` seconds.
    public static func poll(limit: Double, until condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + .seconds(limit)
        while !condition() {
            if ContinuousClock.now > deadline { return false }
            usleep(2000)
        }
        return true
    }

    /// Process ids of the ranks that `mpirun` runs on this node, by rank, as the kernel's process table tells.
    public func rankProcesses() -> [Int: Int32] {
        var ranks: [Int: Int32] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let id = Int32(name), Self.parent(of: id) == process.identifier,
                let environment = FileManager.default.contents(atPath: "/proc/\(name)/environ")
            else { continue }
            let key = "OMPI_COMM_WORLD_RANK="
            for entry in environment.split(separator: 0) {
                let text = String(decoding: entry, as: UTF8.self)
                if text.hasPrefix(key), let rank = Int(text.dropFirst(key.count)) { ranks[rank] = id }
            }
        }
        return ranks
    }

    /// Ids of child processes that it has not yet waited for.
    public func children() -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
            .filter { Self.parent(of: $0) == process.identifier }
    }

    private static func parent(of id: Int32) -> Int32? {
        // The second field is the name in parentheses, which may hold blanks; state and parent follow it.
        guard let data = FileManager.default.contents(atPath: "/proc/\(id)/stat") else { return nil }
        let afterName = String(decoding: data, as: UTF8.self).split(separator: ")").last ?? ""
        let fields = afterName.split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]) : nil
    }
}
