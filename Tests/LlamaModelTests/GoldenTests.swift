// GoldenTests - the whole network against Hugging Face's classes of each architecture (see make_golden.py).
//
// The golden numbers are of double precision, up to transformers' own single-precision norms and angles. Ours are of
// single precision: every relative error below is some tens of roundings (2^-24 = 6e-8) that grew through two layers.

import Foundation
import Kernels
import LlamaModel
import TestSupport
import Tensors
import Testing

struct GoldenTests {
    static let names = ["mha", "gqa", "tied", "biased", "mistral", "qwen2", "qwen3", "smollm3"]

    @Test(arguments: names)
    func crossEntropyAndEntropyOfEveryToken(name: String) throws {
        let golden = try GoldenCase(name)
        let losses = golden.transformer.losses(golden.tokens)
        // Nats, of values up to 22: logits of up to 20 with 2e-7 relative error each.
        #expect(maximumError(losses.crossEntropy.array.doubles, golden.crossEntropy) < 1e-5)
        #expect(maximumError(losses.entropy.array.doubles, golden.entropy) < 1e-5)
    }

    @Test(arguments: names)
    func logitsAfterPrefixes(name: String) throws {
        let golden = try GoldenCase(name)
        for (position, logits) in zip(golden.logitPositions, golden.logits) {
            let generator = TextGenerator(
                golden.model, parameters: golden.parameters, capacity: golden.sequenceLength, pool: makePool())
            let ours = generator.feed(Array(golden.tokens.inputs[...position]))
            #expect(disagreement(ours, logits, within: 2e-6) == nil, "after position \(position)")
        }
    }

    @Test(arguments: names)
    func lossesAndGradientsOfEveryTensor(name: String) throws {
        let golden = try GoldenCase(name)
        let network = golden.transformer
        for expected in golden.losses {
            let kind = try #require(LossConfiguration.Kind(rawValue: expected.kind))
            let loss = LossConfiguration(kind: kind, gamma: expected.gamma, sigma: expected.sigma)
            let (values, sums) = network.gradient(golden.tokens, loss)
            #expect(abs(sums.normalizedGlobally.loss / expected.loss - 1) < 1e-6, "\(loss.kind)")
            #expect(sums.targets == 22 && sums.positions == 24)
            #expect(expected.gradient.count == golden.model.tensorTable.entries.count)
            for (stream, entry) in golden.model.tensorTable.entries.enumerated() {
                let digest = try #require(expected.gradient[entry.name])
                let ours = values[entry.range].map { Double($0) * sums.globalGradientScale }
                // Errors are of the order of the tensor's gradient, whatever the size of one element: an element
                // against the root mean square (times 4 for the unlucky ones), a projection against the norm.
                let tolerance = 5e-6
                let rootMeanSquare = digest.norm / Double(ours.count).squareRoot()
                let place: Comment = "\(loss.kind) \(entry.name)"
                #expect(abs(dot(ours, ours).squareRoot() - digest.norm) < tolerance * digest.norm, place)
                for (k, projection) in digest.projections.enumerated() {
                    let direction = HashedNumbers.uniform(ours.count, stream: 1000 + 2 * stream + k)
                    #expect(abs(dot(ours, direction) - projection) < tolerance * digest.norm, place)
                }
                let picks = HashedNumbers.integers(4, stream: 500 + stream, below: ours.count)
                for (pick, sample) in zip(picks, digest.samples) {
                    #expect(abs(ours[pick] - sample) < 4 * tolerance * rootMeanSquare, place)
                }
            }
        }
    }
}

/// One golden file, and the inputs that it leaves to the formula.
struct GoldenCase {
    struct Loss: Decodable {
        struct Digest: Decodable {
            let norm: Double
            let projections: [Double]
            let samples: [Double]
        }
        let kind: String
        let gamma: Double
        let sigma: Double
        /// With `normalization: global`.
        let loss: Double
        let gradient: [String: Digest]
    }

    let model: ModelConfiguration
    let sequenceLength: Int
    let sequences: Int
    let crossEntropy: [Double]
    let entropy: [Double]
    let logitPositions: [Int]
    let logits: [[Double]]
    let losses: [Loss]
    let parameters: FloatSlice
    let tokens: Tokens

    var transformer: Transformer {
        Transformer(
            model, parameters: .fp32(parameters), sequenceLength: sequenceLength, maximumSequences: sequences,
            forTraining: true, pool: makePool())
    }

    init(_ name: String) throws {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Golden"))
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: url))
        model = file.model
        (sequenceLength, sequences) = (file.sequence_length, file.sequences)
        (crossEntropy, entropy) = (file.cross_entropy, file.entropy)
        (logitPositions, logits, losses) = (file.logit_positions, file.logits, file.losses)
        parameters = Self.parameters(model)
        tokens = Self.tokens(model, sequences: sequences, length: sequenceLength, ignored: file.ignored)
    }

    /// `fill` of the script.
    private static func parameters(_ model: ModelConfiguration) -> FloatSlice {
        let parameters = Arena(count: model.tensorTable.count).all
        for (stream, entry) in model.tensorTable.entries.enumerated() {
            let u = HashedNumbers.uniform(entry.count, stream: stream)
            let scale = (3 / Double(entry.shape[entry.shape.count - 1])).squareRoot()
            let values: [Double] =
                switch entry.name {
                case _ where entry.kind == .gain: u.map { 1 + $0 / 4 }
                case _ where entry.kind == .bias: u.map { $0 / 4 }
                case "model.embed_tokens.weight": u
                case "lm_head.weight": u.map { $0 * (scale * 2) }
                default: u.map { $0 * scale }
                }
            parameters[entry.range].copy(from: values.floats)
        }
        return parameters
    }

    /// Sequences of one token more than their length: inputs and targets are it without its last, or first, token.
    private static func tokens(_ model: ModelConfiguration, sequences: Int, length: Int, ignored: [Int]) -> Tokens {
        let count = sequences * (length + 1)
        let all = HashedNumbers.integers(count, stream: 300, below: model.vocabularySize).map(Int32.init)
        var tokens = Tokens(inputs: [], targets: [])
        for start in stride(from: 0, to: all.count, by: length + 1) {
            tokens.inputs += all[start..<(start + length)]
            tokens.targets += all[(start + 1)...(start + length)]
        }
        for position in ignored { tokens.targets[position] = -100 }
        return tokens
    }

    /// The file's own spelling.
    private struct File: Decodable {
        /// With the keys of a checkpoint's record.
        let model: ModelConfiguration
        let sequences, sequence_length: Int
        let ignored, logit_positions: [Int]
        let cross_entropy, entropy: [Double]
        let logits: [[Double]]
        let losses: [Loss]
    }
}
