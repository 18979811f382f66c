// VectorUnitsTests - steps of the instruction set, from flags and from names.

import LinearAlgebra
import Testing

@Suite struct VectorUnitsTests {
    private static let server = ["avx512f", "avx512bw", "avx512dq", "avx512vl"]

    @Test func flagsOfProcessors() {
        let old = ["fpu", "sse2", "ssse3"]
        #expect(VectorUnits(flags: old) == .sse)
        #expect(VectorUnits(flags: old + ["avx"]) == .avx)
        #expect(VectorUnits(flags: old + ["avx", "avx2"]) == .avx, "without FMA")
        #expect(VectorUnits(flags: old + ["avx", "avx2", "fma"]) == .avx2)
        #expect(VectorUnits(flags: old + ["avx", "avx2", "fma"] + Self.server) == .avx512)
        // Xeon Phi has a part of AVX-512 that no BLAS backend uses.
        #expect(VectorUnits(flags: old + ["avx", "avx2", "fma", "avx512f", "avx512cd"]) == .avx2)
        #expect(VectorUnits(flags: ["fp", "asimd", "sve"]) == nil)
        #expect(VectorUnits(flags: [String]()) == nil)
    }

    @Test(arguments: [
        ("Prescott", VectorUnits.sse), ("Nehalem", .sse), ("generic", .sse), ("Sandybridge", .avx), ("Haswell", .avx2),
        ("Zen", .avx2), ("SkylakeX", .avx512), ("Cooperlake", .avx512), ("SapphireRapids", .avx512),
    ])
    func coresOfOpenBLAS(_ core: String, _ units: VectorUnits) { #expect(VectorUnits(openBLASCore: core) == units) }

    @Test func unknownCoresAreNotJudged() { #expect(VectorUnits(openBLASCore: "NEOVERSEN1") == nil) }

    @Test func stepsAreOrdered() {
        #expect([VectorUnits.sse, .avx, .avx2, .avx512].sorted() == [.sse, .avx, .avx2, .avx512])
        #expect(VectorUnits.avx2 < .avx512 && !(VectorUnits.avx512 < .avx2))
    }

    #if arch(x86_64)
        /// Every backend's name for its kernels stands for known vector units.
        @Test func theLibrariesHereAreKnown() {
            for backend in BLASBackends.all {
                #expect(backend.vectorUnits != nil, "\(backend.identity)")
            }
        }
    #endif
}
