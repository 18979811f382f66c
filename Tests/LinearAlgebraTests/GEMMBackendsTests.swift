// GEMMBackendsTests - one BLAS backend per kind of matmul.

import LinearAlgebra
import Testing

@Suite struct GEMMBackendsTests {
    private static let kinds: [(a: Operand, b: Operand)] = [
        (.asStored, .transposed), (.asStored, .asStored), (.transposed, .asStored),
    ]

    private static var mixed: GEMMBackends {
        var backends = GEMMBackends(.openBLAS)
        backends.weightGradient = .oneDNN
        return backends
    }

    private static var copying: GEMMBackends {
        var backends = mixed
        backends.copiesForWeightGradient = true
        return backends
    }

    @Test func eachKindHasItsOwn() {
        #expect(Self.kinds.map { Self.mixed[$0.a, $0.b].name } == ["openblas", "openblas", "onednn"])
        var other = GEMMBackends(.oneDNN)
        other.inputGradient = .openBLAS
        #expect(Self.kinds.map { other[$0.a, $0.b].name } == ["onednn", "openblas", "onednn"])
    }

    @Test func namesReadBack() {
        #expect(Self.mixed.names == "openblas openblas onednn direct")
        #expect(Self.copying.names == "openblas openblas onednn copied")
        for backends in [Self.mixed, Self.copying] {
            #expect(GEMMBackends(names: backends.names) == backends)
            #expect(GEMMBackends(names: "openblas openblas openblas direct") != backends)
        }
        #expect(Self.mixed != Self.copying)
        for wrong in [
            "", "openblas", "openblas openblas mkl direct", "openblas onednn onednn", "openblas onednn onednn onednn",
            "openblas openblas onednn copied direct",
        ] {
            #expect(GEMMBackends(names: wrong) == nil)
        }
    }

    @Test func identityNamesWhatComputes() {
        let (blas, dnn) = (OpenBLASBackend().identity, OneDNNBackend().identity)
        #expect(GEMMBackends(.oneDNN).identity == dnn)
        #expect(Self.mixed.identity == "forward \(blas), dx \(blas), dweight \(dnn)")
        #expect(Self.copying.identity == Self.mixed.identity + " on copies")
        var uniform = GEMMBackends(.oneDNN)
        uniform.copiesForWeightGradient = true
        #expect(uniform.identity == "forward \(dnn), dx \(dnn), dweight \(dnn) on copies")
        let tiles = TileGEMM.isAvailable ? "AMX tiles, small products " : ""
        #expect(GEMMBackends(.openBLAS, upcastsBFloat16: false).bfloat16Identity == tiles + dnn)
        // Direct and upcast bf16 matmuls give different bits, even by one backend, so their identities differ.
        let prefix = BLASBackends.hasBFloat16GEMM ? "bf16 widened to fp32, " : ""
        #expect(GEMMBackends(.oneDNN, upcastsBFloat16: true).bfloat16Identity == prefix + dnn)
    }
}
