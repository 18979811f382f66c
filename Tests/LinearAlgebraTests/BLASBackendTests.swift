// BLASBackendTests - the list of BLAS backends, and the properties of each.

import LinearAlgebra
import Tensors
import Testing

@Suite struct BLASBackendTests {
    /// A backend with the required members only.
    private struct Minimal: BLASBackend {
        let name = "minimal"
        let title = "Minimal"
        let identity = "Minimal 1.0"
        let vectorUnits: VectorUnits? = nil
        let kernelVariables: [String] = []

        func remedyForSlowKernels(on units: VectorUnits?) -> String { "install another one" }
        func useThreads(_ count: Int) {}
        func gemm(
            _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, k: Int,
            adding: Bool
        ) {}
    }

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
        #expect(OpenBLASBackend().bfloat16 == .none)
        #expect(OneDNNBackend().bfloat16 != .none)
        #expect(BLASBackends.bfloat16.name == "onednn")
        #expect(BLASBackends.hasBFloat16GEMM == (OneDNNBackend().bfloat16 == .available))
    }

    @Test func aBackendWithoutBFloat16Traps() async {
        #expect(Minimal().bfloat16 == .none)
        await #expect(processExitsWith: .failure) {
            let (a, target) = (BFloat16Slice(count: 1), FloatSlice([0]))
            let matrix = BFloat16Matrix(a, rows: 1, columns: 1)
            multiply(
                matrix, .asStored, matrix, .asStored, into: Matrix(target, rows: 1, columns: 1), backend: .openBLAS)
        }
    }

    @Test func slowKernelsHaveARemedy() {
        let old = OpenBLASBackend().remedyForSlowKernels(on: .avx2)
        #expect(old.hasSuffix("OPENBLAS_CORETYPE=Haswell"))
        #expect(OpenBLASBackend().remedyForSlowKernels(on: .avx512).hasSuffix("OPENBLAS_CORETYPE=SkylakeX"))
        #expect(OneDNNBackend().remedyForSlowKernels(on: .avx2).hasSuffix("training.blas=openblas"))
    }
}
