// Exponential - e^x of sixteen floats.

internal import Tensors

// The method: x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r.
//
// e^r is a Taylor polynomial of degree 7. Its remainder is below 6e-9 of the value, far under half a unit in the last
// place. 2^n adds n to the exponent bits. ln 2 is a sum of two floats, so that n ln 2 is more precise than fp32.
// Adding and subtracting 1.5 * 2^23 rounds to an integer. Why: `rounded()` is no vector instruction.

private let log2E: Float = 1.442_695_04
private let ln2High: Float = 0.693_359_375
private let ln2Low: Float = -2.121_944_4e-4
private let roundingShift: Float = 12_582_912

/// `e^x`; 0 below -87.3, where the result would be denormal, and capped at `e^88`; NaN for NaN.
@inline(__always)
func exponential(_ x: Lanes) -> Lanes {
    let lowest = Lanes(repeating: -87.3)
    let highest = Lanes(repeating: 88)
    let shift = Lanes(repeating: roundingShift)
    let underflows = x .< lowest
    var bounded = x.replacing(with: lowest, where: underflows)
    bounded.replace(with: highest, where: bounded .> highest)

    let shifted = shift.addingProduct(bounded, Lanes(repeating: log2E))
    let n = shifted - shift
    let r = bounded.addingProduct(n, Lanes(repeating: -ln2High)).addingProduct(n, Lanes(repeating: -ln2Low))

    var p = Lanes(repeating: 1.0 / 5040)
    p = Lanes(repeating: 1.0 / 720).addingProduct(p, r)
    p = Lanes(repeating: 1.0 / 120).addingProduct(p, r)
    p = Lanes(repeating: 1.0 / 24).addingProduct(p, r)
    p = Lanes(repeating: 1.0 / 6).addingProduct(p, r)
    p = Lanes(repeating: 0.5).addingProduct(p, r)
    p = Lanes(repeating: 1).addingProduct(p, r)
    p = Lanes(repeating: 1).addingProduct(p, r)

    // The low bits of `shifted` hold n. The shift by 23 puts n into the exponent field and drops the other bits.
    let exponent = unsafe unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23
    let bits = unsafe unsafeBitCast(p, to: SIMD16<Int32>.self) &+ exponent
    let value = unsafe unsafeBitCast(bits, to: Lanes.self)
    // NaN stays NaN. Why: training skips a step by its loss, which must therefore not be finite.
    return value.replacing(with: Lanes(repeating: 0), where: underflows).replacing(with: x, where: x .!= x)
}
