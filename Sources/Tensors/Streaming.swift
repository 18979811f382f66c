// Streaming - copies that go past the caches, for what this core will not read again soon.

internal import CMemory

/// Copies `byteCount` bytes to memory that does not overlap `source`, and waits until they have arrived there.
///
/// For buffers larger than the caches this takes a third less traffic than an ordinary copy, and for what another core is
/// about to read it is faster there, too. What is to be read on this core next should be copied the ordinary way.
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
