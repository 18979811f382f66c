// BLASKeyTests - values of `training.blas` follow from the list of BLAS backends.

import LinearAlgebra
import Testing

@testable import Configuration

@Suite struct BLASKeyTests {
    private typealias BLAS = TrainingConfiguration.BLAS

    @Test func wordsAreAutoAndTheBackends() {
        #expect(BLAS.allCases.map(\.rawValue) == ["auto", "openblas", "onednn"])
        #expect(BLAS(rawValue: "auto") == .auto)
        #expect(BLAS(rawValue: "onednn") == .backend(.oneDNN))
        #expect(BLAS(rawValue: "onednn") != .backend(.openBLAS))
        #expect(BLAS(rawValue: "mkl") == nil)
    }

    @Test func anotherWordIsRefused() {
        #expect(
            Sample.message(Sample.text, overrides: ["training.blas=mkl"]).contains(
                "allowed: one of auto, openblas, onednn"))
    }
}
