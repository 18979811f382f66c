// PinnedArray - elements whose address the library may keep.

/// Elements at an address that does not change: MPI keeps the addresses of buffers, counts and displacements until an
/// operation is complete, which Swift's arrays do not allow. Safe: the memory lives as long as the object.
@safe final class PinnedArray<Element: BitwiseCopyable> {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(repeating value: Element, count: Int) {
        self.count = count
        // Never empty, so that the address is always one that may be passed.
        unsafe pointer = UnsafeMutablePointer.allocate(capacity: max(count, 1))
        unsafe pointer.initialize(repeating: value, count: max(count, 1))
    }

    init(_ values: [Element]) {
        count = values.count
        unsafe pointer = UnsafeMutablePointer.allocate(capacity: max(count, 1))
        for (index, value) in values.enumerated() { unsafe (pointer + index).initialize(to: value) }
    }

    deinit { unsafe pointer.deallocate() }

    /// The elements, copied.
    var array: [Element] { unsafe Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
