// Product - matrix products on one thread, fp32 and bf16.

internal import COneDNN
internal import COpenBLAS
internal import Tensors

/// How an operand enters a product.
public enum Operand: Sendable {
    case asStored
    case transposed

    fileprivate var dnnl: CChar { CChar(self == .asStored ? UInt8(ascii: "N") : UInt8(ascii: "T")) }
    fileprivate var cblas: CBLAS_TRANSPOSE { self == .asStored ? CblasNoTrans : CblasTrans }
}

/// `target = op(a) op(b) + (adding ? target : 0)`, computed by the calling thread alone.
///
/// Threads belong to the caller (``Kernels``' pool), so that panel boundaries, and with them the result's bits, do not
/// depend on how many there are. There is no factor: some kernels of oneDNN have none, and then pass over the result once more,
/// number by number. Traps when the sizes do not match. The corresponding C functions are `cblas_sgemm` and
/// `dnnl_sgemm`.
public func multiply(
    _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, adding: Bool = false,
    library: ProductLibrary
) {
    let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
    guard target.rows > 0 && target.columns > 0 else { return }
    if k == 0 {
        // A sum over nothing, which oneDNN leaves unwritten on some processors.
        if !adding { clear(target) }
        return
    }
    switch library {
    case .openBLAS:
        unsafe cblas_sgemm(
            CblasRowMajor, aOperand.cblas, bOperand.cblas, Int32(target.rows), Int32(target.columns), Int32(k), 1,
            a.view.pointer, Int32(max(a.stride, 1)), b.view.pointer, Int32(max(b.stride, 1)), adding ? 1 : 0,
            target.view.pointer, Int32(max(target.stride, 1)))
    case .oneDNN:
        require(
            unsafe dnnl_sgemm(
                aOperand.dnnl, bOperand.dnnl, Int64(target.rows), Int64(target.columns), Int64(k), 1,
                a.view.pointer, Int64(max(a.stride, 1)),
                b.view.pointer, Int64(max(b.stride, 1)), adding ? 1 : 0, target.view.pointer,
                Int64(max(target.stride, 1))),
            "dnnl_sgemm")
    }
}

/// The same with bf16 operands, summed in fp32; needs ``ProductLibrary/hasBFloat16Products``.
///
/// The corresponding C function is oneDNN's `dnnl_gemm_bf16bf16f32`.
public func multiply(
    _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
    adding: Bool = false
) {
    let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
    guard target.rows > 0 && target.columns > 0 else { return }
    if k == 0 {
        // As above.
        if !adding { clear(target) }
        return
    }
    require(
        unsafe dnnl_gemm_bf16bf16f32(
            aOperand.dnnl, bOperand.dnnl, Int64(target.rows), Int64(target.columns), Int64(k), 1, a.view.pointer,
            Int64(max(a.stride, 1)),
            b.view.pointer, Int64(max(b.stride, 1)), adding ? 1 : 0, target.view.pointer, Int64(max(target.stride, 1))),
        "dnnl_gemm_bf16bf16f32")
}

private func clear(_ target: Matrix) {
    for row in 0..<target.rows { target.view.advanced(by: row * target.stride, count: target.columns).fill(0) }
}

/// The reduction length; traps when the sizes of a product do not match.
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

/// The sizes are checked before, so the library can only refuse for want of memory or of an instruction set.
func require(_ status: dnnl_status_t, _ function: String) {
    if status == dnnl_success { return }
    // Not a precondition: optimised builds print nothing for those, and this message has a reader.
    fatalError(
        "\(function) failed with oneDNN's status \(status.rawValue): out of memory, or a CPU that it does not serve")
}
