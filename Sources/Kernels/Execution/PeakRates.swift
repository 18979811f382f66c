// PeakRates - loops that run at the peak rate of this processor's vector units, on every thread of a pool.

internal import CPeakRates
internal import LinearAlgebra
internal import Tensors

extension ThreadPool {
    /// Floating-point operations that one call of ``fusedMultiplyAdds(rounds:)`` performs.
    public func operations(ofMultiplyAddRounds rounds: Int) -> Double {
        2 * Double(rounds) * Double(Int(cpeak_chains) * Int(cpeak_fma_lanes()) * threadCount)
    }

    /// Twelve independent chains of fused multiply-adds on every thread: the peak rate of fp32.
    ///
    /// Vectors are as wide as the processor has them, whatever this program was built for. Why: BLAS backends choose
    /// their kernels by the processor, too. Traps on a processor without FMA.
    ///
    /// - Returns: a number that depends on every operation.
    public func fusedMultiplyAdds(rounds: Int) -> Float {
        precondition(cpeak_fma_lanes() > 0, "this processor has no fused multiply-add")
        let results = Arena(count: threadCount).all
        let view = results.view
        run(threadCount) { task, _ in view[task] = cpeak_fma_rounds(Int64(rounds), Float(task + 1)) }
        return results.array.reduce(0, +)
    }

    /// Whether ``bfloat16Dots(rounds:)`` may be called.
    public static var hasBFloat16Dot: Bool { dotOperations != 0 }

    /// Floating-point operations that one call of ``bfloat16Dots(rounds:)`` performs.
    public func operations(ofDotRounds rounds: Int) -> Double {
        Double(rounds) * Double(Self.dotOperations * threadCount)
    }

    private static var dotOperations: Int {
        TileGEMM.hasTiles ? TileGEMM.operationsPerRound : Int(cpeak_dot_operations())
    }

    /// bf16 dot products with the widest instruction (AMX or AVX512_BF16) on every thread: the peak rate of bf16.
    ///
    /// It needs ``hasBFloat16Dot``.
    ///
    /// - Returns: 2^-24 for each operation, exact but for the last sums, up to 2^18 rounds.
    public func bfloat16Dots(rounds: Int) -> Float {
        precondition(Self.hasBFloat16Dot, "this processor has no bf16 dot product")
        let results = Arena(count: threadCount).all
        let view = results.view
        run(threadCount) { task, _ in
            view[task] = TileGEMM.hasTiles ? TileGEMM.dots(rounds: rounds) : cpeak_dot_rounds(Int64(rounds))
        }
        return results.array.reduce(0, +)
    }
}
