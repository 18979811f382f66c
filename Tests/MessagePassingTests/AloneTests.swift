// AloneTests - a communicator of one process, without the MPI library.

import Testing

@testable import MessagePassing

@Suite struct AloneTests {
    @Test func everyOperationIsDoneWithItself() throws {
        let alone = Communicator.alone()
        #expect(alone.rank == 0 && alone.size == 1 && alone.nodeRank == 0 && alone.nodeSize == 1)
        #expect(!alone.host.isEmpty && !alone.usesSharedMemory)
        try alone.barrier()
        #expect(try alone.broadcast([1, 2, 3], root: 0) == [1, 2, 3])
        #expect(try alone.allGather([7, 8]) == [[7, 8]])
        #expect(try alone.allGather([UInt8]()) == [[]])
        #expect(try alone.gather([9], root: 0) == [[9]])
        #expect(try alone.allGather([0.5, 1.5], counts: [2]) == [0.5, 1.5])
        #expect(try alone.sumInRankOrder([1, 2]) == [1, 2])
        #expect(try alone.sum([3, -4]) == [3, -4])
        #expect(try alone.maximum(5) == 5 && alone.minimum(-5) == -5)
        #expect(try alone.progress() == false)
    }

    @Test func mistakesAreToldAsBetweenRanks() throws {
        let alone = Communicator.alone()
        #expect(throws: MPIError.self) { try alone.broadcast([1], root: 1) }
        #expect(throws: MPIError.self) { try alone.broadcast(nil, root: 0) }
        #expect(throws: MPIError.self) { try alone.allGather([1.0], counts: [2]) }
        try alone.finish()
        let late = #expect(throws: MPIError.self) { try alone.barrier() }
        #expect(late?.code == .finished)
    }

    /// The library is started neither by the operations nor by the end, and can be started beside it.
    @Test func theLibraryIsNotStarted() async {
        await #expect(processExitsWith: .success) {
            let alone = Communicator.alone()
            _ = try alone.sum([1])
            try alone.finish()
            let ranks = try Communicator.start()
            #expect(ranks.size == 1)
            try ranks.finish()
        }
    }

    @Test func anAbortEndsTheProcess() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus]) {
            Communicator.alone().abort(status: 3)
        }
        #expect(result?.exitStatus == .exitCode(3))
    }
}
