// Product - the single-precision matrix product, on one thread.

internal import COpenBLAS
internal import Tensors

/// How an operand enters a product.
public enum Operand: Sendable {
    case asStored
    case transposed
}

/// `target = scale * op(a) op(b) + (adding ? target : 0)`, computed by the calling thread alone.
///
/// Threads belong to the caller (``Kernels``' pool), so that panel boundaries, and with them the result's bits, do not
/// depend on how many there are. Traps when the sizes do not match. The corresponding C function is `cblas_sgemm`.
public func multiply(
    _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, scale: Float = 1,
    adding: Bool = false
) {
    let (m, k) = aOperand == .asStored ? (a.rows, a.columns) : (a.columns, a.rows)
    let (kB, n) = bOperand == .asStored ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
        k == kB && m == target.rows && n == target.columns,
        "product sizes do not match: (\(m) x \(k)) (\(kB) x \(n)) -> \(target.rows) x \(target.columns)")
    guard m > 0 && n > 0 else { return }
    unsafe cblas_sgemm(
        CblasRowMajor, aOperand == .asStored ? CblasNoTrans : CblasTrans,
        bOperand == .asStored ? CblasNoTrans : CblasTrans, Int32(m), Int32(n), Int32(k), scale, a.view.pointer,
        Int32(max(a.stride, 1)), b.view.pointer, Int32(max(b.stride, 1)), adding ? 1 : 0, target.view.pointer,
        Int32(max(target.stride, 1)))
}

/// The library that computes products.
public enum LinearAlgebraLibrary {
    /// Makes every product run on the thread that asks for it. Call once at start, before any product.
    ///
    /// The corresponding C function is `openblas_set_num_threads`.
    public static func useCallingThreadOnly() { openblas_set_num_threads(1) }

    /// The build and the kernels that were chosen for this processor, for example
    /// `OpenBLAS 0.3.21 (Cooperlake)`: two runs give the same bits only where this is the same.
    ///
    /// The corresponding C functions are `openblas_get_config` and `openblas_get_corename`.
    public static var identity: String {
        let version = unsafe String(cString: openblas_get_config()).split(separator: " ").prefix(2).joined(
            separator: " ")
        return unsafe "\(version) (\(String(cString: openblas_get_corename())))"
    }
}
