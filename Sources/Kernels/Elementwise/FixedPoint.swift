// FixedPoint - fp32 gradients as 64-bit integers, whose sums do not depend on the order of terms (design section 7).

internal import Synchronization
public import Tensors

/// The number format in which `training.reproducible` adds gradients: 64-bit integers that count a power of two.
///
/// The quantum is `2^-40 * 2^ceil(log2 N)` for N targets per step. Why: after division by a normaliser near N, a
/// quantum lies 13 bits below AdamW's usual epsilon.
///
/// A term must be below `2^50` quanta, and a sum has at most `2^12` terms. A sum therefore stays below `2^62` quanta
/// and cannot wrap around.
public struct FixedPoint: Sendable, Equatable {
    /// Largest number of terms of a sum.
    public static let mostTerms = 1 << 12
    private static let termBits = 50

    /// The base-2 logarithm of the quantum.
    public let exponent: Int

    /// - Parameter targetsPerStep: N. It follows from the configuration alone, so that all its runs have one quantum.
    public init(targetsPerStep: Int) {
        precondition(targetsPerStep > 0, "a step without targets")
        exponent = (targetsPerStep - 1).bitWidth - (targetsPerStep - 1).leadingZeroBitCount - 40
    }

    /// The value of the integer 1.
    public var quantum: Double { Double(sign: .plus, exponent: exponent, significand: 1) }

    /// Exclusive bound of a term's magnitude.
    public var limit: Float { Float(sign: .plus, exponent: exponent + Self.termBits, significand: 1) }

    /// Overflow in a conversion, ordered from none to the worst.
    public enum Overflow: Int, Sendable, Comparable {
        case none
        /// A magnitude of ``FixedPoint/limit`` or more.
        case outOfRange
        /// An infinity or not a number.
        case notFinite

        public static func < (a: Overflow, b: Overflow) -> Bool { a.rawValue < b.rawValue }
    }

    /// The overflow of a conversion, by the bits of its largest magnitude. Bits of infinities and NaNs are the largest.
    fileprivate func overflow(largest bits: UInt32) -> Overflow {
        if bits >= Float.infinity.bitPattern { return .notFinite }
        return bits >= limit.bitPattern ? .outOfRange : .none
    }
}

extension ThreadPool {
    private static let fixedPointGrain = 1 << 15

    /// `target = source (+ target)` in `format`, each number rounded to the nearest integer, ties to even.
    ///
    /// - Parameter replacing: whether `target`'s earlier values are dropped.
    /// - Returns: the worst overflow. Unless it is `none`, the contents of `target` are meaningless.
    public func add(
        _ source: FloatSlice, to target: Int64Slice, in format: FixedPoint, replacing: Bool
    ) -> FixedPoint.Overflow {
        precondition(source.count == target.count, "cannot add \(source.count) floats to \(target.count) integers")
        let (from, to) = (source.view, target.view)
        let scale = 1 / format.quantum
        let largest = Atomic<UInt32>(0)
        runRanges(count: source.count, grain: Self.fixedPointGrain) { range, _ in
            let bits =
                replacing
                ? addFixed(from, to, range, scale: scale) { _, new in new }
                : addFixed(from, to, range, scale: scale) { old, new in old &+ new }
            _ = largest.max(bits, ordering: .relaxed)
        }
        return format.overflow(largest: largest.load(ordering: .relaxed))
    }

    /// `target = source`, rounded to fp32.
    public func convert(_ source: Int64Slice, in format: FixedPoint, into target: FloatSlice) {
        precondition(
            source.count == target.count, "cannot convert \(source.count) integers into \(target.count) floats")
        let (from, to) = (source.view, target.view)
        let quantum = format.quantum
        runRanges(count: source.count, grain: Self.fixedPointGrain) { range, _ in
            for index in range { to[index] = Float(Double(from[index]) * quantum) }
        }
    }

    /// `target = 0`.
    public func clear(_ target: Int64Slice) {
        let view = target.view
        runRanges(count: target.count, grain: Self.fixedPointGrain) { range, _ in
            for index in range { view[index] = 0 }
        }
    }
}

/// Converts the elements in `range` to integers and combines them with `target`; returns the bits of the largest
/// magnitude.
///
/// Adding `0x1.8p52` rounds, because the last mantissa bit of the sum is worth 1. Why: a conversion to integers does
/// not vectorise.
@inline(__always)
private func addFixed(
    _ source: FloatView, _ target: Int64View, _ range: Range<Int>, scale: Double, _ combine: (Int64, Int64) -> Int64
) -> UInt32 {
    let shift = 0x1.8p52
    let shiftBits = Int64(bitPattern: shift.bitPattern)
    var largest: UInt32 = 0
    for index in range {
        let value = source[index]
        largest = max(largest, value.bitPattern & 0x7FFF_FFFF)
        let rounded = Double(value) * scale + shift
        target[index] = combine(target[index], Int64(bitPattern: rounded.bitPattern) &- shiftBits)
    }
    return largest
}
