// ThreadPool+ParallelLoop - lends the threads of a rank to the communicator's copies and sums.

public import Kernels
public import MessagePassing

extension ThreadPool {
    /// The pool as the communicator takes it; nil for a single thread.
    public var parallelLoop: ParallelLoop? {
        if threadCount == 1 { return nil }
        return { count, body in self.runForProgressHook(count, body) }
    }
}
