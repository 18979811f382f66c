// Operation - one collective operation in flight, with the memory it reads and writes.

internal import CMPI

/// An operation in flight. Until it is complete it owns all memory that it uses.
protocol Operation: AnyObject {
    /// The C function that started the operation, or that the operation replaces.
    var function: String { get }
    /// Whether a test asks the library for progress.
    var waitsForMessages: Bool { get }
    /// Whether the operation is complete.
    var isComplete: Bool { get }
    /// Whether only a test of this operation moves it. The library moves all its messages at a test of any message.
    var needsTests: Bool { get }
    /// Makes progress and tells whether this operation is complete.
    func test(at site: CallSite) throws(MPIError) -> Bool
}

/// The library's requests for one operation (one per chunk) and everything that must stay where it is until they are
/// complete. Safe: a handle is only ever given back to the library that made it.
@safe final class MessageOperation: Operation {
    let function: String
    /// Handles of the chunks, first those that are complete.
    private var handles: [MPI_Request?] = unsafe []
    private var startedCount = 0
    private var completeCount = 0
    /// Owners of all memory that the library was given an address of.
    private let memory: [AnyObject]

    init(_ function: String, keeping memory: [AnyObject]) {
        self.function = function
        self.memory = memory
    }

    var isComplete: Bool { completeCount == startedCount }
    var waitsForMessages: Bool { !isComplete }
    var needsTests: Bool { false }

    /// Starts one chunk: `call` is the C function with all its arguments but the request.
    func start(
        at site: CallSite, _ call: (UnsafeMutablePointer<MPI_Request?>) -> Int32
    ) throws(MPIError) {
        var handle: MPI_Request?
        try site.check(unsafe call(&handle), function)
        unsafe handles.append(handle)
        startedCount += 1
    }

    /// Lets the library make progress, on this operation and on all others. True when this one is complete.
    /// The corresponding C function is `MPI_Test`.
    func test(at site: CallSite) throws(MPIError) -> Bool {
        while completeCount < startedCount {
            var flag: Int32 = 0
            let status = unsafe MPI_Test(&handles[completeCount], &flag, cmpi_status_ignore())
            if status != MPI_SUCCESS { try site.check(status, "MPI_Test of \(function)") }
            if flag == 0 { return false }
            completeCount += 1
        }
        return true
    }
}
