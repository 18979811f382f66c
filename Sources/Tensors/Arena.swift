// Arena - the single owner of raw memory that holds Floats.

internal import Glibc

/// One aligned, zero-filled allocation of 32-bit floats, freed when the last slice of it is gone.
///
/// An arena is created once per role (parameters, gradients, activations, ...) and cut into ``FloatSlice``s; nothing
/// else in the program owns float memory, so nothing else can leak or double-free it.
public final class Arena: Sendable {
    /// Cache-line alignment; large arenas are aligned to huge pages instead.
    private static let lineBytes = 64
    private static let hugePageBytes = 2 << 20

    /// The whole allocation, unowned.
    package let view: FloatView

    /// Number of floats.
    public var count: Int { view.count }

    /// All of the arena as one slice.
    public var all: FloatSlice { FloatSlice(arena: self, offset: 0, count: count) }

    /// Allocates `count` zeros.
    ///
    /// Traps when the machine has no memory left: nothing useful can be done after that, and the kernel's
    /// out-of-memory killer usually comes first.
    public init(count: Int) {
        precondition(count >= 0, "an arena cannot have a negative size (\(count))")
        let byteCount = max(count, 1) * MemoryLayout<Float>.stride
        let isLarge = byteCount >= 2 * Self.hugePageBytes
        var memory: UnsafeMutableRawPointer?
        let status = unsafe posix_memalign(&memory, isLarge ? Self.hugePageBytes : Self.lineBytes, byteCount)
        guard status == 0, let memory = unsafe memory else {
            // Not a precondition: optimised builds print nothing for those, and this message has a reader.
            fatalError(
                "out of memory: \(byteCount >> 20) MiB could not be allocated; use more ranks on more nodes, or a smaller "
                    + "training.micro_batch_size")
        }
        // Huge pages spare most of the TLB misses of matmuls over whole weight matrices. Advice only: a kernel
        // that refuses it still gives correct memory.
        if isLarge { _ = unsafe madvise(memory, byteCount, MADV_HUGEPAGE) }
        unsafe memset(memory, 0, byteCount)
        unsafe view = FloatView(base: memory.bindMemory(to: Float.self, capacity: max(count, 1)), count: count)
    }

    deinit { unsafe free(view.base) }
}
