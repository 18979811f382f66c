// HashedNumbers - numbers that follow from an index by a formula, so that golden files need not store their inputs.

/// Every `make_golden.py` repeats this formula; changing it invalidates the golden files.
public enum HashedNumbers {
    /// `count` numbers in `[-1, 1)`, multiples of 2^-23 (exact in single precision): Wellons' finaliser "lowbias32" of
    /// (index, stream).
    public static func uniform(_ count: Int, stream: Int) -> [Double] {
        (0..<count).map { index in
            let offset = UInt32(truncatingIfNeeded: stream) &* 0x85EB_CA6B &+ 0x0123_4567
            var x = UInt32(truncatingIfNeeded: index) &* 0x9E37_79B9 &+ offset
            x ^= x >> 16
            x = x &* 0x7FEB_352D
            x ^= x >> 15
            x = x &* 0x846C_A68B
            x ^= x >> 16
            return Double(x >> 8) / 0x1p23 - 1
        }
    }

    /// `count` integers in `0 ..< bound`, from the same numbers.
    public static func integers(_ count: Int, stream: Int, below bound: Int) -> [Int] {
        uniform(count, stream: stream).map { Int(($0 + 1) / 2 * Double(bound)) }
    }
}
