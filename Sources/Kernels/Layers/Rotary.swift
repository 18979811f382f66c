// Rotary - rotary position embedding (Su et al., arXiv 2104.09864) in Hugging Face's rotate-half convention.
//
// Legend: N tokens, T positions, Dh features per head. Feature j < Dh/2 is paired with j + Dh/2 and turned by the angle
// t * theta^(-2j / Dh).

internal import Glibc
public import Tensors

/// The rotary embedding of one head size: a table of cosines and sines, and the rotation of queries and keys.
public struct Rotary: Sendable {
    /// Features per head; even.
    public let headSize: Int
    /// Number of positions in the table.
    public let positions: Int
    private let cosines_TDh2: FloatSlice
    private let sines_TDh2: FloatSlice

    /// How frequencies are scaled, for positions beyond those that a model was made for.
    public enum Scaling: Sendable, Equatable {
        case none
        /// Every frequency is divided by `factor`.
        case linear(factor: Double)
        /// Frequencies are divided by `factor` where they turn less than `lowFrequencyFactor` times in
        /// `originalPositions`. They stay where they turn more than `highFrequencyFactor` times, and are mixed between.
        case llama3(
            factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalPositions: Int)

        /// The scaled frequency in radians per position, rounded at each operation as Hugging Face does.
        func scaled(_ frequency: Float) -> Float {
            switch self {
            case .none: return frequency
            case .linear(let factor): return frequency / Float(factor)
            case .llama3(let factor, let low, let high, let originalPositions):
                let length = Double(originalPositions)
                // Reciprocals and products, because PyTorch divides a number by a tensor so.
                let wavelength = 1 / frequency * Float(2 * Double.pi)
                if wavelength < Float(length / high) { return frequency }
                if wavelength > Float(length / low) { return frequency / Float(factor) }
                let share = (1 / wavelength * Float(length) - Float(low)) / Float(high - low)
                return (1 - share) * frequency / Float(factor) + share * frequency
            }
        }
    }

    /// Tabulates the angles as Hugging Face does: frequency and angle are rounded to single precision.
    ///
    /// Why: the roundings are part of a trained model. At position 1000 an angle differs from the unrounded one by up
    /// to 1e-4. The CE of a token would differ by some 1e-4 nat.
    public init(headSize: Int, positions: Int, theta: Double, scaling: Scaling = .none) {
        precondition(headSize > 0 && headSize % 2 == 0 && positions > 0, "rotary: head size \(headSize) must be even")
        self.headSize = headSize
        self.positions = positions
        let half = headSize / 2
        cosines_TDh2 = Arena(count: positions * half).all
        sines_TDh2 = Arena(count: positions * half).all
        for j in 0..<half {
            let exponent = Float(2 * j) / Float(headSize)
            let frequency = scaling.scaled(1 / Float(pow(Double(Float(theta)), Double(exponent))))
            for t in 0..<positions {
                let angle = Double(Float(t) * frequency)
                cosines_TDh2[t * half + j] = Float(cos(angle))
                sines_TDh2[t * half + j] = Float(sin(angle))
            }
        }
    }

    /// Turns the first `heads` heads of every token in place.
    ///
    /// - Parameters:
    ///   - x: `[N, stride]`; the heads lie at the start of each row.
    ///   - inverse: rotates by the negative angle, which is also the backward pass.
    ///   - position: position of token `n`; traps unless it is in 0 ..< ``positions``.
    public func apply(
        _ pool: ThreadPool, to x: FloatSlice, stride: Int, heads: Int, inverse: Bool = false,
        position: (_ token: Int) -> Int
    ) {
        let half = headSize / 2
        precondition(x.count % stride == 0 && heads * headSize <= stride, "rotary: \(heads) heads in rows of \(stride)")
        let (x_N, cosines, sines) = (x.view, cosines_TDh2.view, sines_TDh2.view)
        pool.runRanges(count: x.count / stride, grain: tokenTile) { tokens, _ in
            for n in tokens {
                let t = position(n)
                precondition(t >= 0 && t < positions, "position \(t) is outside the rotary table of \(positions)")
                let cosine = cosines.advanced(by: t * half, count: half)
                let sine = sines.advanced(by: t * half, count: half)
                for head in 0..<heads {
                    let first = x_N.advanced(by: n * stride + head * headSize, count: half)
                    let second = x_N.advanced(by: n * stride + head * headSize + half, count: half)
                    turn(first, second, cosine, sine, inverse: inverse)
                }
            }
        }
    }

    @inline(__always)
    private func turn(_ first: FloatView, _ second: FloatView, _ cosine: FloatView, _ sine: FloatView, inverse: Bool) {
        let sign = Lanes(repeating: inverse ? -1 : 1)
        forEachLanes(first.count) {
            let (a, b, c) = (first.lanes(at: $0), second.lanes(at: $0), cosine.lanes(at: $0))
            let s = sine.lanes(at: $0) * sign
            first.store(a * c - b * s, at: $0)
            second.store(b * c + a * s, at: $0)
        }
    }
}
