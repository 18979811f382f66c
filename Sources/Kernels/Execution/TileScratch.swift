// TileScratch - bf16 products on AMX tiles: operands packed, and the result placed, a panel at a time.

internal import LinearAlgebra
internal import Tensors

/// What each thread needs for such products: prepared ones, and room for a panel's operands and result (3.5 MiB at most). It
/// stays where the thread that uses it touched it first.
final class TileScratch: Sendable {
    /// Products with reductions up to this are faster on packed operands than through oneDNN's gemm (1.7 to 2 times with 128,
    /// 1.2 to 1.5 with 512). In longer ones the cost that gemm has for each block of the result counts less, and packed
    /// operands outgrow the cache.
    private static let longestReduction = 1024
    /// The same where `a` is transposed, which gemm does while it packs.
    private static let longestReductionOfTransposed = 512
    /// A panel's edges end here; attention has longer products.
    private static let longestEdge = 768
    /// Below, packing takes longer than computing.
    private static let minimumFlops = 16e6

    let rooms: [Room]

    init(threads: Int) { rooms = (0..<threads).map { _ in Room() } }

    /// `target = op(a) op(b) + (adding ? target : 0)` on the calling thread, `worker`; does nothing and returns false where
    /// gemm is faster or tiles do not take the sizes. Which of the two depends on sizes and strides only, as the result's
    /// bits must. Traps when the sizes do not match.
    func multiply(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool, worker: Int
    ) -> Bool {
        let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
        let (m, n) = (target.rows, target.columns)
        switch aOperand {
        case .asStored: guard k <= Self.longestReduction, a.stride == k else { return false }
        case .transposed: guard k <= Self.longestReductionOfTransposed, m % 16 == 0 else { return false }
        }
        guard max(m, n) <= Self.longestEdge else { return false }
        guard 2 * Double(m) * Double(n) * Double(k) >= Self.minimumFlops else { return false }
        return rooms[worker].multiply(a, aOperand, b, bOperand, into: target, adding: adding, k: k)
    }
}

/// The prepared products and the buffers of one thread.
///
/// `@unchecked Sendable`: the pool lets one thread at a time be the worker that it belongs to.
@safe final class Room: @unchecked Sendable {
    struct Shape: Hashable {
        let m: Int
        let n: Int
        let k: Int
    }

    /// Nil where tiles do not take the sizes.
    private(set) var products: [Shape: TileProduct?] = [:]
    private var left = BFloat16Slice(count: 0)
    private var packed = BFloat16Slice(count: 0)
    private var result = Arena(count: 0).all

    func multiply(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool, k: Int
    ) -> Bool {
        let (m, n) = (target.rows, target.columns)
        guard let product = product(Shape(m: m, n: n, k: k)) else { return false }
        var dense = a
        if aOperand == .transposed {
            let room = Self.room(in: &left, m * k)
            transpose(a, into: room)
            dense = BFloat16Matrix(room, rows: m, columns: k, stride: k)
        }
        let packed = Self.room(in: &packed, k * n)
        packTiles(b, bOperand, into: packed)
        if target.stride == n && !adding {
            product.multiply(dense, packed: packed, into: target)
            return true
        }
        if result.count < m * n { result = Arena(count: m * n).all }
        let sums = Matrix(result, rows: m, columns: n)
        product.multiply(dense, packed: packed, into: sums)
        if adding {
            for row in 0..<m {
                let rowOfTarget = target.view.advanced(by: row * target.stride, count: n)
                mapLanes(rowOfTarget, sums.view.advanced(by: row * n, count: n), into: rowOfTarget) { $0 + $1 }
            }
        } else {
            sums.copy(to: target)
        }
        return true
    }

    private func product(_ shape: Shape) -> TileProduct? {
        if let known = products[shape] { return known }
        let product = TileProduct(m: shape.m, n: shape.n, k: shape.k)
        products[shape] = .some(product)
        return product
    }

    /// The first `count` numbers of `slice`, which grows where it is too small.
    private static func room(in slice: inout BFloat16Slice, _ count: Int) -> BFloat16View {
        if slice.count < count { slice = BFloat16Slice(count: count) }
        return slice.view.advanced(by: 0, count: count)
    }
}
