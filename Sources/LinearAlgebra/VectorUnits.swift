// VectorUnits - how wide the vector instructions are that a processor has and that a library uses.

/// Steps of the x86 instruction set that matter for matmuls, each at least twice as fast as the one before.
public enum VectorUnits: Int, Codable, Sendable, Comparable {
    /// SSE of any version.
    case sse
    case avx
    /// AVX2 with FMA.
    case avx2
    /// The F, BW, DQ and VL parts, as servers have had them since 2017.
    case avx512

    public static func < (a: VectorUnits, b: VectorUnits) -> Bool { a.rawValue < b.rawValue }

    /// What a processor has, by the flags of `/proc/cpuinfo`; nil for flags of another architecture.
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
