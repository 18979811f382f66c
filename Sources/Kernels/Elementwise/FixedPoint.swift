// FixedPoint - fp32 gradients as 64-bit integers, whose sums do not depend on the order of their terms (design section 7).

internal import Synchronization
public import Tensors

/// What `training.reproducible` adds gradients in: integers that count a power of two.
///
/// The quantum is `2^-40 * 2^ceil(log2 N)` for N targets per step: 13 bits below AdamW's usual epsilon once the gradient is
/// divided by a normaliser of the order of N. A term must be below `2^50` quanta and a sum has at most `2^12` terms, so it
/// stays below `2^62` and cannot wrap around.
public struct FixedPoint: Sendable, Equatable {
    /// Terms that a sum may have.
    public static let mostTerms = 1 << 12
    private static let termBits = 50

    /// The quantum is 2 to this power.
    public let exponent: Int

    /// - Parameter targetsPerStep: N, from the configuration only, so that every run of it has the same quantum.
    public init(targetsPerStep: Int) {
        precondition(targetsPerStep > 0, "a step without targets")
        exponent = (targetsPerStep - 1).bitWidth - (targetsPerStep - 1).leadingZeroBitCount - 40
    }

    /// What an integer of 1 stands for.
    public var quantum: Double { Double(sign: .plus, exponent: exponent, significand: 1) }

    /// Terms must be smaller than this.
    public var limit: Float { Float(sign: .plus, exponent: exponent + Self.termBits, significand: 1) }

    /// Overflow in a conversion, ordered from none to the worst.
    public enum Overflow: Int, Sendable, Comparable {
        case none
        /// A number that is not below ``FixedPoint/limit``.
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
    /// - Returns: the worst overflow; unless it is `none`, `target` holds nothing of use.
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

/// Rounds by adding a number whose last mantissa bit is worth 1, which vectorises as a conversion to integers does not.
/// Returns the bits of the largest magnitude.
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
