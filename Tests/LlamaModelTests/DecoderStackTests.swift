// DecoderStackTests - the one forward pass gives the same logits with and without a key/value cache.

import Kernels
import LinearAlgebra
import TestSupport
import Tensors
import Testing

@testable import LlamaModel

struct DecoderStackTests {
    private static let length = 19

    /// A stack and the results of its passes.
    private struct Rig {
        let model: ModelConfiguration
        let stack: DecoderStack
        let pool = makePool()

        init(_ model: ModelConfiguration, _ parameters: FloatSlice, positions: Int) {
            self.model = model
            stack = DecoderStack(
                model, .fp32(parameters), positions: positions, recomputesLayers: false, phases: PhaseRecorder(),
                pool: pool)
        }

        /// Logits of every token of a pass, `[N, V]`.
        func logits(_ pass: Pass, _ buffers: Activations) -> [Float] {
            stack.forward(pass, buffers) { _ in }
            let (D, V) = (model.hiddenSize, model.vocabularySize)
            let logits = Arena(count: pass.tokens * V).all
            pool.multiply(
                OperandMatrix(pass.rows(buffers.normed, D), rows: pass.tokens, columns: D), .asStored,
                OperandMatrix(stack.weights.head, rows: V, columns: D), .transposed,
                into: Matrix(logits, rows: pass.tokens, columns: V))
            return logits.array
        }

        func wholeSequence(_ tokens: [Int32]) -> (logits: [Float], buffers: Activations) {
            let buffers = Activations(
                Activations.Sizes(
                    model, sequences: 1, sequenceLength: tokens.count, threads: 1, forTraining: true,
                    recomputesLayers: false, sharesGradient: false, dtype: .fp32))
            let batch = TokenBatch(inputs: tokens, targets: tokens, sequenceLength: tokens.count)
            return (logits(Pass(batch), buffers), buffers)
        }

        /// - Parameter shift: positions that every piece after the first is too far behind.
        func inPieces(_ tokens: [Int32], _ pieces: [Int], cachePositions: Int, shift: Int = 0) -> [Float] {
            var cache = KeyValueCache(model, positions: cachePositions)
            let buffers = Activations(
                Activations.Sizes(model, tokens: pieces.max() ?? 1, cachePositions: cachePositions))
            var result: [Float] = []
            var start = 0
            for piece in pieces {
                result += logits(Pass(Array(tokens[start..<(start + piece)]), after: cache), buffers)
                start += piece
                cache.count = start + shift
            }
            return result
        }
    }

    /// Logits of every position. They are sums of the order of 1, in single precision and in another order.
    @Test(arguments: TransformerTests.models, [[19], [1, 17, 1], [5, 1, 1, 12], [Int](repeating: 1, count: 19)])
    func logitsAreTheSameWithAndWithoutACache(model: ModelConfiguration, pieces: [Int]) {
        let parameters = model.randomParameters()
        let tokens = Tokens(model, sequences: 1, length: Self.length).inputs
        let expected = Rig(model, parameters, positions: Self.length).wholeSequence(tokens).logits
        // A cache larger than the sequence changes nothing.
        let rig = Rig(model, parameters, positions: 32)
        let ours = rig.inPieces(tokens, pieces, cachePositions: 32)
        #expect(ours.count == Self.length * model.vocabularySize)
        #expect(disagreement(ours.doubles, expected.doubles, within: 5e-6) == nil)
        // Negative control: the comparison notices keys that are one position too far behind.
        if pieces.count > 1 {
            let shifted = rig.inPieces(tokens, pieces, cachePositions: 32, shift: 1)
            #expect(disagreement(shifted.doubles, expected.doubles, within: 5e-6) != nil)
        }
    }

    /// Keys and values of the first layer have the bits of a whole sequence, at the positions of their tokens.
    ///
    /// Why: nothing before attention depends on a cache.
    @Test(arguments: TransformerTests.models)
    func theCacheHoldsTheKeysAndValuesOfAWholeSequence(model: ModelConfiguration) throws {
        let parameters = model.randomParameters()
        let tokens = Tokens(model, sequences: 1, length: Self.length).inputs
        let whole = Rig(model, parameters, positions: Self.length).wholeSequence(tokens).buffers
        guard case .fp32(let qkv) = whole.layers[0].inner.qkv else { return #expect(Bool(false), "not fp32") }
        let rig = Rig(model, parameters, positions: Self.length)
        let cache = KeyValueCache(model, positions: Self.length)
        let buffers = Activations(Activations.Sizes(model, tokens: Self.length, cachePositions: Self.length))
        _ = rig.logits(Pass(tokens, after: cache), buffers)
        let (Q, K) = (model.attentionHeadCount * model.headSize, model.keyValueHeadCount * model.headSize)
        for t in 0..<Self.length {
            let row = qkv[(t * (Q + 2 * K))..<((t + 1) * (Q + 2 * K))].array
            let (keys, values) = (cache.layers[0].keys, cache.layers[0].values)
            #expect(bitDifference(keys[(t * K)..<((t + 1) * K)].array, Array(row[Q..<(Q + K)])) == nil, "token \(t)")
            #expect(bitDifference(values[(t * K)..<((t + 1) * K)].array, Array(row[(Q + K)...])) == nil, "token \(t)")
        }
        #expect(Set(cache.layers[0].keys.array).count > K)
    }

    /// Long pieces enlarge a generator's buffers. The logits equal those of buffers that were large from the start.
    @Test(arguments: TransformerTests.models)
    func growingBuffersChangeNoBit(model: ModelConfiguration) {
        let parameters = model.randomParameters()
        let tokens = Tokens(model, sequences: 1, length: Self.length).inputs
        let generator = TextGenerator(model, parameters: parameters, capacity: Self.length, pool: makePool())
        func feed(_ count: Int) -> [Float] {
            generator.feed(Array(tokens[generator.position..<(generator.position + count)]))
        }
        let first = feed(1)
        _ = feed(9)
        let last = feed(1)
        let rig = Rig(model, parameters, positions: Self.length)
        let large = rig.inPieces(Array(tokens[..<11]), [1, 9, 1], cachePositions: Self.length)
        #expect(bitDifference(first, Array(large.prefix(model.vocabularySize))) == nil)
        #expect(bitDifference(last, Array(large.suffix(model.vocabularySize))) == nil)
        #expect(bitDifference(last, first) != nil)
    }
}
