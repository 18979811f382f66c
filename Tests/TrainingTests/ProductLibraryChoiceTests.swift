// ProductLibraryChoiceTests - which library a list of measured ratios speaks for.

import Kernels
import LinearAlgebra
import LlamaModel
import Testing

@testable import Training

struct ProductLibraryChoiceTests {
    /// Ratios are OpenBLAS's time over oneDNN's; one disturbed pair decides nothing.
    @Test func theMedianDecides() {
        #expect(ProductLibraryChoice.faster([1.08, 1.07, 1.09]) == .oneDNN)
        #expect(ProductLibraryChoice.faster([1.08, 0.5, 1.09]) == .oneDNN)
        #expect(ProductLibraryChoice.faster([0.98, 3, 0.99]) == .openBLAS)
        #expect(ProductLibraryChoice.faster([1.001, 1.001, 1.001]) == .oneDNN)
        #expect(ProductLibraryChoice.faster([0.999, 0.999, 0.999]) == .openBLAS)
        #expect(ProductLibraryChoice.faster([0.9, 0.95, 0.92]) == .openBLAS)
    }

    /// Sizes below a panel's edge and a vector's, and above both: whoever is faster, it is measured without a trap and at once.
    @Test(arguments: [(2, 3, 1), (8, 16, 8), (130, 257, 1000)])
    func everySizeIsMeasured(hidden: Int, intermediate: Int, tokens: Int) throws {
        let model = ModelConfiguration(
            hiddenSize: hidden, intermediateSize: intermediate, hiddenLayerCount: 1, attentionHeadCount: 1,
            keyValueHeadCount: 1, vocabularySize: 8, maxPositionEmbeddings: 8)
        let pool = try ThreadPool(threadCount: 2)
        let start = ContinuousClock.now
        let libraries = ProductLibraryChoice.fastest(ProductSizes(model, tokens: tokens), pool)
        #expect(ProductLibraries(names: libraries.names) == libraries)
        // Two libraries, 24 timings of three kinds: tenths of a second, even beside other tests.
        #expect(ContinuousClock.now - start < .seconds(60))
    }
}
