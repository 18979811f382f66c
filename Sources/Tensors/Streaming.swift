// Streaming - copies that bypass the caches, for data that this core does not read again soon.

internal import CMemory

/// Copies `byteCount` bytes past the caches and returns when memory holds them; `target` must not overlap `source`.
///
/// Why: buffers larger than the caches take a third less memory traffic than with an ordinary copy. Another core also
/// reads the copy faster. Data that this core reads next should be copied the ordinary way.
package func copyStreaming(
    _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, byteCount: Int
) {
    unsafe cmemory_copy_streaming(target, source, byteCount)
}

extension FloatView {
    /// Copies as many elements as this view has, past the caches; the views must not overlap.
    package func copyStreaming(from source: FloatView) {
        assert(source.count == count)
        unsafe Tensors.copyStreaming(source.base, to: base, byteCount: count * MemoryLayout<Float>.stride)
    }
}
