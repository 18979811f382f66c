// PeakRates - the highest rates that this processor's vector units reach: what kernels and matmuls are held against.

internal import CPeakRates
internal import LinearAlgebra
internal import Tensors

extension ThreadPool {
    /// Floating-point operations that one call of ``fusedMultiplyAdds(rounds:)`` performs.
    public func operations(ofMultiplyAddRounds rounds: Int) -> Double {
        2 * Double(rounds) * Double(Int(cpeak_chains) * Int(cpeak_fma_lanes()) * threadCount)
    }

    /// Twelve independent chains of fused multiply-adds on every thread, in vectors as wide as the processor has them,
    /// whatever this program was built for: what the libraries can reach. Returns a number that depends on all of them.
    ///
    /// Traps on an x86-64 processor without FMA, for which this program is not built.
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

    /// The same with the widest instruction for bf16 dot products (x86-64 with AMX or AVX512_BF16).
    ///
    /// Returns 2^-24 for each operation, exactly but for the last sums, up to 2^18 rounds. Needs ``hasBFloat16Dot``.
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
