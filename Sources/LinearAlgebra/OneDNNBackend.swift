// OneDNNBackend - GEMMs by oneDNN: fp32, and bf16 where the processor has instructions for it.

internal import COneDNN
internal import Tensors

/// oneDNN, `training.blas: onednn`.
public struct OneDNNBackend: BFloat16BLASBackend {
    public let name = "onednn"
    public let title = "oneDNN"
    public let kernelVariables = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"]

    public init() {}

    /// For example `oneDNN 2.6.3 (AVX512_CORE_BF16)`.
    ///
    /// The corresponding C functions are `dnnl_version` and `dnnl_get_effective_cpu_isa`.
    public var identity: String {
        guard let version = unsafe dnnl_version() else { return title }
        let number = unsafe "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.patch)"
        return "\(title) \(number) (\(Self.instructionSet))"
    }

    /// The corresponding C function is `dnnl_get_effective_cpu_isa`.
    public var vectorUnits: VectorUnits? {
        let steps: [(dnnl_cpu_isa_t, VectorUnits)] = [
            (dnnl_cpu_isa_avx512_core, .avx512), (dnnl_cpu_isa_avx2, .avx2), (dnnl_cpu_isa_avx, .avx),
            (dnnl_cpu_isa_sse41, .sse),
        ]
        return steps.first { Self.uses($0.0) }?.1
    }

    public func remedyForSlowKernels(on units: VectorUnits?) -> String {
        "install a newer oneDNN, or set training.blas=openblas"
    }

    /// Needs AVX512_BF16; the environment variable `ONEDNN_MAX_CPU_ISA` counts.
    public var hasBFloat16GEMM: Bool { Self.uses(dnnl_cpu_isa_avx512_core_bf16) }

    /// Whether oneDNN uses AMX; the environment variable `ONEDNN_MAX_CPU_ISA` counts.
    static var usesTiles: Bool { uses(dnnl_cpu_isa_avx512_core_amx) }

    /// Whether oneDNN uses the instructions of `isa`.
    ///
    /// oneDNN's numbers are sets of bits: a later instruction set contains the bits of each earlier one.
    private static func uses(_ isa: dnnl_cpu_isa_t) -> Bool {
        dnnl_get_effective_cpu_isa().rawValue & isa.rawValue == isa.rawValue
    }

    /// Counts for the calling thread. The corresponding C function is OpenMP's `omp_set_num_threads`.
    public func useThreads(_ count: Int) { omp_set_num_threads(Int32(count)) }

    /// The corresponding C function is `dnnl_sgemm`.
    public func gemm(
        _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, k: Int, adding: Bool
    ) {
        require(
            unsafe dnnl_sgemm(
                aOperand.dnnl, bOperand.dnnl, Int64(target.rows), Int64(target.columns), Int64(k), 1,
                a.view.pointer, Int64(max(a.stride, 1)),
                b.view.pointer, Int64(max(b.stride, 1)), adding ? 1 : 0, target.view.pointer,
                Int64(max(target.stride, 1))),
            "dnnl_sgemm")
    }

    /// The corresponding C function is `dnnl_gemm_bf16bf16f32`.
    public func gemm(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix, k: Int,
        adding: Bool
    ) {
        require(
            unsafe dnnl_gemm_bf16bf16f32(
                aOperand.dnnl, bOperand.dnnl, Int64(target.rows), Int64(target.columns), Int64(k), 1, a.view.pointer,
                Int64(max(a.stride, 1)),
                b.view.pointer, Int64(max(b.stride, 1)), adding ? 1 : 0, target.view.pointer,
                Int64(max(target.stride, 1))),
            "dnnl_gemm_bf16bf16f32")
    }

    /// Traps when oneDNN refused a call.
    ///
    /// Why: sizes are checked before, so only memory or an instruction set can be missing.
    private func require(_ status: dnnl_status_t, _ function: String) {
        if status == dnnl_success { return }
        // Why no precondition: optimised builds do not print its message.
        fatalError(
            "\(function) failed with oneDNN's status \(status.rawValue): out of memory, or a CPU that it does not serve"
        )
    }

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

extension BLASBackend where Self == OneDNNBackend {
    public static var oneDNN: OneDNNBackend { OneDNNBackend() }
}

extension Operand {
    fileprivate var dnnl: CChar { CChar(self == .asStored ? UInt8(ascii: "N") : UInt8(ascii: "T")) }
}
