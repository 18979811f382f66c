// BLASBackendTests - the list of BLAS backends, and the properties of each.

import LinearAlgebra
import Testing

@Suite struct BLASBackendTests {
    /// Values of `training.blas`, in the order of messages.
    @Test func namesAreThoseOfTheKey() {
        #expect(BLASBackends.all.map(\.name) == ["openblas", "onednn"])
        #expect(BLASBackends.all.map(\.title) == ["OpenBLAS", "oneDNN"])
        for backend in BLASBackends.all { #expect(BLASBackends.named(backend.name)?.title == backend.title) }
        #expect(BLASBackends.named("minimal") == nil)
        #expect(BLASBackends.named("") == nil)
    }

    @Test func identityNamesVersionAndKernels() {
        let identity = OpenBLASBackend().identity
        #expect(identity.hasPrefix("OpenBLAS 0."))
        #expect(identity.hasSuffix(")") && identity.contains(" ("))
        let other = OneDNNBackend().identity
        #expect(other.hasPrefix("oneDNN ") && other.hasSuffix(")") && other.contains(" ("))
    }

    @Test func bfloat16NeedsABackendAndAProcessor() {
        #expect(BLASBackends.all.map { $0 is any BFloat16BLASBackend } == [false, true])
        #expect(BLASBackends.bfloat16.name == "onednn")
        #expect(BLASBackends.hasBFloat16GEMM == OneDNNBackend().hasBFloat16GEMM)
    }

    @Test func slowKernelsHaveARemedy() {
        let old = OpenBLASBackend().remedyForSlowKernels(on: .avx2)
        #expect(old.hasSuffix("OPENBLAS_CORETYPE=Haswell"))
        #expect(OpenBLASBackend().remedyForSlowKernels(on: .avx512).hasSuffix("OPENBLAS_CORETYPE=SkylakeX"))
        #expect(OneDNNBackend().remedyForSlowKernels(on: .avx2).hasSuffix("training.blas=openblas"))
    }
}
