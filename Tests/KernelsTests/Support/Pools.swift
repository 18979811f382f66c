// Pools - thread pools for tests, with the BLAS set up as the program does it.

import Kernels
import LinearAlgebra
import TestSupport
import Tensors

private let ready: Void = BLASBackends.useCallingThreadOnly()

/// A pool of `threads`. It never polls: tests run side by side, on more threads than there may be cores.
func makePool(_ threads: Int = 1) -> ThreadPool {
    _ = ready
    return try! ThreadPool(threadCount: threads, spins: false)
}

/// A pool that upcasts bf16 operands to fp32, whatever the processor has.
func makeUpcastingPool(_ threads: Int = 1) throws -> ThreadPool {
    _ = ready
    return try ThreadPool(
        threadCount: threads, spins: false, backends: GEMMBackends(.openBLAS, upcastsBFloat16: true))
}

/// A pool that copies the transposed operand of weight gradients.
func makeCopyingPool(_ threads: Int = 1) throws -> ThreadPool {
    _ = ready
    var backends = GEMMBackends(.openBLAS)
    backends.copiesForWeightGradient = true
    return try ThreadPool(threadCount: threads, spins: false, backends: backends)
}

/// A slice that holds `values` at an address that no vector width divides.
func unaligned(_ values: [Float]) -> FloatSlice { GuardedBuffer(values).slice }

/// `values` rounded to bf16.
func downcast(_ values: [Float]) -> BFloat16Slice {
    let slice = BFloat16Slice(count: values.count)
    makePool().convert(FloatSlice(values), into: slice)
    return slice
}
