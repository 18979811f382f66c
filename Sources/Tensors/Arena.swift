// Arena - the single owner of raw memory that holds Floats.

internal import Glibc

/// One aligned, zero-filled allocation of 32-bit floats, freed when the last slice of it is gone.
///
/// The program creates an arena once per role (parameters, gradients, activations, ...) and cuts it into slices.
/// Nothing else owns float memory, so nothing else can leak or double-free it.
public final class Arena: Sendable {
    /// Alignment of small arenas in bytes: a cache line.
    private static let lineBytes = 64
    /// Alignment of large arenas in bytes: a huge page.
    private static let hugePageBytes = 2 << 20

    /// The whole allocation, unowned.
    package let view: FloatView

    /// Number of floats.
    public var count: Int { view.count }

    /// All of the arena as one slice.
    public var all: FloatSlice { FloatSlice(arena: self, offset: 0, count: count) }

    /// Allocates `count` zeros.
    ///
    /// Traps when the machine has no memory left. Why: the program can do nothing useful then, and the kernel's
    /// out-of-memory killer usually comes first.
    public init(count: Int) {
        precondition(count >= 0, "an arena cannot have a negative size (\(count))")
        let byteCount = max(count, 1) * MemoryLayout<Float>.stride
        let isLarge = byteCount >= 2 * Self.hugePageBytes
        var memory: UnsafeMutableRawPointer?
        let status = unsafe posix_memalign(&memory, isLarge ? Self.hugePageBytes : Self.lineBytes, byteCount)
        guard status == 0, let memory = unsafe memory else {
            // Why no precondition: optimised builds do not print its message.
            fatalError(
                "out of memory: \(byteCount >> 20) MiB could not be allocated; use more ranks on more nodes, or a smaller "
                    + "training.micro_batch_size")
        }
        // Huge pages spare most TLB misses of matmuls over whole weight matrices. A kernel may refuse the advice; the
        // memory is correct all the same.
        if isLarge { _ = unsafe madvise(memory, byteCount, MADV_HUGEPAGE) }
        unsafe memset(memory, 0, byteCount)
        unsafe view = FloatView(base: memory.bindMemory(to: Float.self, capacity: max(count, 1)), count: count)
    }

    deinit { unsafe free(view.base) }
}
