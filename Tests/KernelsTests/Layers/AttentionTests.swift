// AttentionTests - blocked attention against one score at a time.

import Kernels
import LinearAlgebra
import TestSupport
import Tensors
import Testing

struct AttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (B, T, H, K, Dh): (Int, Int, Int, Int, Int)
        var qkv: [Float]
        let outputGradient: [Float]
        /// Positions of the batch, b * T + t, at which a document begins.
        let documents: Set<Int>
        var mask: DocumentMask? {
            DocumentMask(startsDocument: (0..<(B * T)).map { documents.contains($0 + 1) }, positions: T)
        }
        var attention: Attention { Attention(heads: H, keyValueHeads: K, headSize: Dh, positions: T) }
        var reference: ReferenceAttention {
            ReferenceAttention(
                sequences: B, positions: T, heads: H, keyValueHeads: K, headSize: Dh, documents: documents)
        }
        var testDescription: String { "\(B) x \(T) positions, \(H)/\(K) heads of \(Dh), borders \(documents.count)" }

        init(
            _ B: Int, _ T: Int, _ H: Int, _ K: Int, _ Dh: Int, deviation: Double = 1, documents: [Int] = []
        ) {
            self.documents = Set(documents)
            (self.B, self.T, self.H, self.K, self.Dh) = (B, T, H, K, Dh)
            var generator = SeededGenerator(seed: UInt64(T * 1000 + Dh))
            qkv = generator.normals(B * T * (H + 2 * K) * Dh, deviation: deviation)
            outputGradient = generator.normals(B * T * H * Dh)
        }

        func forward(_ pool: ThreadPool) -> (output: [Float], lse: [Float]) {
            let (output, lse) = (GuardedBuffer(count: B * T * H * Dh), GuardedBuffer(count: B * H * T))
            let scratch = GuardedBuffer(count: attention.scratchCount(threads: pool.threadCount))
            attention.forward(
                pool, sequences: B, documents: mask, qkv: .fp32(unaligned(qkv)), into: output.slice, lse: lse.slice,
                scratch: scratch.slice)
            #expect(output.isIntact && lse.isIntact && scratch.isIntact)
            return (output.array, lse.array)
        }

        /// Both passes on bf16 operands.
        func withBFloat16Operands(_ pool: ThreadPool) -> (output: [Float], qkvGradient: [Float]) {
            let (output, lse) = (GuardedBuffer(count: B * T * H * Dh), GuardedBuffer(count: B * H * T))
            let (qkvGradient, scratch) = (
                GuardedBuffer(count: qkv.count),
                GuardedBuffer(count: attention.scratchCount(threads: pool.threadCount))
            )
            let (downcastQKV, downcastGradient) = (downcast(qkv), downcast(outputGradient))
            attention.forward(
                pool, sequences: B, documents: mask, qkv: .bf16(downcastQKV), into: output.slice, lse: lse.slice,
                scratch: scratch.slice)
            attention.backward(
                pool, sequences: B, documents: mask, qkv: .bf16(downcastQKV), output: output.slice, lse: lse.slice,
                outputGradient: unaligned(downcastGradient.array), downcast: downcastGradient,
                qkvGradient: qkvGradient.slice,
                scratch: scratch.slice)
            #expect(output.isIntact && lse.isIntact && qkvGradient.isIntact && scratch.isIntact)
            return (output.array, qkvGradient.array)
        }

        func backward(_ pool: ThreadPool) -> [Float] {
            let (output, lse) = forward(pool)
            let qkvGradient = GuardedBuffer(count: qkv.count)
            let scratch = GuardedBuffer(count: attention.scratchCount(threads: pool.threadCount))
            attention.backward(
                pool, sequences: B, documents: mask, qkv: .fp32(unaligned(qkv)), output: unaligned(output),
                lse: unaligned(lse), outputGradient: unaligned(outputGradient), qkvGradient: qkvGradient.slice,
                scratch: scratch.slice)
            #expect(qkvGradient.isIntact && scratch.isIntact)
            return qkvGradient.array
        }
    }

    /// Group sizes 1, 2 and 4. Less than a block of 64 queries, one block, several and a remainder, more than a task's
    /// eight. Documents of one token to several blocks, which begin and end inside and at the end of lanes and blocks.
    static let cases = [
        Case(1, 1, 1, 1, 1), Case(2, 5, 4, 4, 20), Case(1, 64, 4, 2, 16), Case(2, 65, 4, 1, 33), Case(1, 130, 4, 2, 48),
        Case(3, 70, 2, 1, 8), Case(1, 128, 1, 1, 64), Case(0, 7, 2, 2, 4), Case(1, 512, 1, 1, 4),
        Case(2, 580, 2, 1, 12), Case(2, 5, 4, 4, 20, documents: [1, 3, 7]),
        Case(1, 130, 4, 2, 48, documents: [3, 64, 100]), Case(1, 192, 4, 2, 64, documents: [50, 100, 116]),
        Case(2, 580, 2, 1, 12, documents: [1, 70, 200, 201, 204, 264, 400, 643, 644, 1159]),
        Case(1, 512, 1, 1, 4, documents: Array(stride(from: 20, to: 512, by: 20))),
        Case(3, 70, 2, 1, 8, documents: [100]),
    ]

    /// Tolerance: an exponential of scores near 1, and sums over up to 2 * 580 terms whose roundings of 2^-24 mostly
    /// cancel.
    @Test(arguments: cases)
    func equalsTheDefinition(attention: Case) {
        let pool = makePool(2)
        let (output, lse) = attention.forward(pool)
        let qkv = attention.qkv.doubles
        #expect(disagreement(output, attention.reference.output(qkv), within: 1e-6) == nil)
        #expect(disagreement(lse, attention.reference.logSumExp(qkv), within: 1e-6) == nil)
        let expected = attention.reference.gradient(qkv, outputGradient: attention.outputGradient.doubles)
        #expect(disagreement(attention.backward(pool), expected, within: 2e-6) == nil)
    }

    /// Tolerance: bf16 operands (probabilities, gradients of scores) round by at most 2^-9 of themselves. Errors of
    /// sums mostly cancel, except in a row that sees one or two keys. Operands of another head or row would make an
    /// error near 1.
    @Test(arguments: cases)
    func bfloat16OperandsEqualTheDefinition(attention: Case) throws {
        var rounded = attention
        rounded.qkv = downcast(attention.qkv).array
        let outputGradient = downcast(attention.outputGradient).array.doubles
        var pools = [try makeUpcastingPool(2)]
        if BLASBackends.hasBFloat16GEMM { pools.append(makePool(2)) }
        for pool in pools {
            let (output, qkvGradient) = attention.withBFloat16Operands(pool)
            #expect(disagreement(output, rounded.reference.output(rounded.qkv.doubles), within: 0x1p-9) == nil)
            let expected = rounded.reference.gradient(rounded.qkv.doubles, outputGradient: outputGradient)
            #expect(disagreement(qkvGradient, expected, within: 0x1p-8) == nil)
        }
    }

    /// Scores of several hundred would overflow the exponential without the shift by their maximum.
    ///
    /// Tolerance: their rounding in the exponent is 300 * 2^-24 = 2e-5.
    @Test func largeScores() {
        let attention = Case(1, 70, 2, 1, 16, deviation: 10)
        let (output, lse) = attention.forward(makePool())
        let expected = attention.reference.output(attention.qkv.doubles)
        #expect(disagreement(output, expected, within: 2e-4) == nil)
        #expect(lse.max() ?? 0 > 200)
        let gradient = attention.reference.gradient(
            attention.qkv.doubles, outputGradient: attention.outputGradient.doubles)
        #expect(disagreement(attention.backward(makePool()), gradient, within: 2e-3) == nil)
    }

    /// Step 2^-6: see RMSNormTests.
    @Test(arguments: [1, 2, 4])
    func backwardIsTheSlopeOfForward(keyValueHeads: Int) {
        for documents in [[], [2], [1, 3]] {
            var attention = Case(1, 4, 4, keyValueHeads, 3, documents: documents)
            let gradient = attention.backward(makePool())
            let slope = numericalGradient(at: attention.qkv.doubles, step: 0x1p-6) {
                attention.qkv = $0.floats
                return dot(attention.outputGradient.doubles, attention.forward(makePool()).output.doubles)
            }
            #expect(disagreement(gradient, slope, within: 1e-3) == nil, "\(documents)")
        }
    }

    @Test func laterTokensChangeNothingBefore() {
        var attention = Case(1, 100, 2, 1, 8)
        let before = attention.forward(makePool()).output
        let row = attention.attention.qkvStride
        for index in (70 * row)..<(100 * row) { attention.qkv[index] += 3 }
        let after = attention.forward(makePool()).output
        #expect(bitDifference(Array(before[..<(70 * 16)]), Array(after[..<(70 * 16)])) == nil)
        #expect(bitDifference(before, after) != nil)
    }

    @Test func sequencesDoNotSeeEachOther() {
        let both = Case(2, 70, 2, 1, 8)
        var second = Case(1, 70, 2, 1, 8)
        second.qkv = Array(both.qkv[(both.qkv.count / 2)...])
        let output = both.forward(makePool()).output
        #expect(bitDifference(second.forward(makePool()).output, Array(output[(output.count / 2)...])) == nil)
    }

    /// A prompt fills the cache, then single tokens. Each row equals whole-sequence attention up to the order of sums.
    @Test(arguments: [Case(1, 1, 1, 1, 4), Case(1, 70, 4, 2, 20), Case(1, 33, 4, 1, 33), Case(1, 20, 2, 2, 16)])
    func cachedAttentionEqualsTheWhole(attention: Case) {
        let pool = makePool(2)
        let sizes = attention.attention
        let (stride, T) = (sizes.qkvStride, attention.T)
        let rowCount = attention.K * attention.Dh
        let (keys, values) = (GuardedBuffer(count: T * rowCount), GuardedBuffer(count: T * rowCount))
        let scratch = GuardedBuffer(count: attention.H * T)
        var output: [Float] = []
        var start = 0
        while start < T {
            let n = start == 0 ? (T + 1) / 2 : min(1 + start % 3, T - start)
            let rows = GuardedBuffer(count: n * sizes.outputStride)
            sizes.forwardCached(
                pool, qkv: unaligned(Array(attention.qkv[(start * stride)..<((start + n) * stride)])), start: start,
                keys: keys.slice, values: values.slice, into: rows.slice, scratch: scratch.slice)
            #expect(rows.isIntact)
            output += rows.array
            start += n
        }
        #expect(disagreement(output, attention.reference.output(attention.qkv.doubles), within: 1e-6) == nil)
        #expect(disagreement(output, attention.forward(pool).output.doubles, within: 1e-6) == nil)
        #expect(keys.isIntact && values.isIntact && scratch.isIntact)
        for t in 0..<T {
            let first = t * stride + attention.H * attention.Dh
            #expect(
                Array(keys.array[(t * rowCount)..<((t + 1) * rowCount)])
                    == Array(attention.qkv[first..<(first + rowCount)]))
        }
    }

    @Test func sizesThatDoNotFitTrap() async {
        await #expect(processExitsWith: .failure) {
            _ = Attention(heads: 4, keyValueHeads: 3, headSize: 2, positions: 2)
        }
        await #expect(processExitsWith: .failure) {
            let attention = Attention(heads: 1, keyValueHeads: 1, headSize: 2, positions: 4)
            attention.forward(
                makePool(), sequences: 1, qkv: .fp32(Arena(count: 24).all), into: Arena(count: 8).all,
                lse: Arena(count: 4).all, scratch: Arena(count: attention.scratchCount(threads: 1) - 1).all)
        }
        await #expect(processExitsWith: .failure) {
            let attention = Attention(heads: 1, keyValueHeads: 1, headSize: 2, positions: 4)
            let cache = Arena(count: 8).all
            attention.forwardCached(
                makePool(), qkv: Arena(count: 12).all, start: 3, keys: cache, values: cache, into: Arena(count: 4).all,
                scratch: Arena(count: 4).all)
        }
    }
}
