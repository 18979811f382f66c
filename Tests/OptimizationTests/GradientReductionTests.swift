// GradientReductionTests - the collectives that sum gradients.

import Optimization
import Testing

@Suite struct GradientReductionTests {
    /// A rank that is alone has the sum of all ranks already.
    @Test func onlyReduceScatterOverRanksScatters() {
        #expect([1, 2, 4].map(GradientReduction.reduceScatter.scatters) == [false, true, true])
        #expect([1, 2, 4].map(GradientReduction.allReduce.scatters) == [false, false, false])
    }
}
