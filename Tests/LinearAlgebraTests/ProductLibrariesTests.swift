// ProductLibrariesTests - one library per kind of product.

import LinearAlgebra
import Testing

@Suite struct ProductLibrariesTests {
    private static let kinds: [(a: Operand, b: Operand)] = [
        (.asStored, .transposed), (.asStored, .asStored), (.transposed, .asStored),
    ]

    private static var mixed: ProductLibraries {
        var libraries = ProductLibraries(.openBLAS)
        libraries.dweight = .oneDNN
        return libraries
    }

    private static var copying: ProductLibraries {
        var libraries = mixed
        libraries.copiesForDWeight = true
        return libraries
    }

    @Test func eachKindHasItsOwn() {
        #expect(Self.kinds.map { Self.mixed[$0.a, $0.b] } == [.openBLAS, .openBLAS, .oneDNN])
        var other = ProductLibraries(.oneDNN)
        other.dx = .openBLAS
        #expect(Self.kinds.map { other[$0.a, $0.b] } == [.oneDNN, .openBLAS, .oneDNN])
    }

    @Test func namesReadBack() {
        #expect(Self.mixed.names == "openblas openblas onednn direct")
        #expect(Self.copying.names == "openblas openblas onednn copied")
        for libraries in [Self.mixed, Self.copying] {
            #expect(ProductLibraries(names: libraries.names) == libraries)
            #expect(ProductLibraries(names: "openblas openblas openblas direct") != libraries)
        }
        #expect(Self.mixed != Self.copying)
        for wrong in [
            "", "openblas", "openblas openblas mkl direct", "openblas onednn onednn", "openblas onednn onednn onednn",
            "openblas openblas onednn copied direct",
        ] {
            #expect(ProductLibraries(names: wrong) == nil)
        }
    }

    @Test func identityNamesWhatComputes() {
        let (blas, dnn) = (ProductLibrary.openBLAS.identity, ProductLibrary.oneDNN.identity)
        #expect(ProductLibraries(.oneDNN).identity == dnn)
        #expect(Self.mixed.identity == "forward \(blas), dx \(blas), dweight \(dnn)")
        #expect(Self.copying.identity == Self.mixed.identity + " on copies")
        var uniform = ProductLibraries(.oneDNN)
        uniform.copiesForDWeight = true
        #expect(uniform.identity == "forward \(dnn), dx \(dnn), dweight \(dnn) on copies")
        let tiles = TileProduct.isAvailable ? "AMX tiles, small products " : ""
        #expect(ProductLibraries(.openBLAS, widensBFloat16: false).bfloat16Identity == tiles + dnn)
        // Where there are two ways they give different bits, with the same library too.
        let prefix = ProductLibrary.hasBFloat16Products ? "bf16 widened to fp32, " : ""
        #expect(ProductLibraries(.oneDNN, widensBFloat16: true).bfloat16Identity == prefix + dnn)
    }
}
