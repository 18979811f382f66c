// FloatSlice+Bits - comparison of floats by their bits.

internal import Glibc
package import Tensors

extension FloatSlice {
    /// Whether two slices hold equal bits. Unlike with `==`, a NaN equals itself, and -0 differs from 0.
    package func hasSameBits(as other: FloatSlice) -> Bool {
        guard count == other.count else { return false }
        return unsafe memcmp(view.pointer, other.view.pointer, count * MemoryLayout<Float>.stride) == 0
    }
}
