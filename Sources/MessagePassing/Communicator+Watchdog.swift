// Communicator+Watchdog - an end for waits in which nothing moves any more, with the names of the ranks that are late.

/// The hang detector of a run, and the program's description of its own activity.
struct Watchdog {
    let hangDetector: HangDetector
    let describe: () -> String
}

extension Communicator {
    /// From now on a wait in which nothing moves for longer than `limitSeconds` is an error; collective.
    ///
    /// Beyond the limit the waiting ranks ask all others whether they wait too. A few seconds later one of them, rank 0
    /// where it can, throws an error of code ``MPIError/Code/stalled``. Its message names the ranks that do not wait,
    /// with their nodes, and where the others wait. The rank should print the message and end all ranks with
    /// ``abort(status:)``; the others wait on until then. A late rank that arrives in those seconds is no error. Waits
    /// up to the limit cost no message.
    ///
    /// Two events start the time anew: an operation that is waited for completes, or a piece of any operation passes
    /// through the memory of a node. Progress inside a single operation of the library cannot be seen. So the limit
    /// must exceed the longest operation, and everything that one rank does while others wait for it. A single rank
    /// waits for nobody.
    ///
    /// - Parameters:
    ///   - limitSeconds: positive, the same on every rank.
    ///   - describe: what this rank is doing, to complete "rank 3 waits in ..."; only called during an inquiry, and
    ///     must not communicate.
    /// - Throws: an error of the library.
    public func startWatchdog(limitSeconds: Double, describe: @escaping () -> String) throws(MPIError) {
        try enter("MPI_Comm_dup")
        precondition(limitSeconds > 0, "a limit of \(limitSeconds) s for waits")
        watchdog = nil
        guard size > 1 else { return }
        let hosts = try allGather(Array(host.utf8)).map { String(decoding: $0, as: UTF8.self) }
        let controlMessages = try openControlMessages()
        watchdog = Watchdog(
            hangDetector: HangDetector(controlMessages, hosts: hosts, times: HangDetectorTimes(limit: limitSeconds)),
            describe: describe)
    }

    /// From now on this rank's waits have no limit. It answers no inquiry any more either, so all ranks should call it
    /// at the same point of their work.
    public func stopWatchdog() {
        watchdog = nil
    }

    /// Takes part in inquiries while `operation` is waited for.
    ///
    /// - Throws: ``MPIError/Code/stalled`` at the end of an inquiry that this rank has made.
    func pollWatchdog(_ operation: any Operation, _ waiting: inout Waiting) throws(MPIError) {
        guard let watchdog else { return }
        let (since, now) = waiting.stillness()
        let stragglers = try watchdog.hangDetector.poll(since: since, now: now, at: site) {
            isIdling = true
            defer { isIdling = false }
            return (operation.function, watchdog.describe())
        }
        if let stragglers { throw site.error(.stalled, operation.function, stragglers.message) }
    }

    /// The control messages of all inquiries, opened at the first call; collective.
    private func openControlMessages() throws(MPIError) -> ControlMessages {
        if let controlMessages { return controlMessages }
        // MPI_Comm_dup blocks until every rank has come to it. After this barrier all are there, so it cannot be long.
        try barrier()
        let opened = ControlMessages(try world.duplicate(at: site))
        controlMessages = opened
        return opened
    }

    /// Ends the watchdog for good; collective.
    func closeControlMessages() throws(MPIError) {
        watchdog = nil
        guard let open = controlMessages else { return }
        controlMessages = nil
        try close(open)
    }

    /// Receives all messages that are still under way, and frees the communicator; collective.
    ///
    /// Why: the library may give the number of a freed communicator to a new one, which would receive them.
    func close(_ controlMessages: ControlMessages) throws(MPIError) {
        while try sum([controlMessages.sentCount - controlMessages.receivedCount])[0] > 0 {
            while try controlMessages.receive(at: site) != nil {}
        }
        try controlMessages.close(at: site)
    }
}
