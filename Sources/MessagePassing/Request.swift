// Request - an operation that has been started and must be waited for.

/// A nonblocking operation of this rank. It keeps the operation's memory alive. Until it is complete, nobody may write
/// to that memory, nor read what the operation writes.
///
/// It ends by ``wait()``, by a ``test()`` that returns true, or in a ``RequestSet``. Dropping it earlier traps, because
/// other ranks would wait for progress that this rank no longer makes. After a failed operation of the communicator,
/// dropping does not trap: the error that unwinds will end the job, and a trap would hide it.
public struct Request: ~Copyable {
    private let communicator: Communicator
    /// Nil once complete or handed on.
    private var operation: (any Operation)?

    init(_ operation: any Operation, of communicator: Communicator) {
        self.operation = operation
        self.communicator = communicator
    }

    deinit {
        precondition(
            operation == nil || communicator.hasFailed,
            "a request of \(operation?.function ?? "") was dropped before it was complete")
    }

    /// Lets the library make progress (on every operation in flight) and tells whether this one is complete.
    /// The corresponding C function is `MPI_Test`.
    public mutating func test() throws(MPIError) -> Bool {
        guard let operation else { return true }
        try communicator.enter("MPI_Test")
        do throws(MPIError) {
            guard try communicator.test(operation) else { return false }
        } catch {
            self.operation = nil
            throw error
        }
        self.operation = nil
        return true
    }

    /// Waits until the operation is complete.
    ///
    /// Throws an error of code ``MPIError/Code/deadline`` after ``Communicator/deadlineSeconds``.
    public consuming func wait() throws(MPIError) {
        guard let operation else { return }
        try communicator.enter("MPI_Test")
        self.operation = nil
        try communicator.wait(for: [operation])
    }

    /// Gives up waiting, after an error of another kind. The memory stays in place until the operation is complete or
    /// the process ends. Any rank's part may never complete, so the job must end with ``Communicator/abort(status:)``.
    public consuming func abandon() {
        if let operation { communicator.abandon([operation]) }
        operation = nil
    }

    /// Takes the operation out, for a ``RequestSet``.
    fileprivate consuming func release() -> (any Operation, Communicator)? {
        guard let operation else { return nil }
        self.operation = nil
        return (operation, communicator)
    }
}

/// Any number of requests that are waited for together, in any order. ``Communicator/progress()`` moves them meanwhile.
///
/// Like a request, a set must be waited for: dropping one that is not empty traps.
public struct RequestSet: ~Copyable {
    private var communicator: Communicator?
    /// All since the last wait.
    private var operations: [any Operation] = []

    /// An empty set.
    public init() {}

    deinit {
        precondition(
            isEmpty || communicator?.hasFailed == true,
            "\(count) requests were dropped before they were complete, the first of "
                + "\(operations.first { !$0.isComplete }?.function ?? "")")
    }

    /// Number of requests not known to be complete.
    public var count: Int { operations.count { !$0.isComplete } }

    /// Whether every request is known to be complete.
    public var isEmpty: Bool { operations.allSatisfy(\.isComplete) }

    /// Takes over a request.
    public mutating func add(_ request: consuming Request) {
        guard let (operation, communicator) = request.release() else { return }
        self.communicator = communicator
        operations.append(operation)
    }

    /// Waits until every request is complete; the set is empty and usable again afterwards.
    ///
    /// Throws an error of code ``MPIError/Code/deadline`` that names the first unfinished operation when all together
    /// take longer than ``Communicator/deadlineSeconds``.
    public mutating func wait() throws(MPIError) {
        guard let communicator, !operations.isEmpty else { return }
        try communicator.enter("MPI_Test")
        let waitedFor = operations
        operations = []
        try communicator.wait(for: waitedFor)
    }

    /// Waits until every request is complete, and ends the set.
    public consuming func waitAll() throws(MPIError) {
        try wait()
    }

    /// Gives up waiting, for the way out after an error of another kind; see ``Request/abandon()``.
    public mutating func abandon() {
        communicator?.abandon(operations.filter { !$0.isComplete })
        operations = []
    }
}
