// TinyRun - a model of about a thousand parameters over random tokens, and what a step of it must give, by definition.

import Configuration
import Kernels
import LlamaModel
import MessagePassing
import Optimization
import Planning
import Sharding
import Tensors
import TestSupport
import TokenData
import Training

/// Sequences in memory.
struct MemorySource: SequenceSource {
    let sequences: [[Int32]]
    /// Ids that end a document; empty: a sequence is one document.
    var endIDs: Set<Int32> = []
    let fingerprint = "memory"

    var sequenceCount: Int { sequences.count }
    var tokenCount: Int { sequences.count * (sequences[0].count - 1) + 1 }

    init(sequences: [[Int32]]) { self.sequences = sequences }

    /// `count` random sequences of T + 1 tokens.
    init(count: Int, sequenceLength: Int, vocabulary: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        sequences = (0..<count).map { _ in random.integers(sequenceLength + 1, below: vocabulary) }
    }

    func sequence(_ s: Int) -> [Int32] { sequences[s] }

    func append(sequence s: Int, to batch: inout TokenBatch) {
        let ids = sequences[s]
        let starts = ids.indices.dropLast().filter { endIDs.contains(ids[$0]) }
        batch.append(documentStarts: starts) { span in for id in ids { span.append(id) } }
    }
}

/// One configuration, its data and its initial parameters; the same on every rank.
struct TinyRun {
    static let sequenceLength = 6
    /// Ids that end a document, where documents are masked: a sequence has one to seven, mostly two.
    static let endIDs: Set<Int32> = [2, 5, 11]
    static let model = ModelConfiguration(
        hiddenSize: 8, intermediateSize: 12, hiddenLayerCount: 2, attentionHeadCount: 2, keyValueHeadCount: 1,
        vocabularySize: 13, maxPositionEmbeddings: 6, initializerRange: 0.5)

    var configuration: RunConfiguration
    let stream: TrainingStream
    let pool = try! ThreadPool(threadCount: 2, spins: false)

    /// The epsilon is large so that the update is a smooth function of the gradient: with a small one AdamW's first
    /// update is the gradient's sign, in which a rounding near 0 shows in full. The clip is small enough to be at work.
    init(
        loss: LossConfiguration, globalBatchSize: Int, microBatchSize: Int, ignored: [Int32] = [],
        documentMask: Bool = false, maskDocumentStarts: Bool = false, reduction: GradientReduction = .reduceScatter,
        reproducible: Bool = false
    ) throws {
        configuration = RunConfiguration(
            name: "tiny", model: Self.model,
            data: DataConfiguration(
                train: [], sequenceLength: Self.sequenceLength, ignoredTargets: ignored, documentMask: documentMask,
                maskDocumentStarts: maskDocumentStarts),
            loss: loss,
            optimizer: OptimizerConfiguration(
                learningRate: 0.02, epsilon: 1e-2, weightDecay: 0.1, gradientClip: 0.25),
            schedule: LearningRateSchedule(kind: .linear, warmupSteps: 1, totalSteps: 10),
            training: TrainingConfiguration(
                globalBatchSize: globalBatchSize, microBatchSize: microBatchSize, seed: 5, reproducible: reproducible,
                gradientReduction: reduction))
        var source = MemorySource(
            count: 50, sequenceLength: Self.sequenceLength, vocabulary: Self.model.vocabularySize, seed: 9)
        if documentMask || maskDocumentStarts { source.endIDs = Self.endIDs }
        stream = try TrainingStream(
            domains: [TokenDomain(name: "memory", weight: 1, source: source)], sequenceLength: Self.sequenceLength,
            seed: 5)
    }

    var initialParameters: [Float] {
        let parameters = Arena(count: Self.model.tensorTable.count).all
        Self.model.initialize(parameters, seed: 5, pool: pool)
        return parameters.array
    }

    /// The sequences at global positions, one by one from their source; ignored targets are -1.
    func batch(at positions: Range<Int>) -> TokenBatch {
        let data = configuration.data
        var (inputs, targets): ([Int32], [Int32]) = ([], [])
        for position in positions {
            let place = stream.location(of: position)
            guard let tokens = try? stream.domains[place.domain].source.sequence(place.sequence) else {
                preconditionFailure("memory cannot fail")
            }
            inputs += tokens.dropLast()
            targets += zip(tokens, tokens.dropFirst()).map { input, target in
                let isMasked = data.maskDocumentStarts && Self.endIDs.contains(input)
                return isMasked || data.ignoredTargets.contains(target) ? -1 : target
            }
        }
        return TokenBatch(
            inputs: inputs, targets: targets, sequenceLength: Self.sequenceLength,
            startsDocument: inputs.map { Self.endIDs.contains($0) }, masksDocuments: data.documentMask)
    }
}

/// A step was given up for a stop.
struct GivenUp: Error {}

/// A rank's part of a run of a tiny model.
final class TinyRank {
    let step: TrainingStep
    let optimizer: ShardedOptimizer
    let parameters: FloatSlice
    private let batch: Int
    private var updates = 0

    /// As `TrainingState` makes it, but with a bucket for each group of tensors: a tiny model would be a single one.
    init(
        _ configuration: RunConfiguration, stream: TrainingStream, initialParameters: [Float], pool: ThreadPool,
        _ ranks: Communicator
    ) {
        let model = configuration.model
        let table = model.tensorTable
        let training = configuration.training
        batch = training.globalBatchSize
        parameters = FloatSlice(initialParameters)
        let transformer = Transformer(
            model, parameters: .fp32(parameters), sequenceLength: configuration.data.sequenceLength,
            maximumSequences: training.microBatchSize, forTraining: true, pool: pool)
        // What a reduction must not let through: remains of the last step.
        transformer.gradient.fill(1000)
        optimizer = ShardedOptimizer(
            communicator: ranks,
            partition: Partition(
                count: table.count, finalIndices: model.gradientFinalIndices, bucketElements: 1,
                rankCount: ranks.size),
            reduction: training.gradientReduction, stateTensors: configuration.optimizer.stateTensors, table: table,
            decays: \.kind.decays,
            replica: .fp32(parameters), gradient: transformer.gradient,
            accumulationSteps: StepLayout(configuration, ranks: ranks.size).accumulationSteps,
            fixedPoint: training.reproducible
                ? FixedPoint(targetsPerStep: batch * configuration.data.sequenceLength) : nil, pool: pool)
        step = TrainingStep(
            configuration: configuration, communicator: ranks, stream: stream, transformer: transformer,
            optimizer: optimizer)
    }

    convenience init(_ run: TinyRun, _ ranks: Communicator) {
        self.init(
            run.configuration, stream: run.stream, initialParameters: run.initialParameters, pool: run.pool, ranks)
    }

    /// Runs step `number` and counts its update.
    func advance(_ number: Int, isStopRequested: Bool = false, finishesGather: Bool = true) throws -> StepOutcome {
        let outcome = try step.run(
            step: number, update: updates + 1, firstSequence: (number - 1) * batch,
            mustGiveUp: { isStopRequested }, finishesGather: finishesGather, isStopRequested: { isStopRequested })
        guard let outcome else { throw GivenUp() }
        if !outcome.isSkipped { updates += 1 }
        return outcome
    }
}

/// What one sequence contributes: per-token numbers, and the gradient of `sum w CE` with w held.
struct SequenceResult {
    let targets: [Int32]
    let crossEntropy: [Double]
    let entropy: [Double]
    let weight: [Double]
    let gradient: [Double]

    /// Sum of `value` over the targets that count.
    func sum(_ value: (Int) -> Double) -> Double {
        targets.indices.reduce(0) { $0 + (targets[$1] >= 0 ? value($1) : 0) }
    }
}

/// The run by definition: every sequence alone, all sums in double, one AdamW over everything.
struct TinyReference {
    struct Step {
        var loss = 0.0
        var crossEntropy = 0.0
        var entropy = 0.0
        var alpha = 0.0
        var gradientNorm = 0.0
    }

    private let run: TinyRun
    private(set) var adam: ReferenceAdamW

    init(_ run: TinyRun) {
        self.run = run
        let decays = TinyRun.model.tensorTable.entries.flatMap { entry in
            [Bool](repeating: entry.kind.decays, count: entry.count)
        }
        adam = ReferenceAdamW(
            run.configuration.optimizer.reference, parameters: run.initialParameters.doubles, decays: decays)
    }

    /// Takes step `number` with the authors' normalisation over `referenceRanks`, or with the global one.
    mutating func advance(_ number: Int, referenceRanks: Int? = nil) -> Step {
        let batch = run.configuration.training.globalBatchSize
        let results = sequences(from: (number - 1) * batch, count: batch)
        var result = Step()
        let targets = results.reduce(0) { $0 + $1.sum { _ in 1 } }
        result.crossEntropy = results.reduce(0) { $0 + $1.sum { [s = $1] in s.crossEntropy[$0] } } / targets
        result.entropy = results.reduce(0) { $0 + $1.sum { [s = $1] in s.entropy[$0] } } / targets
        let gradient: [Double]
        if let referenceRanks {
            gradient = authors(results, referenceRanks, &result)
        } else {
            gradient = global(results, targets, &result)
        }
        result.gradientNorm = dot(gradient, gradient).squareRoot()
        let settings = run.configuration.optimizer
        let clip = min(1, settings.gradientClip / (result.gradientNorm + 1e-6))
        // Warm-up of one step, then linear to 0 over the nine that remain.
        let rate = settings.learningRate * (number == 1 ? 1 : 1 - Double(number - 2) / 9)
        adam.update(gradient.map { clip * $0 }, learningRate: rate)
        return result
    }

    /// `L = sum w CE / sum w`.
    private func global(_ results: [SequenceResult], _ targets: Double, _ step: inout Step) -> [Double] {
        let weight = results.reduce(0) { $0 + $1.sum { [s = $1] in s.weight[$0] } }
        step.loss = results.reduce(0) { $0 + $1.sum { [s = $1] in s.weight[$0] * s.crossEntropy[$0] } } / weight
        step.alpha = targets / weight
        return weighted(results.map { ($0, 1 / weight) })
    }

    /// Each accumulation step: `alpha = mean over its micro-batches of 1 / mean(w)`, the loss `alpha` times the mean over all
    /// positions of `w CE`; the step is the mean of its accumulation steps.
    private func authors(_ results: [SequenceResult], _ parts: Int, _ step: inout Step) -> [Double] {
        let m = run.configuration.training.microBatchSize
        let accumulationSteps = results.count / (m * parts)
        var terms: [(SequenceResult, Double)] = []
        for accumulationStep in 0..<accumulationSteps {
            let microBatches = (0..<parts).map { part -> [SequenceResult] in
                let start = (accumulationStep * parts + part) * m
                return Array(results[start..<(start + m)])
            }
            let positions = Double(m * TinyRun.sequenceLength)
            let alpha =
                microBatches.reduce(0) { sum, microBatch in
                    sum + positions / microBatch.reduce(0) { $0 + $1.weight.reduce(0, +) }
                } / Double(parts)
            let scale = alpha / (Double(parts) * positions * Double(accumulationSteps))
            for sequence in microBatches.flatMap({ $0 }) {
                step.loss += scale * sequence.sum { sequence.weight[$0] * sequence.crossEntropy[$0] }
                terms.append((sequence, scale))
            }
            step.alpha += alpha / Double(accumulationSteps)
        }
        return weighted(terms)
    }

    private func weighted(_ terms: [(SequenceResult, Double)]) -> [Double] {
        var total = [Double](repeating: 0, count: TinyRun.model.tensorTable.count)
        for (sequence, factor) in terms {
            for index in total.indices { total[index] += factor * sequence.gradient[index] }
        }
        return total
    }

    private func sequences(from position: Int, count: Int) -> [SequenceResult] {
        let parameters = FloatSlice(adam.parameters.floats)
        let transformer = Transformer(
            TinyRun.model, parameters: .fp32(parameters), sequenceLength: TinyRun.sequenceLength, maximumSequences: 1,
            forTraining: true, pool: run.pool)
        let loss = run.configuration.loss
        return (position..<(position + count)).map { position in
            let batch = run.batch(at: position..<(position + 1))
            let tokens = transformer.evaluate(batch, weighting: loss.tokenWeighting)
            let (crossEntropy, entropy, weight) = (tokens.crossEntropy.array, tokens.entropy.array, tokens.weight.array)
            _ = transformer.lossAndGradient(
                batch, weighting: loss.tokenWeighting, adding: false, isFinal: { _ in })
            return SequenceResult(
                targets: batch.targets, crossEntropy: crossEntropy.doubles, entropy: entropy.doubles,
                weight: weight.doubles,
                gradient: transformer.gradient.array.doubles)
        }
    }
}
