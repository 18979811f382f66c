// ActivityTests - the words for what a run is doing.

import Kernels
import MessagePassing
import Testing

@testable import Reporting
@testable import Training

@Suite struct ActivityTests {
    @Test func words() {
        #expect(Activity.step(17).text(in: .reduction) == "reduction of step 17")
        #expect(Activity.evaluation(afterStep: 20).text(in: .forward) == "evaluation after step 20")
        #expect(Activity.save(step: 20).text(in: .optimizer) == "save of step 20")
    }

    /// What main prints names the rank itself, and a user wants to know which key to change.
    @Test func aStallIsARuntimeFailureThatNamesTheKey() {
        let error = MPIError(
            code: .stalled, function: "MPI_Ibarrier", message: "waited longer than 9 s", rank: 1, host: "node")
        let failure = ProgramFailure(error)
        #expect(failure.status == .runtimeFailure)
        #expect(!failure.isShared)
        #expect(
            failure.message
                == "waited longer than 9 s\n  (training.watchdog_seconds is the limit; steps, evaluations and saves must be "
                + "shorter)")
    }
}
