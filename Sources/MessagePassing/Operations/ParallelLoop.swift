// ParallelLoop - threads that a caller lends to an operation.

/// Runs `body` for every task in `0..<count`, on any threads, and returns when all are done.
///
/// A caller with several threads lends it to an operation, for the work on large pieces.
public typealias ParallelLoop = (_ count: Int, _ body: (_ task: Int) -> Void) -> Void
