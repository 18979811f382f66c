// StopRequest - signals that ask a command to save and stop, received by a thread that does nothing else.

internal import Glibc
internal import Synchronization

/// The signal that asked this process to stop.
///
/// `mpirun` forwards SIGUSR1 to the ranks. Srun, Kubernetes and terminals send SIGTERM, SIGINT and SIGHUP to them
/// directly.
///
/// No handler exists. Every thread blocks these signals, and one thread waits for them. Why: the kernel puts a
/// handler's frame at the stack pointer of the thread that it interrupts. oneDNN's GEMM kernels keep other data there
/// (uxlfoundation/oneDNN issue 4845), so a handler on a computing thread corrupts memory.
public enum StopRequest {
    private static let awaited = [SIGHUP, SIGINT, SIGTERM, SIGUSR1]
    /// The awaited signal that came last since ``listen()``, or 0.
    private static let received = Atomic<Int32>(0)
    private static let isListening = Atomic<Bool>(false)
    private static let hasStarted = Atomic<Bool>(false)

    /// Starts the waiting thread. Call it once per process, before any other thread of the program starts: threads
    /// inherit the mask of the one that starts them.
    ///
    /// A command that has something to save calls ``listen()`` before. It then also receives signals that came while
    /// the program was loaded. Without ``listen()`` a signal has its default action.
    ///
    /// - Throws: status 1 where the system refuses a thread.
    public static func startWaiting() throws {
        var signals = signalSet()
        unsafe check(pthread_sigmask(SIG_BLOCK, &signals, nil), "pthread_sigmask")
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { _ in
                StopRequest.wait()
                return nil
            }, nil)
        guard code == 0 else {
            throw unsafe ProgramFailure(
                .runtimeFailure,
                "the thread that waits for signals could not be started: \(String(cString: strerror(code))). Raise the limits on "
                    + "processes and memory (ulimit -u, ulimit -v).")
        }
        check(pthread_detach(thread), "pthread_detach")
    }

    /// From now on the awaited signals are remembered instead of ending the program. A second SIGINT still ends it;
    /// before ``start()`` any second signal does.
    ///
    /// A SIGHUP that the program's starter ignores, as `nohup` does, stays ignored.
    public static func listen() { isListening.store(true, ordering: .sequentiallyConsistent) }

    /// Notes that MPI has started. From then on the command notices a stop, so a second signal no longer ends the
    /// program.
    package static func start() { hasStarted.store(true, ordering: .sequentiallyConsistent) }

    /// The signal that was received, or 0.
    public static var signalNumber: Int32 { received.load(ordering: .relaxed) }

    // MARK: The waiting thread

    private static func wait() {
        var signals = signalSet()
        // Only this thread receives all other signals: their default action, or a profiler's handler, happens here.
        unsafe check(pthread_sigmask(SIG_SETMASK, &signals, nil), "pthread_sigmask")
        while true {
            var number: Int32 = 0
            unsafe check(sigwait(&signals, &number), "sigwait")
            take(number)
        }
    }

    private static func take(_ number: Int32) {
        let isIgnored = isIgnored(number)
        guard isListening.load(ordering: .sequentiallyConsistent) else {
            if !isIgnored { end(by: number) }
            return
        }
        if number == SIGHUP && isIgnored { return }
        let earlier = received.load(ordering: .relaxed)
        let isStarting = !hasStarted.load(ordering: .sequentiallyConsistent)
        if earlier != 0 && isStarting || number == SIGINT && earlier == SIGINT { end(by: number) }
        received.store(number, ordering: .relaxed)
    }

    /// Whether the program was started with this signal ignored. A blocked signal is delivered to `sigwait` all the
    /// same.
    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        let status = unsafe sigaction(number, nil, &action)
        precondition(status == 0, "signal \(number) has no action")
        // Functions cannot be compared; their addresses can.
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Ends the program by the signal's default action.
    private static func end(by number: Int32) {
        signal(number, SIG_DFL)
        var one = sigset_t()
        unsafe sigemptyset(&one)
        unsafe sigaddset(&one, number)
        unsafe check(pthread_sigmask(SIG_UNBLOCK, &one, nil), "pthread_sigmask")
        raise(number)
        preconditionFailure("signal \(number) did not end the program")
    }

    private static func signalSet() -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in awaited { unsafe sigaddset(&set, number) }
        return set
    }

    private static func check(_ code: Int32, _ function: String) {
        precondition(code == 0, "\(function) failed with code \(code)")
    }
}
