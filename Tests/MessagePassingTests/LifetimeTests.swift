// LifetimeTests - the rules that end a process or that hold only after MPI has ended. Each runs in a process of its own, as
// the only rank: MPI can be started once per process, and not in the one that runs the tests.

import Tensors
import Testing

@testable import MessagePassing

@Suite struct LifetimeTests {
    @Test func nothingWorksAfterFinish() async {
        await #expect(processExitsWith: .success) {
            let ranks = try Communicator.start()
            try ranks.barrier()
            try ranks.finish()
            for attempt in [{ try ranks.barrier() }, { try ranks.finish() }, { _ = try Communicator.start() }] {
                do {
                    try attempt()
                    preconditionFailure("a call after finish() was accepted")
                } catch let error as MPIError {
                    precondition(error.code == .finished || error.code == .alreadyStarted)
                }
            }
        }
    }

    @Test func droppedRequestTraps() async {
        let result = await #expect(processExitsWith: .failure) {
            let ranks = try Communicator.start()
            let request = try ranks.startAllReduceSum(FloatSlice([1]))
            _ = consume request
        }
        #expect(isTrap(result?.exitStatus))
    }

    @Test func waitedRequestDoesNotTrap() async {
        await #expect(processExitsWith: .success) {
            let ranks = try Communicator.start()
            let request = try ranks.startAllReduceSum(FloatSlice([1]))
            try request.wait()
            try ranks.finish()
        }
    }

    @Test func droppedSetTraps() async {
        let result = await #expect(processExitsWith: .failure) {
            let ranks = try Communicator.start()
            var requests = RequestSet()
            requests.add(try ranks.startAllReduceSum(FloatSlice([1])))
            _ = consume requests
        }
        #expect(isTrap(result?.exitStatus))
    }

    @Test func waitedSetDoesNotTrap() async {
        await #expect(processExitsWith: .success) {
            let ranks = try Communicator.start()
            var requests = RequestSet()
            requests.add(try ranks.startAllReduceSum(FloatSlice([1])))
            try requests.waitAll()
            try ranks.finish()
        }
    }

    @Test func abandonedRequestsDoNotTrap() async {
        await #expect(processExitsWith: .success) {
            let ranks = try Communicator.start()
            let request = try ranks.startAllReduceSum(FloatSlice([1]))
            request.abandon()
            var requests = RequestSet()
            requests.add(try ranks.startAllReduceSum(FloatSlice([1])))
            requests.abandon()
            try ranks.finish()
        }
    }

    @Test func abortEndsTheProcessWithItsStatus() async {
        await #expect(processExitsWith: .exitCode(3)) {
            try Communicator.start().abort(status: 3)
        }
    }

    @Test func errorsOfTheLibraryAreExplained() async {
        await #expect(processExitsWith: .success) {
            // Before the start the library may not be asked for a text; the code must be there.
            do throws(MPIError) {
                try CallSite.beforeStart.check(15, "MPI_Test")
                preconditionFailure("an error was not noticed")
            } catch {
                precondition(error.code == .truncated && error.rank == -1 && "\(error)".contains("15"))
            }
            let ranks = try Communicator.start()
            try ranks.site.check(0, "MPI_Test")
            do throws(MPIError) {
                try ranks.site.check(15, "MPI_Test of MPI_Ibcast")
                preconditionFailure("an error was not noticed")
            } catch {
                precondition(error.code == .truncated && error.message.contains("MPI_ERR_TRUNCATE"))
                precondition("\(error)".hasPrefix("rank 0 on \(ranks.host): MPI_Test of MPI_Ibcast: "))
            }
            try ranks.finish()
        }
    }

    /// Whether a process was ended by a signal, as a trap does and an uncaught error does not. A release build says nothing
    /// when it traps, so there is no message to look for; the tests with a wait in place of the drop are the control.
    private func isTrap(_ status: ExitStatus?) -> Bool {
        if case .signal = status { return true }
        return false
    }
}
