// OpenBLASBackend - GEMMs by OpenBLAS: fp32 only.

internal import COpenBLAS
internal import Tensors

/// OpenBLAS, `training.blas: openblas`.
public struct OpenBLASBackend: BLASBackend {
    public let name = "openblas"
    public let title = "OpenBLAS"
    public let kernelVariables = ["OPENBLAS_CORETYPE"]

    public init() {}

    /// For example `OpenBLAS 0.3.21 (Cooperlake)`.
    ///
    /// The corresponding C functions are `openblas_get_config` and `openblas_get_corename`.
    public var identity: String {
        let version = unsafe String(cString: openblas_get_config()).split(separator: " ").prefix(2)
        return "\(version.joined(separator: " ")) (\(core))"
    }

    /// The corresponding C function is `openblas_get_corename`.
    public var vectorUnits: VectorUnits? { VectorUnits(openBLASCore: core) }

    private var core: String { unsafe String(cString: openblas_get_corename()) }

    public func remedyForSlowKernels(on units: VectorUnits?) -> String {
        "its kernels for this processor are missing or not chosen: install a newer OpenBLAS with DYNAMIC_ARCH, "
            + "or set OPENBLAS_CORETYPE=\(units == .avx512 ? "SkylakeX" : "Haswell")"
    }

    /// Sets the number for the whole process. The corresponding C function is `openblas_set_num_threads`.
    public func useThreads(_ count: Int) { openblas_set_num_threads(Int32(count)) }

    /// The corresponding C function is `cblas_sgemm`.
    public func gemm(
        _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, k: Int, adding: Bool
    ) {
        unsafe cblas_sgemm(
            CblasRowMajor, aOperand.cblas, bOperand.cblas, Int32(target.rows), Int32(target.columns), Int32(k), 1,
            a.view.pointer, Int32(max(a.stride, 1)), b.view.pointer, Int32(max(b.stride, 1)), adding ? 1 : 0,
            target.view.pointer, Int32(max(target.stride, 1)))
    }
}

extension BLASBackend where Self == OpenBLASBackend {
    public static var openBLAS: OpenBLASBackend { OpenBLASBackend() }
}

extension Operand {
    fileprivate var cblas: CBLAS_TRANSPOSE { self == .asStored ? CblasNoTrans : CblasTrans }
}

extension VectorUnits {
    /// Vector units of OpenBLAS's kernels for `core`; nil for an unknown core.
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
}
