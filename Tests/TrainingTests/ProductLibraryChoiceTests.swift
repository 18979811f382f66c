// ProductLibraryChoiceTests - which library a list of measured ratios speaks for.

import LinearAlgebra
import Testing

@testable import Training

struct ProductLibraryChoiceTests {
    /// Ratios are OpenBLAS's time over oneDNN's; less than 2 % decide nothing, and one disturbed pair does not either.
    @Test func theMedianDecides() {
        #expect(ProductLibraryChoice.faster([1.08, 1.07, 1.09]) == .oneDNN)
        #expect(ProductLibraryChoice.faster([1.08, 0.5, 1.09]) == .oneDNN)
        #expect(ProductLibraryChoice.faster([0.99, 3, 1.01]) == .openBLAS)
        #expect(ProductLibraryChoice.faster([1.02, 1.02, 1.02]) == .openBLAS)
        #expect(ProductLibraryChoice.faster([1.021, 1.021, 1.021]) == .oneDNN)
        #expect(ProductLibraryChoice.faster([0.9, 0.95, 0.92]) == .openBLAS)
    }
}
