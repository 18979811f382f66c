// FiniteDifferences - gradients measured from a function's values alone.

/// The gradient of `function` at `point` by central differences: `(f(x + h e_i) - f(x - h e_i)) / 2h`.
///
/// The truncation error is `h^2 f''' / 6` and the rounding error `epsilon |f| / h`, so the best step is near the cube
/// root of `epsilon`: 1e-5 in double precision, 2^-7 for a function that computes in single precision.
public func numericalGradient(
    at point: [Double], step: Double = 1e-5, of function: (_ point: [Double]) -> Double
) -> [Double] {
    var moved = point
    return point.indices.map { index in
        defer { moved[index] = point[index] }
        moved[index] = point[index] + step
        let above = function(moved)
        moved[index] = point[index] - step
        let below = function(moved)
        return (above - below) / (2 * step)
    }
}

/// `sum a_i b_i`: turns a kernel's output into the scalar whose gradient is taken.
public func dot(_ a: [Double], _ b: [Double]) -> Double {
    precondition(a.count == b.count, "\(a.count) numbers against \(b.count)")
    return zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
}
