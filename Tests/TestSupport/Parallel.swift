// Parallel - a few calls at a time, for tests whose processes leave a core idle.

internal import Dispatch
internal import Synchronization

public enum Parallel {
    /// The results of `body` for each of `range`, in order, at most `width` at a time.
    ///
    /// - Throws: the error of the first that has one, after all have ended.
    public static func map<Value: Sendable>(
        _ range: Range<Int>, width: Int, _ body: @Sendable (Int) throws -> Value
    ) throws -> [Value] {
        let results = Mutex([Result<Value, any Error>?](repeating: nil, count: range.count))
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: min(width, range.count)) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < range.count else { return }
                let result = Result { try body(range.lowerBound + index) }
                results.withLock { $0[index] = result }
            }
        }
        return try results.withLock { results in
            try results.map { result in
                guard let result else { preconditionFailure("a piece of work that no thread has done") }
                return try result.get()
            }
        }
    }
}
