// InterruptedCallsTests - calls are made again after EINTR, and after nothing else.

import Foundation
import Primitives
import Testing

@Suite struct InterruptedCallsTests {
    /// Results of calls in order: a failure with that `errno`, or success.
    private func make(_ results: [(value: Int, code: Int32)]) -> (value: Int, code: Int32, calls: Int) {
        var calls = 0
        let value = retryingOnInterrupt { () -> Int in
            let result = results[calls]
            calls += 1
            errno = result.code
            return result.value
        }
        return (value, errno, calls)
    }

    @Test func interruptedCallsAreMadeAgain() {
        let outcome = make([(-1, EINTR), (-1, EINTR), (7, 0)])
        #expect(outcome.value == 7 && outcome.calls == 3)
    }

    @Test func otherFailuresAreReturned() {
        let outcome = make([(-1, EINTR), (-1, ENOSPC), (7, 0)])
        #expect(outcome.value == -1 && outcome.code == ENOSPC && outcome.calls == 2)
    }

    /// A call that succeeds need not set `errno`.
    @Test func anEarlierErrorNumberMeansNothing() {
        #expect(make([(0, EINTR)]).calls == 1)
        #expect(make([(3, EINTR)]).calls == 1)
    }

    @Test func resultsOfOtherWidthsWork() {
        #expect(retryingOnInterrupt { Int32(5) } == 5)
    }
}
