// BackgroundTask - one piece of work beside the training loop, and whether it has ended.

internal import Dispatch
internal import Synchronization

/// Work that runs on a thread of a queue and leaves its result here.
///
/// The main thread looks at ``result`` between two steps and never blocks on it: while it waits it has to keep up with
/// the other ranks. The work must not use message passing, which belongs to the main thread.
final class BackgroundTask<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, any Error>?>(nil)

    /// Starts `body`, behind the earlier tasks of `queue`.
    init(on queue: DispatchQueue, _ body: @escaping @Sendable () throws -> Value) {
        queue.async {
            let result = Result { try body() }
            self.outcome.withLock { $0 = result }
        }
    }

    /// The result or error of `body`; nil while it runs.
    var result: Result<Value, any Error>? { outcome.withLock { $0 } }
}
