// ProductLibrary - the libraries that compute products, and what they are on this machine.

internal import COneDNN
internal import COpenBLAS

/// A library for fp32 products. Products of bf16 operands that are not widened are oneDNN's, or on
/// AMX ``TileProduct``'s.
public enum ProductLibrary: String, Sendable, CaseIterable {
    case openBLAS = "openblas"
    case oneDNN = "onednn"

    /// Makes products that the calling thread asks for run on it alone. Every thread that computes calls it once, before its
    /// first product.
    ///
    /// The corresponding C functions are `openblas_set_num_threads`, which counts for the process, and OpenMP's
    /// `omp_set_num_threads`, which counts for the calling thread.
    public static func useCallingThreadOnly() {
        openblas_set_num_threads(1)
        omp_set_num_threads(1)
    }

    /// The build and the kernels that were chosen for this processor, for example `OpenBLAS 0.3.21 (Cooperlake)` or
    /// `oneDNN 2.6.3 (AVX512_CORE_BF16)`: two runs give the same bits only where this is the same.
    ///
    /// The corresponding C functions are `openblas_get_config` and `openblas_get_corename`, `dnnl_version` and
    /// `dnnl_get_effective_cpu_isa`.
    public var identity: String {
        switch self {
        case .openBLAS:
            let version = unsafe String(cString: openblas_get_config()).split(separator: " ").prefix(2)
            return unsafe "\(version.joined(separator: " ")) (\(String(cString: openblas_get_corename())))"
        case .oneDNN:
            guard let version = unsafe dnnl_version() else { return "oneDNN" }
            let number = unsafe "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.patch)"
            return "oneDNN \(number) (\(Self.instructionSet))"
        }
    }

    /// Whether this processor multiplies bf16 numbers in hardware, and ``multiply(_:_:_:_:into:adding:)`` works.
    /// oneDNN's environment variable `ONEDNN_MAX_CPU_ISA` counts.
    public static let hasBFloat16Products: Bool = {
        // The library's numbers are sets of bits: a later instruction set contains those of the earlier ones.
        let needed = dnnl_cpu_isa_avx512_core_bf16.rawValue
        return dnnl_get_effective_cpu_isa().rawValue & needed == needed
    }()

    /// oneDNN's name for the instructions that it uses here.
    private static var instructionSet: String {
        let isa = dnnl_get_effective_cpu_isa()
        switch isa {
        case dnnl_cpu_isa_sse41: return "SSE41"
        case dnnl_cpu_isa_avx: return "AVX"
        case dnnl_cpu_isa_avx2: return "AVX2"
        case dnnl_cpu_isa_avx512_core: return "AVX512_CORE"
        case dnnl_cpu_isa_avx512_core_vnni: return "AVX512_CORE_VNNI"
        case dnnl_cpu_isa_avx512_core_bf16: return "AVX512_CORE_BF16"
        case dnnl_cpu_isa_avx512_core_amx: return "AVX512_CORE_AMX"
        default: return "instruction set \(isa.rawValue)"
        }
    }
}

extension ProductLibrary {
    /// Lets the libraries compute on `count` threads of their own while `body` runs on the calling thread: for measuring them.
    public static func withOwnThreads(_ count: Int, _ body: () -> Void) {
        openblas_set_num_threads(Int32(count))
        omp_set_num_threads(Int32(count))
        body()
        useCallingThreadOnly()
    }
}
