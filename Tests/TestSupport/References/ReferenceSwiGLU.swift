// ReferenceSwiGLU - s = silu(gate) up with silu(g) = g / (1 + e^-g) (Shazeer, arXiv 2002.05202).

extension Reference {
    /// `[N, F]` from rows of `[gate: F | up: F]`.
    public static func swiGLU(_ gateUp: [Double], features F: Int) -> [Double] {
        (0..<(gateUp.count / 2)).map { index in
            let (n, f) = (index / F, index % F)
            let (gate, up) = (gateUp[2 * n * F + f], gateUp[2 * n * F + F + f])
            return gate / (1 + exponential(-gate)) * up
        }
    }

    /// Gradients of gate and up by the quotient rule, `[N, 2F]`, gate first.
    public static func swiGLUGradient(outputGradient: [Double], gateUp: [Double], features F: Int) -> [Double] {
        var result = gateUp
        for index in outputGradient.indices {
            let (n, f) = (index / F, index % F)
            let (gate, up) = (gateUp[2 * n * F + f], gateUp[2 * n * F + F + f])
            let denominator = 1 + exponential(-gate)
            let slope = (denominator + gate * exponential(-gate)) / (denominator * denominator)
            result[2 * n * F + f] = outputGradient[index] * up * slope
            result[2 * n * F + F + f] = outputGradient[index] * gate / denominator
        }
        return result
    }
}
