// InterruptedCalls - system calls that a signal interrupts are made again.

internal import Glibc

/// Makes a system call, again as often as a signal interrupts it (`EINTR`).
///
/// Not for `close`: Linux gives the descriptor back in any case.
///
/// - Parameter call: returns a negative number and sets `errno` where it fails, as the C functions do.
/// - Returns: the result of the last call; where it is negative, `errno` is that of the last call and not `EINTR`.
public func retryingOnInterrupt<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
