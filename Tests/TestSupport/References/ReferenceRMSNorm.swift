// ReferenceRMSNorm - y_i = gain_i x_i / sqrt(mean(x^2) + eps) (Zhang and Sennrich, arXiv 1910.07467).

extension Reference {
    /// Output of `[N, D]` rows.
    public static func rmsNorm(_ x: [Double], gain: [Double], epsilon: Double) -> [Double] {
        let D = gain.count
        return x.indices.map { index in
            x[index] * gain[index % D] * inverseRoot(x, row: index / D, D, epsilon)
        }
    }

    /// Gradients of `sum dy y`, by the Jacobian `dy_i/dx_j = gain_i (delta_ij r - x_i x_j r^3 / D)` of each row.
    public static func rmsNormGradients(
        outputGradient: [Double], x: [Double], gain: [Double], epsilon: Double
    ) -> (inputGradient: [Double], gainGradient: [Double]) {
        let D = gain.count
        var inputGradient = [Double](repeating: 0, count: x.count)
        var gainGradient = [Double](repeating: 0, count: D)
        for row in 0..<(x.count / D) {
            let r = inverseRoot(x, row: row, D, epsilon)
            for i in 0..<D {
                let (at, xi) = (row * D + i, x[row * D + i])
                gainGradient[i] += outputGradient[at] * xi * r
                for j in 0..<D {
                    let jacobian = (i == j ? r : 0) - xi * x[row * D + j] * r * r * r / Double(D)
                    inputGradient[row * D + j] += outputGradient[at] * gain[i] * jacobian
                }
            }
        }
        return (inputGradient, gainGradient)
    }

    private static func inverseRoot(_ x: [Double], row: Int, _ D: Int, _ epsilon: Double) -> Double {
        let meanSquare = (0..<D).reduce(0) { $0 + x[row * D + $1] * x[row * D + $1] } / Double(D)
        return 1 / (meanSquare + epsilon).squareRoot()
    }
}
