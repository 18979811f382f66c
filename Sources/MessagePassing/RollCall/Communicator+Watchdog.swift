// Communicator+Watchdog - an end for waits in which nothing moves any more, with the names of the ranks that are late.

/// What waits are held against.
struct Watchdog {
    let rollCall: RollCall
    let describe: () -> String
}

extension Communicator {
    /// From now on a wait in which nothing moves for longer than `limitSeconds` is an error; collective.
    ///
    /// Such a wait makes the ranks that wait hold a roll call. A few seconds after the limit one of them, rank 0 where
    /// it can, throws an error of code ``MPIError/Code/stalled`` whose message names the ranks that do not wait, with
    /// their nodes, and where the others wait. It should print the message and end all ranks with ``abort(status:)``;
    /// the others wait on until then. A rank that arrives in those seconds is forgiven. Waits up to the limit cost no
    /// message.
    ///
    /// What moves, and starts the time anew: an operation of those that are waited for completes, or a piece of any passes
    /// through the memory of a node. What a single operation of the library does inside cannot be seen, so the
    /// limit must exceed the longest one, and everything that one rank does while others wait for it. A single rank
    /// waits for nobody.
    ///
    /// - Parameters:
    ///   - limitSeconds: positive, the same on every rank.
    ///   - describe: what this rank is doing, to complete "rank 3 waits in ..."; only called at a roll call, and must
    ///     not communicate.
    public func startWatchdog(limitSeconds: Double, describe: @escaping () -> String) throws(MPIError) {
        try enter("MPI_Comm_dup")
        precondition(limitSeconds > 0, "a limit of \(limitSeconds) s for waits")
        watchdog = nil
        guard size > 1 else { return }
        let hosts = try allGather(Array(host.utf8)).map { String(decoding: $0, as: UTF8.self) }
        let mailbox = try openMailbox()
        watchdog = Watchdog(
            rollCall: RollCall(mailbox, hosts: hosts, times: RollCallTimes(limit: limitSeconds)), describe: describe)
    }

    /// From now on this rank's waits may take as long as they want. It answers no roll call any more either, so all
    /// ranks should call it at the same point of their work.
    public func stopWatchdog() {
        watchdog = nil
    }

    /// Takes part in roll calls while `operation` is waited for; throws at the end of one that this rank has made.
    func attendWatchdog(_ operation: any Operation, _ waiting: inout Waiting) throws(MPIError) {
        guard let watchdog else { return }
        let (since, now) = waiting.stillness()
        let attendance = try watchdog.rollCall.attend(since: since, now: now, at: site) {
            isIdling = true
            defer { isIdling = false }
            return (operation.function, watchdog.describe())
        }
        if let attendance { throw site.error(.stalled, operation.function, attendance.message) }
    }

    /// The mailbox of all roll calls; all ranks call it.
    private func openMailbox() throws(MPIError) -> Mailbox {
        if let mailbox { return mailbox }
        // MPI_Comm_dup blocks until every rank has come to it. After this barrier all are there, so it cannot be long.
        try barrier()
        let opened = Mailbox(try world.duplicate(at: site))
        mailbox = opened
        return opened
    }

    /// Ends the watchdog for good; all ranks call it.
    func closeMailbox() throws(MPIError) {
        watchdog = nil
        guard let open = mailbox else { return }
        mailbox = nil
        try close(open)
    }

    /// Receives what is still under way, because the library may give the number of a freed communicator to a new one,
    /// and closes; all ranks call it.
    func close(_ mailbox: Mailbox) throws(MPIError) {
        while try sum([mailbox.sentCount - mailbox.receivedCount])[0] > 0 {
            while try mailbox.receive(at: site) != nil {}
        }
        try mailbox.close(at: site)
    }
}
