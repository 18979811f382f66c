// TransformerTests - what a pass may not depend on: mode, threads, batch room; how gradients accumulate and are reported.

import Kernels
import LlamaModel
import TestSupport
import Tensors
import Testing

struct TransformerTests {
    private static let length = 13
    static let models = [ModelConfiguration.grouped, .tied, .biased, .mistral, .qwen2, .qwen3, .smollm3]
    static let losses = LossConfiguration.Kind.allCases.map { LossConfiguration(kind: $0, gamma: $0 == .focal ? 2 : 1) }

    private func transformer(
        _ model: ModelConfiguration, sequences: Int = 3, length: Int = length, training: Bool = true, threads: Int = 1,
        parameters: FloatSlice? = nil
    ) -> Transformer {
        Transformer(
            model, parameters: .fp32(parameters ?? model.randomParameters()), sequenceLength: length,
            maximumSequences: sequences, forTraining: training, pool: makePool(threads))
    }

    /// Evaluation lets all layers share one layer's buffers.
    @Test(arguments: models, losses)
    func evaluationEqualsTrainingBitForBit(model: ModelConfiguration, loss: LossConfiguration) {
        let tokens = Tokens(model, sequences: 3, length: Self.length, ignoring: 5)
        let training = transformer(model)
        let evaluation = transformer(model, training: false)
        let losses = evaluation.evaluated(tokens, loss)
        #expect(bitDifference(training.evaluated(tokens, loss), losses) == nil)
        #expect(losses.allSatisfy { $0.isFinite })
        let sums = evaluation.losses(tokens, loss).sums(targets: tokens.targets)
        #expect(training.gradient(tokens, loss).sums == sums)
    }

    private static let parallelModels: [ModelConfiguration] = {
        var (tied, biased, normed) = (
            ModelConfiguration.parallel, ModelConfiguration.parallel, ModelConfiguration.parallel
        )
        tied.tieWordEmbeddings = true
        (biased.attentionBias, biased.mlpBias) = (true, true)
        normed.architecture = .qwen3
        return [.parallel, tied, biased, normed]
    }()

    @Test(arguments: parallelModels)
    func theNumberOfThreadsChangesNoBit(model: ModelConfiguration) {
        let tokens = Tokens(model, sequences: 3, length: 80, ignoring: 7)
        func run(_ threads: Int, _ parameters: FloatSlice) -> [Float] {
            let network = transformer(model, length: 80, threads: threads, parameters: parameters)
            return network.evaluated(tokens) + network.gradient(tokens).values
        }
        let parameters = model.randomParameters()
        let alone = run(1, parameters)
        for threads in [2, 3] { #expect(bitDifference(run(threads, parameters), alone) == nil, "\(threads) threads") }
        // The comparison does see a weight that moves by one unit in the last place.
        parameters[100] = parameters[100].nextUp
        #expect(bitDifference(run(2, parameters), alone) != nil)
    }

    @Test(arguments: models)
    func aSmallBatchInLargeBuffersIsTheSameBatch(model: ModelConfiguration) {
        let tokens = Tokens(model, sequences: 4, length: Self.length)
        let large = transformer(model, sequences: 4)
        // Leaves numbers of a larger batch in every buffer.
        _ = large.gradient(tokens)
        for count in 1...3 {
            let part = tokens.sequences(0..<count, length: Self.length)
            let fitting = transformer(model, sequences: count)
            #expect(bitDifference(large.evaluated(part), fitting.evaluated(part)) == nil, "\(count) sequences")
            let (a, b) = (large.gradient(part), fitting.gradient(part))
            #expect(bitDifference(a.values, b.values) == nil && a.sums == b.sums, "\(count) sequences")
        }
    }

    @Test(arguments: models)
    func sequencesDoNotSeeEachOther(model: ModelConfiguration) {
        let tokens = Tokens(model, sequences: 2, length: Self.length)
        let swapped = Tokens(
            inputs: Array(tokens.inputs[13...] + tokens.inputs[..<13]),
            targets: Array(tokens.targets[13...] + tokens.targets[..<13]))
        let network = transformer(model)
        let losses = { (tokens: Tokens) in Array(network.evaluated(tokens)[..<26]).doubles }
        let (a, b) = (losses(tokens), losses(swapped))
        // A BLAS may treat a row by its place in the matrix: rounding, not bits.
        #expect(disagreement(Array(b[13...] + b[..<13]), a, within: 1e-6) == nil)
    }

    @Test(arguments: models)
    func laterTokensDoNotMatter(model: ModelConfiguration) {
        var tokens = Tokens(model, sequences: 1, length: Self.length)
        let network = transformer(model)
        let before = network.evaluated(tokens)
        tokens.inputs[9] = (tokens.inputs[9] + 1) % Int32(model.vocabularySize)
        let after = network.evaluated(tokens)
        #expect(bitDifference(Array(after[..<9]), Array(before[..<9])) == nil)
        #expect((9..<13).allSatisfy { after[$0] != before[$0] })
    }

    /// Splitting a step over micro-batches changes nothing beyond rounding.
    @Test(arguments: models, losses)
    func accumulationIsTheSumOfTheParts(model: ModelConfiguration, loss: LossConfiguration) {
        let tokens = Tokens(model, sequences: 3, length: Self.length, ignoring: 4)
        let network = transformer(model)
        let (first, second) = (
            tokens.sequences(0..<1, length: Self.length), tokens.sequences(1..<3, length: Self.length)
        )
        let (a, b) = (network.gradient(first, loss), network.gradient(second, loss))
        let accumulated = network.gradient(second, loss, addingTo: a.values)
        let together = network.gradient(tokens, loss)
        let sum = zip(a.values, b.values).map { Double($0) + Double($1) }
        for entry in model.tensorTable.entries {
            let range = entry.range
            // One rounding (2^-24) per addition of two gradients; a few where matmuls add to what is there.
            #expect(
                disagreement(Array(accumulated.values[range]), Array(sum[range]), within: 2e-7) == nil, "\(entry.name)")
            // In one pass the sums over tokens have another order.
            #expect(
                disagreement(Array(together.values[range]), Array(sum[range]), within: 5e-6) == nil, "\(entry.name)")
        }
        #expect(disagreement((a.sums + b.sums).values, together.sums.values, within: 1e-6) == nil)
        #expect(accumulated.sums == b.sums)
    }

    @Test(arguments: models)
    func aBatchOfIgnoredTargetsHasNoGradient(model: ModelConfiguration) {
        var tokens = Tokens(model, sequences: 1, length: Self.length)
        tokens.targets = tokens.targets.map { _ in -1 }
        let (values, sums) = transformer(model).gradient(tokens)
        #expect(values.allSatisfy { $0 == 0 })
        #expect(sums.weight == 0 && sums.targets == 0 && sums.positions == 13)
    }

    @Test(arguments: models, [false, true])
    func whatIsReportedAsFinalIsFinal(model: ModelConfiguration, adding: Bool) {
        let tokens = Tokens(model, sequences: 2, length: Self.length)
        let network = transformer(model)
        let count = network.parameters.count
        var generator = SeededGenerator(seed: 5)
        let gradient = network.gradient
        gradient.copy(from: adding ? generator.normals(count) : [Float](repeating: .nan, count: count))
        var reports: [(from: Int, values: [Float])] = []
        _ = network.lossAndGradient(
            tokens.batch(length: Self.length), weighting: LossConfiguration().tokenWeighting, adding: adding
        ) { from in
            reports.append((from, gradient[from..<gradient.count].array))
        }
        #expect(reports.map(\.from) == model.gradientFinalIndices)
        for (previous, next) in zip(reports, reports.dropFirst()) { #expect(next.from < previous.from) }
        #expect(reports.last?.from == 0)
        let last = gradient.array
        for (from, values) in reports {
            #expect(bitDifference(values, Array(last[from...])) == nil, "reported at \(from)")
        }
        #expect(last.allSatisfy { $0.isFinite })
    }

    /// Parameters that are NaN until the pass says that it needs them: reading one early would show in every gradient.
    @Test(arguments: models)
    func parametersAreReadOnlyAfterTheyWereNeeded(model: ModelConfiguration) {
        let tokens = Tokens(model, sequences: 2, length: Self.length)
        let values = model.randomParameters().array
        let expected = transformer(model, parameters: FloatSlice(values)).gradient(tokens)
        let parameters = FloatSlice([Float](repeating: .nan, count: values.count))
        let network = transformer(model, parameters: parameters)
        var positions: [Int] = []
        let sums = network.lossAndGradient(
            tokens.batch(length: Self.length), weighting: LossConfiguration().tokenWeighting, adding: false,
            isNeeded: { position in
                let before = positions.last ?? 0
                positions.append(position)
                if position > before { parameters[before..<position].copy(from: Array(values[before..<position])) }
            }, isFinal: { _ in })
        // The embedding, each layer, the rest.
        #expect(positions.count == model.hiddenLayerCount + 2)
        #expect(positions == positions.sorted() && positions.last == values.count)
        #expect(positions.first == model.vocabularySize * model.hiddenSize)
        #expect(bitDifference(network.gradient.array, expected.values) == nil)
        #expect(sums == expected.sums)
    }

    @Test func anErrorOfTheReportReachesTheCaller() {
        struct Stop: Error {}
        let network = transformer(.tied)
        let tokens = Tokens(.tied, sequences: 1, length: Self.length)
        var reports = 0
        #expect(throws: Stop.self) {
            _ = try network.lossAndGradient(
                tokens.batch(length: Self.length), weighting: LossConfiguration().tokenWeighting, adding: false
            ) { _ in
                reports += 1
                if reports == 2 { throw Stop() }
            }
        }
        #expect(reports == 2)
    }
}
