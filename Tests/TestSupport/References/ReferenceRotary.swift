// ReferenceRotary - rotary embedding as Hugging Face writes it: x cos + rotate_half(x) sin (arXiv 2104.09864).

internal import Foundation

extension Reference {
    /// One head of one token, turned to `position`. Frequency and angle are rounded to single precision at each step,
    /// as Hugging Face does: that is part of the model.
    public static func rotary(_ x: [Double], position: Int, theta: Double) -> [Double] {
        let half = x.count / 2
        // rotate_half(x) = concat(-x[half:], x[:half]); cos and sin repeat over the halves.
        let rotated = x[half...].map { -$0 } + x[..<half]
        return x.indices.map { i in
            let power = Float(pow(theta, Double(Float(2 * (i % half)) / Float(x.count))))
            let angle = Double(Float(position) * (1 / power))
            return x[i] * cos(angle) + rotated[i] * sin(angle)
        }
    }

    /// The gradient of the input: the transposed rotation matrix times the output gradient.
    public static func rotaryGradient(_ outputGradient: [Double], position: Int, theta: Double) -> [Double] {
        outputGradient.indices.map { column in
            let unit = outputGradient.indices.map { $0 == column ? 1.0 : 0 }
            return dot(outputGradient, rotary(unit, position: position, theta: theta))
        }
    }
}
