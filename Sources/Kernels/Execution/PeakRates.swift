// PeakRates - the highest rates that this processor's vector units reach: what kernels and products are held against.

internal import CX86Dot
internal import Tensors

extension ThreadPool {
    /// Floating-point operations that one call of ``fusedMultiplyAdds(rounds:)`` performs.
    public func operations(ofMultiplyAddRounds rounds: Int) -> Double {
        2 * Double(rounds) * Double(12 * laneCount * threadCount)
    }

    /// Twelve independent chains of fused multiply-adds on every thread, in vectors as wide as the build's instruction set
    /// has them. Returns a number that depends on all of them.
    public func fusedMultiplyAdds(rounds: Int) -> Float {
        let results = Arena(count: threadCount).all
        let view = results.view
        run(threadCount) { task, _ in
            let factor = Lanes(repeating: 0.999_999)
            let addend = Lanes(repeating: Float(task + 1) * 1e-6)
            var (a, b, c, d) = (addend, addend, addend, addend)
            var (e, f, g, h) = (addend, addend, addend, addend)
            var (i, j, k, l) = (addend, addend, addend, addend)
            for _ in 0..<rounds {
                a = addend.addingProduct(a, factor)
                b = addend.addingProduct(b, factor)
                c = addend.addingProduct(c, factor)
                d = addend.addingProduct(d, factor)
                e = addend.addingProduct(e, factor)
                f = addend.addingProduct(f, factor)
                g = addend.addingProduct(g, factor)
                h = addend.addingProduct(h, factor)
                i = addend.addingProduct(i, factor)
                j = addend.addingProduct(j, factor)
                k = addend.addingProduct(k, factor)
                l = addend.addingProduct(l, factor)
            }
            view[task] = horizontalSum(a + b + c + d + e + f + g + h + i + j + k + l)
        }
        return results.array.reduce(0, +)
    }

    /// Whether ``bfloat16Dots(rounds:)`` may be called.
    public static var hasBFloat16Dot: Bool { cx86_has_dot() != 0 }

    /// Floating-point operations that one call of ``bfloat16Dots(rounds:)`` performs.
    public func operations(ofDotRounds rounds: Int) -> Double { Double(rounds) * Double(12 * 64 * threadCount) }

    /// The same with the bf16 dot-product instruction (x86-64 with AVX512_BF16).
    public func bfloat16Dots(rounds: Int) -> Float {
        let results = Arena(count: threadCount).all
        let view = results.view
        run(threadCount) { task, _ in view[task] = cx86_dot_rounds(Int64(rounds)) }
        return results.array.reduce(0, +)
    }
}
