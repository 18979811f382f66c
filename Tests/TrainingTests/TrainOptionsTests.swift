// TrainOptionsTests - options of a start that do not go together.

import Evaluation
import Testing

@testable import Training

@Suite struct TrainOptionsTests {
    @Test func aBranchNeedsAPathAndAName() {
        #expect(TrainOptions(branch: "a").problem?.contains("--resume PATH") == true)
        #expect(TrainOptions(resume: .path("x"), branch: "a").problem == nil)
        #expect(TrainOptions(resume: .path("x"), branch: "a/b").problem != nil)
    }
}
