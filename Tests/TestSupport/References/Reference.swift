// Reference - naive double-precision versions of every kernel, straight from their definitions.

/// The namespace of the references. They are slow, allocate freely, use no identity beyond the definition (no fused
/// sums, no recomputation) and share no code with the kernels that they check.
public enum Reference {
    /// `op(a) op(b)`, row-major; `a` is `[m, k]`, or `[k, m]` when `aTransposed`; `b` is `[k, n]`, or `[n, k]`.
    public static func matmul(
        _ a: [Double], _ b: [Double], m: Int, n: Int, k: Int, aTransposed: Bool = false, bTransposed: Bool = false
    ) -> [Double] {
        precondition(a.count == m * k && b.count == k * n, "product: \(a.count), \(b.count) for \(m) x \(k) x \(n)")
        // Rows of `op(b)` one behind another, so that the inner loop is over neighbours.
        let rows = bTransposed ? (0..<(k * n)).map { b[$0 % n * k + $0 / n] } : b
        var result: [Double] = []
        result.reserveCapacity(m * n)
        for i in 0..<m {
            var sums = [Double](repeating: 0, count: n)
            for l in 0..<k {
                let factor = a[aTransposed ? l * m + i : i * k + l]
                let row = l * n
                for j in 0..<n { sums[j] += factor * rows[row + j] }
            }
            result += sums
        }
        return result
    }

    /// `e^x_i / sum_j e^x_j`, shifted by the maximum so that it cannot overflow.
    static func softmax(_ x: [Double]) -> [Double] {
        let largest = x.max() ?? 0
        let powers = x.map { exponential($0 - largest) }
        let total = powers.reduce(0, +)
        return powers.map { $0 / total }
    }
}
