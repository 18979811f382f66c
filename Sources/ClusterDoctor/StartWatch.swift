// StartWatch - the report of `doctor` if MPI does not start in time.

internal import Foundation
internal import Glibc
internal import JobRuntime
internal import Reporting
internal import Synchronization

/// Ends the process with a report of this rank unless MPI starts in time.
///
/// Why: `MPI_Init` waits for ever on a network over which the ranks do not reach each other.
public final class StartWatch: Sendable {
    private let hasStarted = Atomic<Bool>(false)

    /// Starts the watch.
    ///
    /// - Parameter seconds: time until the report.
    public init(seconds: Double) {
        // A thread of its own, since the first one is inside MPI_Init_thread.
        Thread.detachNewThread { [self] in
            Thread.sleep(forTimeInterval: seconds)
            guard !hasStarted.load(ordering: .acquiring) else { return }
            for line in Self.report(seconds: seconds, SystemReader()) { Console.writeError(line) }
            _exit(ExitStatus.runtimeFailure.rawValue)
        }
    }

    /// Ends the watch, because MPI has started.
    public func end() { hasStarted.store(true, ordering: .releasing) }

    static func report(seconds: Double, _ reader: SystemReader) -> [String] {
        let settings = reader.environment.filter { $0.key.hasPrefix("OMPI_MCA_") && $0.key.contains("_if_") }
            .map { "\($0.key)=\($0.value)" }.sorted()
        let interfaces = Links.interfaces().map { "\($0.name) \($0.address)" }.joined(separator: ", ")
        let ranks = reader.announcement.map { "\($0.variable)=\($0.ranks)" } ?? "no launcher's variables"
        return [
            "mile-dist: MPI has not started on \(ProcessInfo.processInfo.hostName) within \(Int(seconds)) s: another rank "
                + "has not come, or messages do not reach it",
            "  here: \(ranks); interfaces \(interfaces.isEmpty ? "none but the loopback" : interfaces)"
                + (settings.isEmpty ? "" : "; " + settings.joined(separator: ", ")),
            "  remedy: see that all nodes run the program (the same path, a free core); name the network that joins them, not "
                + "a bridge of containers: mpirun --mca btl_tcp_if_include 10.0.0.0/24 --mca oob_tcp_if_include 10.0.0.0/24; "
                + "and that no firewall closes TCP ports between them. Slow machines: --patience",
        ]
    }
}
