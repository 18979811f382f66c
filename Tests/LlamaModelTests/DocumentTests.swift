// DocumentTests - several documents in a sequence are as good as a sequence each.

import Kernels
import LlamaModel
import TestSupport
import Tensors
import Testing

struct DocumentTests {
    private func transformer(
        _ model: ModelConfiguration, _ parameters: FloatSlice, sequences: Int, length: Int, threads: Int = 1,
        recomputes: Bool = false
    ) -> Transformer {
        Transformer(
            model, parameters: .fp32(parameters), sequenceLength: length, maximumSequences: sequences,
            forTraining: true, recomputesLayers: recomputes, pool: makePool(threads))
    }

    /// A sequence that is cut into documents, of less than a block of attention's queries and of more.
    struct Case: Sendable, CustomTestStringConvertible {
        let model: ModelConfiguration
        let lengths: [Int]
        var testDescription: String { "documents of \(lengths)" }
        var length: Int { lengths.reduce(0, +) }
        /// Inputs at which the documents begin.
        var starts: [Int] { lengths.indices.map { lengths[..<$0].reduce(0, +) } }
    }

    static let cases = [
        Case(model: .grouped, lengths: [5, 8]), Case(model: .tied, lengths: [7, 1, 5]),
        Case(model: .parallel, lengths: [70, 10]), Case(model: .parallel, lengths: [3, 77]),
        Case(model: .parallel, lengths: [33, 20, 27]),
    ]

    /// The losses of each document equal those of the document alone, and the gradients add up.
    ///
    /// Tolerance of the losses: some twenty matmuls in fp32, whose sums have another order. It is that of
    /// `sequencesDoNotSeeEachOther`. Gradients: as in `accumulationIsTheSumOfTheParts`.
    @Test(arguments: cases, TransformerTests.losses)
    func documentsAreAsGoodAsSequences(documents: Case, loss: LossConfiguration) {
        let (model, T) = (documents.model, documents.length)
        let parameters = model.randomParameters()
        let plain = Tokens(model, sequences: 1, length: T, ignoring: 9)
        let together = transformer(model, parameters, sequences: 1, length: T)
        let masked = plain.documents(at: documents.starts)
        let losses = together.losses(masked, loss).crossEntropy.array
        let unmasked = together.losses(plain, loss).crossEntropy.array
        let gradient = together.gradient(masked, loss)
        var sum = [Double](repeating: 0, count: parameters.count)
        var sums = LossSums()
        for (start, length) in zip(documents.starts, documents.lengths) {
            let part = start..<(start + length)
            let tokens = Tokens(inputs: Array(plain.inputs[part]), targets: Array(plain.targets[part]))
            let alone = transformer(model, parameters, sequences: 1, length: length)
            let expected = alone.losses(tokens, loss).crossEntropy.array
            #expect(disagreement(Array(losses[part]), expected.doubles, within: 1e-6) == nil)
            // Negative control: without a mask only the first document has its losses.
            let isFirst = start == 0
            #expect((disagreement(Array(unmasked[part]), expected.doubles, within: 1e-3) == nil) == isFirst)
            let own = alone.gradient(tokens, loss)
            for index in sum.indices { sum[index] += Double(own.values[index]) }
            sums = sums + own.sums
        }
        for entry in model.tensorTable.entries {
            let range = entry.range
            #expect(
                disagreement(Array(gradient.values[range]), Array(sum[range]), within: 5e-6) == nil, "\(entry.name)")
        }
        let (a, b) = (gradient.sums.normalizedGlobally.loss, sums.normalizedGlobally.loss)
        #expect(abs(a - b) < 1e-6)
    }

    /// Masks without a border inside a sequence change no bit, beside a sequence that has borders.
    @Test(arguments: TransformerTests.models)
    func oneDocumentHasTheBitsOfNoMask(model: ModelConfiguration) {
        let plain = Tokens(model, sequences: 2, length: 13, ignoring: 5)
        let network = transformer(model, model.randomParameters(), sequences: 2, length: 13)
        let expected = (network.evaluated(plain), network.gradient(plain))
        // A border between the sequences is none inside.
        for starts in [[], [13]] {
            let masked = plain.documents(at: starts)
            let gradient = network.gradient(masked)
            #expect(bitDifference(network.evaluated(masked), expected.0) == nil)
            #expect(bitDifference(gradient.values, expected.1.values) == nil && gradient.sums == expected.1.sums)
        }
        let beside = network.losses(plain.documents(at: [20])).crossEntropy.array
        let off = network.losses(plain).crossEntropy.array
        #expect(bitDifference(Array(beside[..<13]), Array(off[..<13])) == nil)
        #expect(bitDifference(beside, off) != nil)
    }

    @Test func documentsDoNotSeeEachOther() {
        let model = ModelConfiguration.parallel
        let network = transformer(model, model.randomParameters(), sequences: 1, length: 80)
        let before = Tokens(model, sequences: 1, length: 80).documents(at: [20, 50])
        var after = before
        after.inputs[3] = (after.inputs[3] + 1) % 300
        after.inputs[60] = (after.inputs[60] + 1) % 300
        let losses = (network.losses(before).crossEntropy.array, network.losses(after).crossEntropy.array)
        #expect(bitDifference(Array(losses.0[20..<50]), Array(losses.1[20..<50])) == nil)
        #expect(bitDifference(Array(losses.0[..<20]), Array(losses.1[..<20])) != nil)
        #expect(bitDifference(Array(losses.0[50...]), Array(losses.1[50...])) != nil)
    }

    @Test func neitherThreadsNorRecomputationChangeABit() {
        let model = ModelConfiguration.parallel
        let parameters = model.randomParameters()
        let tokens = Tokens(model, sequences: 3, length: 80, ignoring: 7).documents(at: [1, 20, 90, 180, 184, 200])
        func run(_ threads: Int, recomputes: Bool = false) -> [Float] {
            let network = transformer(
                model, parameters, sequences: 3, length: 80, threads: threads, recomputes: recomputes)
            return network.evaluated(tokens) + network.gradient(tokens).values
        }
        let alone = run(1)
        for threads in [2, 3] { #expect(bitDifference(run(threads), alone) == nil, "\(threads) threads") }
        #expect(bitDifference(run(2, recomputes: true), alone) == nil)
        // Negative control: other borders give other bits.
        let network = transformer(model, parameters, sequences: 3, length: 80)
        #expect(bitDifference(network.evaluated(tokens.documents(at: [2])), Array(alone[..<720])) != nil)
    }
}
