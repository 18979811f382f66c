// FloatView - the unowned, unchecked window that kernels and bindings use in their innermost loops.

internal import Glibc

/// The vector type of elementwise kernels: sixteen floats, one AVX-512 register or two AVX2 registers.
///
/// The lane count decides the bits of sums. It must therefore not depend on the machine.
public typealias Lanes = SIMD16<Float>

/// Number of elements in ``Lanes``.
public let laneCount = 16

/// Contiguous floats without an owner.
///
/// A kernel's entry checks bounds once, where it takes views from slices. Here only builds with assertions check.
///
/// `@unchecked Sendable`: the thread pool hands parts of one view to several threads. The kernel keeps the parts
/// disjoint.
@safe public struct FloatView: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutablePointer<Float>
    public let count: Int

    @inlinable init(base: UnsafeMutablePointer<Float>, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    /// The `count` elements from `offset` on.
    @inlinable @inline(__always)
    package func advanced(by offset: Int, count: Int) -> FloatView {
        assert(offset >= 0 && count >= 0 && offset + count <= self.count)
        return unsafe FloatView(base: base + offset, count: count)
    }

    @inlinable @inline(__always)
    package subscript(index: Int) -> Float {
        get {
            assert(index >= 0 && index < count)
            return unsafe base[index]
        }
        nonmutating set {
            assert(index >= 0 && index < count)
            unsafe base[index] = newValue
        }
    }

    /// Sixteen elements from `index` on.
    @inlinable @inline(__always)
    package func lanes(at index: Int) -> Lanes {
        assert(index >= 0 && index + laneCount <= count)
        return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: Lanes.self)
    }

    /// Stores sixteen elements from `index` on.
    @inlinable @inline(__always)
    package func store(_ value: Lanes, at index: Int) {
        assert(index >= 0 && index + laneCount <= count)
        unsafe UnsafeMutableRawPointer(base + index).storeBytes(of: value, as: Lanes.self)
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
    package var pointer: UnsafeMutablePointer<Float> { unsafe base }

    /// Sets every element.
    package func fill(_ value: Float) { unsafe base.update(repeating: value, count: count) }

    /// Copies all elements of `source`, which has as many as this view.
    package func copy(from source: FloatView) {
        assert(source.count == count)
        unsafe _ = memmove(base, source.base, count * MemoryLayout<Float>.stride)
    }
}
