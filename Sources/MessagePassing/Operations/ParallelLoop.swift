// ParallelLoop - threads that a caller lends to an operation.

/// Runs a body for every task in `0..<count`, on any threads, and returns when all are done: what a caller with several
/// threads lends an operation for the work on large pieces.
public typealias ParallelLoop = (_ count: Int, _ body: (_ task: Int) -> Void) -> Void
