// StopRequest - signals that ask a run to save and stop.

internal import Glibc
internal import Synchronization

/// Remembers that a signal came. SIGUSR1 is what `mpirun` forwards to the ranks; SIGTERM and SIGINT come where ranks are
/// reached directly (srun, Kubernetes, a terminal).
public enum StopRequest {
    private static let received = Atomic<Int32>(0)

    /// Installs the handlers. A second SIGINT ends the program at once.
    public static func listen() {
        // Touched here so that its first use is not inside a handler.
        received.store(0, ordering: .relaxed)
        for number in [SIGUSR1, SIGTERM, SIGINT] {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { number in
                if number == SIGINT { signal(SIGINT, SIG_DFL) }
                StopRequest.received.store(number, ordering: .relaxed)
            }
            // Interrupted system calls are restarted: files are written as if nothing had come.
            action.sa_flags = SA_RESTART
            let status = unsafe sigaction(number, &action, nil)
            precondition(status == 0, "signal \(number) cannot be handled")
        }
    }

    /// The signal that was received, or 0.
    public static var signalNumber: Int32 { received.load(ordering: .relaxed) }
}
