// BFloat16View - the unowned, unchecked window over bfloat16 numbers that kernels and bindings use.

internal import Glibc

/// Contiguous bfloat16 numbers (the upper 16 bits of fp32 numbers) without an owner.
///
/// Elements are bit patterns, because Swift has no bfloat16 type. Vector code upcasts on loading and rounds on storing.
///
/// A kernel's entry checks bounds once, where it takes views from slices. Here only builds with assertions check.
@safe public struct BFloat16View: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutablePointer<UInt16>
    public let count: Int

    @inlinable init(base: UnsafeMutablePointer<UInt16>, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    /// The memory of `floats` as twice as many bfloat16 numbers.
    package init(over floats: FloatView) {
        unsafe self.init(
            base: UnsafeMutableRawPointer(floats.pointer).assumingMemoryBound(to: UInt16.self), count: 2 * floats.count)
    }

    /// The `count` elements from `offset` on.
    @inlinable @inline(__always)
    package func advanced(by offset: Int, count: Int) -> BFloat16View {
        assert(offset >= 0 && count >= 0 && offset + count <= self.count)
        return unsafe BFloat16View(base: base + offset, count: count)
    }

    /// One element; storing rounds to the nearest, ties to even.
    @inlinable @inline(__always)
    package subscript(index: Int) -> Float {
        get {
            assert(index >= 0 && index < count)
            return unsafe Float(bitPattern: UInt32(base[index]) << 16)
        }
        nonmutating set {
            assert(index >= 0 && index < count)
            unsafe base[index] = bfloat16Bits(Lanes(repeating: newValue))[0]
        }
    }

    /// Sixteen elements from `index` on, upcast without rounding.
    @inlinable @inline(__always)
    package func lanes(at index: Int) -> Lanes {
        assert(index >= 0 && index + laneCount <= count)
        let bits = bits(at: index)
        // Each element is the upper half of a float whose lower half is zero, little-endian.
        let halves = SIMD32<UInt16>(
            0, bits[0], 0, bits[1], 0, bits[2], 0, bits[3], 0, bits[4], 0, bits[5], 0, bits[6], 0, bits[7],
            0, bits[8], 0, bits[9], 0, bits[10], 0, bits[11], 0, bits[12], 0, bits[13], 0, bits[14], 0, bits[15])
        return unsafe unsafeBitCast(halves, to: Lanes.self)
    }

    /// Stores sixteen elements from `index` on, rounded to the nearest, ties to even.
    @inlinable @inline(__always)
    package func store(_ value: Lanes, at index: Int) {
        assert(index >= 0 && index + laneCount <= count)
        unsafe UnsafeMutableRawPointer(base + index).storeBytes(of: bfloat16Bits(value), as: SIMD16<UInt16>.self)
    }

    /// The bit patterns of sixteen elements from `index` on.
    @inlinable @inline(__always)
    package func bits(at index: Int) -> SIMD16<UInt16> {
        assert(index >= 0 && index + laneCount <= count)
        return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: SIMD16<UInt16>.self)
    }

    /// The elements from `index` to the end, at most sixteen, padded with `padding`.
    @inlinable @inline(__always)
    package func partialLanes(at index: Int, padding: Float) -> Lanes {
        var value = Lanes(repeating: padding)
        loadPartial(&value, at: index)
        return value
    }

    /// Stores the first lanes of `value`, as many as there are elements from `index` on.
    @inlinable @inline(__always)
    package func storePartial(_ value: Lanes, at index: Int) {
        var copy = value
        storePartial(&copy, at: index)
    }

    // `inout` passes vectors through memory. Why: the calling convention cuts a vector argument into quarters, and the
    // compiler then computes in quarters before and after the call, too.

    @usableFromInline @inline(never)
    func loadPartial(_ value: inout Lanes, at index: Int) {
        for lane in 0..<Swift.min(laneCount, count - index) { value[lane] = self[index + lane] }
    }

    @usableFromInline @inline(never)
    func storePartial(_ value: inout Lanes, at index: Int) {
        for lane in 0..<Swift.min(laneCount, count - index) { self[index + lane] = value[lane] }
    }

    /// Start of the memory, for a binding's C call or a matmul.
    package var pointer: UnsafeMutablePointer<UInt16> { unsafe base }

    /// Sets all elements to the number with the bit pattern `bits`.
    package func fill(_ bits: UInt16) {
        for index in 0..<count { unsafe base[index] = bits }
    }

    /// Copies all elements of `source`, which has as many as this view.
    package func copy(from source: BFloat16View) {
        assert(source.count == count)
        unsafe _ = memmove(base, source.base, count * MemoryLayout<UInt16>.stride)
    }
}

/// The bfloat16 bit patterns nearest to sixteen floats, ties to even; a NaN stays NaN.
@inlinable @inline(__always)
func bfloat16Bits(_ value: Lanes) -> SIMD16<UInt16> {
    let bits = unsafe unsafeBitCast(value, to: SIMD16<UInt32>.self)
    let one = SIMD16<UInt32>(repeating: 1)
    let half = SIMD16<UInt32>(repeating: 0x7FFF)
    var rounded = bits &+ half &+ ((bits &>> 16) & one)
    // Every NaN becomes the quiet NaN. Why: rounding could carry a NaN's payload into the sign.
    rounded.replace(with: SIMD16<UInt32>(repeating: 0x7FC0_0000), where: value .!= value)
    // The upper halves, spelt out, compile to one instruction. `oddHalf` and `init(truncatingIfNeeded:)` compile to
    // calls.
    let halves = unsafe unsafeBitCast(rounded, to: SIMD32<UInt16>.self)
    return SIMD16(
        halves[1], halves[3], halves[5], halves[7], halves[9], halves[11], halves[13], halves[15],
        halves[17], halves[19], halves[21], halves[23], halves[25], halves[27], halves[29], halves[31])
}
