// GEMM - matrix multiplication on one thread, fp32 and bf16.

internal import Tensors

/// How an operand enters a GEMM.
public enum Operand: Sendable {
    case asStored
    case transposed
}

/// `target [m, n] = op(a) [m, k] op(b) [k, n] + (adding ? target : 0)` in fp32, on the calling thread.
///
/// Traps when the sizes do not match.
///
/// Threads belong to the caller, the thread pool of `Kernels`. Why: panels, and with them the bits of the result, then
/// do not depend on the number of threads.
///
/// The result has no factor. Why: some kernels of oneDNN lack one and would pass over the result once more.
public func multiply(
    _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, adding: Bool = false,
    backend: any BLASBackend
) {
    let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
    guard hasSums(target, k: k, adding: adding) else { return }
    backend.gemm(a, aOperand, b, bOperand, into: target, k: k, adding: adding)
}

/// `target [m, n] = op(a) [m, k] op(b) [k, n] + (adding ? target : 0)` of bf16 operands, summed in fp32, on the calling
/// thread.
///
/// Traps when the sizes do not match. `backend` needs ``BFloat16BLASBackend/hasBFloat16GEMM``.
public func multiply(
    _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
    adding: Bool = false, backend: any BFloat16BLASBackend
) {
    let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
    guard hasSums(target, k: k, adding: adding) else { return }
    backend.gemm(a, aOperand, b, bOperand, into: target, k: k, adding: adding)
}

/// Whether a backend has anything to compute. Clears `target` where its elements are sums over nothing.
///
/// Why: oneDNN leaves such a target unwritten on some processors.
private func hasSums(_ target: Matrix, k: Int, adding: Bool) -> Bool {
    guard target.rows > 0 && target.columns > 0 else { return false }
    if k == 0 && !adding {
        for row in 0..<target.rows { target.view.advanced(by: row * target.stride, count: target.columns).fill(0) }
    }
    return k > 0
}

/// The reduction length; traps when the sizes of a GEMM do not match.
package func innerSize(
    _ a: (rows: Int, columns: Int), _ aOperand: Operand, _ b: (rows: Int, columns: Int), _ bOperand: Operand,
    _ target: Matrix
) -> Int {
    let (m, k) = aOperand == .asStored ? (a.rows, a.columns) : (a.columns, a.rows)
    let (kB, n) = bOperand == .asStored ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
        k == kB && m == target.rows && n == target.columns,
        "product sizes do not match: (\(m) x \(k)) (\(kB) x \(n)) -> \(target.rows) x \(target.columns)")
    return k
}
