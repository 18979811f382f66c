// BLASBackend - a library that computes GEMMs: its name, its kernels, its threads, its calls.

/// A library that computes GEMMs of fp32 operands.
///
/// A new backend is a file of its own that adopts this protocol or ``BFloat16BLASBackend``, and an element of
/// ``BLASBackends/all``. That list gives the values of `training.blas`, the trials of the autotuner, and the rows of
/// `doctor` and `bench gemm`.
///
/// Threads: the pool's threads call ``gemm(_:_:_:_:into:k:adding:)`` at one time, each for a panel of its own.
/// A call computes on the calling thread alone, as ``useThreads(_:)`` with 1 demands.
///
/// Bits: a result depends on the sizes, the strides and the operands of the call alone, not on the thread. It may
/// depend on the panel, so panels follow from the shape of the whole GEMM.
public protocol BLASBackend: Sendable {
    /// Value of `training.blas`, and the name in messages between ranks and in the output of `bench`.
    var name: String { get }

    /// Name in sentences and in the rows of `doctor --verbose`.
    var title: String { get }

    /// Version and chosen kernels, for example `OpenBLAS 0.3.21 (Cooperlake)`.
    ///
    /// Two runs give the same bits only where this text is equal.
    var identity: String { get }

    /// Vector units that the kernels use on this processor; nil where that is not known.
    ///
    /// Environment variables that the backend obeys count.
    var vectorUnits: VectorUnits? { get }

    /// Environment variables that limit the backend's choice of kernels; the first one that is set counts.
    var kernelVariables: [String] { get }

    /// Remedy for kernels that leave vector units of a processor with `units` idle: the end of a sentence of `doctor`.
    func remedyForSlowKernels(on units: VectorUnits?) -> String

    /// Sets how many threads one call of the calling thread may use.
    ///
    /// The pool sets 1 on each of its threads before the first call. Only measurements of peak rates set more.
    func useThreads(_ count: Int)

    /// `target = op(a) op(b) + (adding ? target : 0)` in fp32.
    ///
    /// - Parameter k: the reduction length, 1 or more; the sizes of `target` are 1 or more too, and all sizes match.
    func gemm(
        _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, k: Int, adding: Bool)
}

/// A library that also multiplies bf16 operands.
public protocol BFloat16BLASBackend: BLASBackend {
    /// Whether this processor has the instructions for it.
    var hasBFloat16GEMM: Bool { get }

    /// `target = op(a) op(b) + (adding ? target : 0)` of bf16 operands with fp32 sums.
    ///
    /// It is called only where ``hasBFloat16GEMM`` is true.
    ///
    /// - Parameter k: the reduction length, 1 or more; the sizes of `target` are 1 or more too, and all sizes match.
    func gemm(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix, k: Int,
        adding: Bool)
}
