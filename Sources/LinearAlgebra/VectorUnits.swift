// VectorUnits - the vector instructions of a processor, or of a BLAS backend's kernels, by width.

/// Steps of the x86 instruction set that matter for matmuls. Each is at least twice as fast as the step before.
public enum VectorUnits: Int, Codable, Sendable, Comparable {
    /// SSE of any version.
    case sse
    case avx
    /// AVX2 with FMA.
    case avx2
    /// AVX-512 with the F, BW, DQ and VL parts, which servers have since 2017.
    case avx512

    public static func < (a: VectorUnits, b: VectorUnits) -> Bool { a.rawValue < b.rawValue }

    /// The vector units of a processor with these flags of `/proc/cpuinfo`; nil for flags of another architecture.
    public init?(flags: some Collection<String>) {
        let flags = Set(flags)
        guard flags.contains("sse2") else { return nil }
        if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"]) {
            self = .avx512
        } else if flags.isSuperset(of: ["avx2", "fma"]) {
            self = .avx2
        } else {
            self = flags.contains("avx") ? .avx : .sse
        }
    }

    public var name: String {
        switch self {
        case .sse: "SSE"
        case .avx: "AVX"
        case .avx2: "AVX2"
        case .avx512: "AVX-512"
        }
    }
}
