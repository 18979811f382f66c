// ParallelTests - results in order, errors of any, and no more at a time than wanted.

import Synchronization
import TestSupport
import Testing

@Suite struct ParallelTests {
    struct Odd: Error, Equatable { let number: Int }

    @Test(arguments: [1, 2, 7]) func resultsComeInOrder(width: Int) throws {
        #expect(try Parallel.map(3..<20, width: width) { $0 * $0 } == (3..<20).map { $0 * $0 })
        #expect(try Parallel.map(3..<3, width: width) { $0 } == [])
    }

    @Test func theFirstErrorIsThrown() {
        #expect(throws: Odd(number: 5)) {
            try Parallel.map(4..<9, width: 2) { if $0 % 2 == 1 { throw Odd(number: $0) } }
        }
    }

    @Test func neverMoreThanTheWidth() throws {
        let now = Atomic(0)
        let most = Atomic(0)
        _ = try Parallel.map(0..<200, width: 2) { _ in
            most.max(now.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
            now.wrappingSubtract(1, ordering: .relaxed)
        }
        #expect((1...2).contains(most.load(ordering: .relaxed)))
    }
}
