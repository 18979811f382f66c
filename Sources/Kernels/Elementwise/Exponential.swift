// Exponential - e^x of sixteen floats.

internal import Tensors

// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7 (remainder below 6e-9 of the value, far
// under half a unit in the last place), 2^n by adding n to the exponent bits. ln 2 is split in two so that n ln 2 is
// exact to more than fp32. Rounding is done by adding and subtracting 1.5 * 2^23: `rounded()` leaves vector code.

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

    // The low bits of `shifted` hold n; shifted up by 23 they are n in the exponent field, the rest falls off.
    let exponent = unsafe unsafeBitCast(shifted, to: SIMD16<Int32>.self) &<< 23
    let bits = unsafe unsafeBitCast(p, to: SIMD16<Int32>.self) &+ exponent
    let value = unsafe unsafeBitCast(bits, to: Lanes.self)
    // A NaN must come out as one: the step that made it is skipped because its loss is not finite.
    return value.replacing(with: Lanes(repeating: 0), where: underflows).replacing(with: x, where: x .!= x)
}
