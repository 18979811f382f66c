// DocumentMaskTests - blocks of queries inside documents, and what a document may not depend on.

import TestSupport
import Tensors
import Testing

@testable import Kernels

struct DocumentMaskTests {
    /// Consecutive documents of the given lengths.
    private func documents(_ lengths: [Int]) -> [Range<Int>] {
        var end = 0
        return lengths.map { length in
            defer { end += length }
            return end..<(end + length)
        }
    }

    private func blocks(_ lengths: [Int]) -> [QueryBlock] { QueryBlock.blocks(of: documents(lengths)) }

    private func block(_ queries: Range<Int>, from firstKey: Int) -> QueryBlock {
        QueryBlock(queries: queries, firstKey: firstKey)
    }

    @Test func blocksFollowTheDocuments() {
        #expect(blocks([5]) == [block(0..<5, from: 0)])
        #expect(blocks([64]) == [block(0..<64, from: 0)])
        #expect(blocks([130]) == [block(0..<64, from: 0), block(64..<128, from: 0), block(128..<130, from: 0)])
        // Short documents share a block until the next one does not fit.
        #expect(blocks([10, 20, 34, 1]) == [block(0..<64, from: 0), block(64..<65, from: 64)])
        #expect(blocks([10, 55]) == [block(0..<10, from: 0), block(10..<65, from: 10)])
        // A long document begins a block and shares none, not even its last one.
        let mixed = [
            block(0..<3, from: 0), block(3..<67, from: 3), block(67..<73, from: 3), block(73..<83, from: 73),
        ]
        #expect(blocks([3, 70, 4, 6]) == mixed)
    }

    /// Every query is in one block, with the keys of its document; work is that of the squares of the lengths, but for
    /// less than a block of keys per query.
    @Test func blocksCoverTheQueriesAndLittleElse() {
        var generator = SeededGenerator(seed: 4)
        for most in [3, 40, 100, 700] {
            let lengths = (0..<60).map { _ in 1 + generator.integers(1, below: most).reduce(0) { $0 + Int($1) } }
            let all = documents(lengths)
            let blocks = QueryBlock.blocks(of: all)
            #expect(blocks.flatMap { Array($0.queries) } == Array(0..<lengths.reduce(0, +)))
            for block in blocks {
                #expect(block.queries.count <= 64)
                let first = all.first { $0.contains(block.queries.lowerBound) }
                #expect(block.firstKey == first?.lowerBound)
            }
            let scores = blocks.reduce(0) { $0 + $1.queries.count * $1.keys.count }
            #expect(scores <= lengths.reduce(0) { $0 + $1 * ($1 + 64) })
        }
    }

    @Test func sequencesOfOneDocumentNeedNoMask() {
        #expect(DocumentMask(startsDocument: [Bool](repeating: false, count: 12), positions: 6) == nil)
        // A document that starts with the next sequence.
        #expect(DocumentMask(startsDocument: [false, false, true, false, false, true], positions: 3) == nil)
        let mask = DocumentMask(startsDocument: [false, true, false, false, true, false], positions: 3)
        #expect(mask?.sequences == 2)
        #expect((0..<6).map { mask?.start(ofDocumentWith: $0) } == [0, 0, 2, 0, 0, 2])
    }

    /// A sequence of one document has the bits of a batch without masks, beside a sequence with borders.
    @Test func aWholeSequenceHasTheBitsOfNoMask() {
        let (plain, masked) = (
            AttentionTests.Case(2, 580, 4, 2, 16), AttentionTests.Case(2, 580, 4, 2, 16, documents: [700, 720])
        )
        let pool = makePool(2)
        let (a, b) = (plain.forward(pool), masked.forward(pool))
        let (da, db) = (plain.backward(pool), masked.backward(pool))
        func halves(_ values: [Float]) -> (Array<Float>, Array<Float>) {
            (Array(values[..<(values.count / 2)]), Array(values[(values.count / 2)...]))
        }
        for (off, on) in [(a.output, b.output), (a.lse, b.lse), (da, db)] {
            #expect(bitDifference(halves(off).0, halves(on).0) == nil)
            // Negative control: borders change the other sequence.
            #expect(bitDifference(halves(off).1, halves(on).1) != nil)
        }
    }

    /// Other numbers in another document change no bit; another division of the rest changes roundings only.
    @Test(arguments: [100, 240])
    func documentsDoNotSeeEachOther(end: Int) {
        let documents = [40, end]
        let pool = makePool(2)
        let before = AttentionTests.Case(1, 300, 4, 2, 16, documents: documents)
        var after = before
        let (row, outputRow) = (before.attention.qkvStride, before.attention.outputStride)
        for index in 0..<(40 * row) { after.qkv[index] += 3 }
        for index in (end * row)..<(300 * row) { after.qkv[index] -= 2 }
        let (inner, innerGradient) = ((40 * outputRow)..<(end * outputRow), (40 * row)..<(end * row))
        let (outputs, gradients) = (before.forward(pool).output, before.backward(pool))
        let (others, otherGradients) = (after.forward(pool).output, after.backward(pool))
        #expect(bitDifference(Array(outputs[inner]), Array(others[inner])) == nil)
        #expect(bitDifference(Array(gradients[innerGradient]), Array(otherGradients[innerGradient])) == nil)
        #expect(bitDifference(outputs, others) != nil && bitDifference(gradients, otherGradients) != nil)
        var divided = AttentionTests.Case(1, 300, 4, 2, 16, documents: [7, 13] + documents + [290])
        divided.qkv = before.qkv
        let output = Array(divided.forward(pool).output[inner])
        #expect(disagreement(output, Array(outputs[inner]).doubles, within: 1e-6) == nil)
        let gradient = Array(divided.backward(pool)[innerGradient])
        #expect(disagreement(gradient, Array(gradients[innerGradient]).doubles, within: 2e-6) == nil)
    }

    @Test func masksOfOtherSizesTrap() async {
        await #expect(processExitsWith: .failure) {
            _ = DocumentMask(startsDocument: [true, false, true], positions: 2)
        }
        await #expect(processExitsWith: .failure) {
            let attention = Attention(heads: 1, keyValueHeads: 1, headSize: 2, positions: 4)
            attention.forward(
                makePool(), sequences: 1,
                documents: DocumentMask(startsDocument: [true, true, false, false, true, false], positions: 3),
                qkv: .fp32(Arena(count: 24).all), into: Arena(count: 8).all, lse: Arena(count: 4).all,
                scratch: Arena(count: attention.scratchCount(threads: 1)).all)
        }
    }
}
