// VectorUnits - how wide the vector instructions are that a processor has and that a library uses.

internal import COneDNN
internal import COpenBLAS

/// Steps of the x86 instruction set that matter for products, each at least twice as fast as the one before.
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

    /// What OpenBLAS's kernels for `core` use; nil for a core that is not known here.
    public init?(openBLASCore core: String) {
        switch core.lowercased() {
        case "skylakex", "cooperlake", "sapphirerapids": self = .avx512
        case "haswell", "zen", "excavator": self = .avx2
        case "sandybridge", "bulldozer", "piledriver", "steamroller": self = .avx
        case "generic", "katmai", "coppermine", "northwood", "prescott", "banias", "atom", "core2", "penryn",
            "dunnington",
            "nehalem", "athlon", "opteron", "opteron_sse3", "barcelona", "nano", "bobcat":
            self = .sse
        default: return nil
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

extension ProductLibrary {
    /// What this library's kernels use on this processor, with the environment variables that it looks at; nil where that is
    /// not known.
    ///
    /// The corresponding C functions are `openblas_get_corename` and `dnnl_get_effective_cpu_isa`.
    public var vectorUnits: VectorUnits? {
        switch self {
        case .openBLAS: return unsafe VectorUnits(openBLASCore: String(cString: openblas_get_corename()))
        case .oneDNN:
            // The library's numbers are sets of bits: a later instruction set contains those of the earlier ones.
            let bits = dnnl_get_effective_cpu_isa().rawValue
            let steps: [(dnnl_cpu_isa_t, VectorUnits)] = [
                (dnnl_cpu_isa_avx512_core, .avx512), (dnnl_cpu_isa_avx2, .avx2), (dnnl_cpu_isa_avx, .avx),
                (dnnl_cpu_isa_sse41, .sse),
            ]
            return steps.first { bits & $0.0.rawValue == $0.0.rawValue }?.1
        }
    }
}
