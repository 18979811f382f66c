// StepBench - `mile-dist bench step`: the trainer's own step, timed, beside the peak rates of the same machine.

internal import BLASSelection
package import Configuration
internal import Foundation
package import JobRuntime
internal import Kernels
internal import LinearAlgebra
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Planning
internal import Reporting
internal import Sharding
internal import Tensors
internal import TokenData
internal import Training

/// `mile-dist bench step CONFIG`
package struct StepBench {
    private let configuration: RunConfiguration
    private let steps: Int
    private let measuresExposure: Bool
    private let measuresPeakRates: Bool
    private let isJSON: Bool

    /// - Parameters:
    ///   - steps: timed steps, 1 or more.
    ///   - measuresExposure: whether steps are compared with steps without communication; needs two ranks.
    ///   - measuresPeakRates: whether peak rates and the shares of them are among the results.
    package init(
        _ configuration: RunConfiguration, steps: Int, measuresExposure: Bool, measuresPeakRates: Bool, isJSON: Bool
    ) {
        self.configuration = configuration
        self.steps = steps
        self.measuresExposure = measuresExposure
        self.measuresPeakRates = measuresPeakRates
        self.isJSON = isJSON
    }

    /// One timed step.
    private struct Sample {
        let seconds: Double
        let phases: [(phase: Phase, seconds: Double)]
    }

    package func run(_ process: ProcessContext) throws {
        let trainer = Trainer(process, configuration, TrainOptions(isQuiet: isJSON))
        let (data, pool) = try trainer.prepare()
        let (samples, exposure, tokens) = try time(trainer, data, pool)
        // Before the peak rates, which need memory of their own.
        let rss = try peakRSS(process.communicator)
        let communicator = process.communicator
        let seconds = Stopwatch.median(samples.map(\.seconds))
        guard let sample = samples.min(by: { abs($0.seconds - seconds) < abs($1.seconds - seconds) }) else {
            preconditionFailure("no step was timed")
        }
        let rate = Double(tokens) / seconds
        let model = configuration.model
        let modelRate = model.flopsPerToken(sequenceLength: configuration.data.sequenceLength) * rate / 1e9
        let computing = try communicator.sumInRankOrder([computeRate(configuration, communicator, sample)])[0]
        let pairs: [(key: String, value: JSONValue)] =
            [
                ("tokens_per_second", .number(rate)), ("step_seconds", .number(seconds)),
                ("gflops", .number(6 * Double(model.tensorTable.count) * rate / 1e9)),
                ("gflops_model", .number(modelRate)),
                ("gflops_compute", .number(computing / Double(communicator.size))),
            ] + (measuresPeakRates ? try peakRates(pool, communicator, modelRate: modelRate) : []) + [
                ("peak_rss_mib", .number(rss)), ("precision", .string(configuration.training.precision.rawValue)),
                ("blas", .string(pool.gemmIdentity(configuration.training.precision))),
                ("loss", .string(configuration.loss.kind.rawValue)), ("parameters", .integer(model.tensorTable.count)),
                ("ranks", .integer(communicator.size)), ("threads", .integer(pool.threadCount)),
            ] + (exposure?.pairs ?? []) + [
                ("phases", .object(sample.phases.map { ($0.phase.name, .number($0.seconds)) }))
            ]
        show(pairs, sample, process.console)
    }

    /// Peak rates of all ranks together, and the model's rate as shares of them.
    private func peakRates(
        _ pool: ThreadPool, _ communicator: Communicator, modelRate: Double
    ) throws -> [(key: String, value: JSONValue)] {
        // All ranks at once, as in a step; together they are the job's peak rate.
        try communicator.barrier()
        let own = try PeakRates.measure(pool, withBandwidth: false)
        let isBFloat16 = configuration.training.precision == .bf16
        let sums = try communicator.sumInRankOrder(
            [
                own.backendGEMM(isBFloat16: isBFloat16), own.fmaPeak, own.dotPeak ?? .nan,
                own.gemm(isBFloat16: isBFloat16),
            ])
        // MFU by the fastest matmul of a BLAS backend, then by the fastest matmul of all, tiles included.
        return [
            ("ceiling_gflops", .number(sums[0])), ("share", .number(modelRate / sums[0])),
            ("fastest_product_gflops", .number(sums[3])), ("share_of_fastest", .number(modelRate / sums[3])),
            ("fma_peak_gflops", .number(sums[1])), ("dot_peak_gflops", .number(sums[2])),
        ]
    }

    /// A step to warm up, then the timed ones; the loop does what the trainer's does, without evaluating and saving.
    private func time(
        _ trainer: Trainer, _ data: RunData, _ pool: ThreadPool
    ) throws -> ([Sample], Exposure?, tokens: Int) {
        let state = TrainingState(configuration, communicator: trainer.communicator, pool: pool)
        try trainer.fill(state, from: nil, nil, data, pool: pool)
        let step = try TrainingStep(state, communicator: trainer.communicator, stream: data.training)
        var tokens = 0
        var number = 0
        func sample() throws -> Sample {
            number += 1
            try trainer.communicator.barrier()
            state.phases.begin()
            let seconds = try Stopwatch.seconds {
                let outcome = try step.run(
                    step: min(number, configuration.schedule.totalSteps), update: state.progress.updates + 1,
                    firstSequence: state.progress.position, finishesGather: false, isStopRequested: { false })
                guard let outcome else { preconditionFailure("a step was given up that nobody stopped") }
                state.progress.position += configuration.training.globalBatchSize
                if !outcome.isSkipped { state.progress.updates += 1 }
                tokens = outcome.tokens
            }
            state.phases.end()
            return Sample(seconds: seconds, phases: Phase.allCases.map { ($0, state.phases.seconds(of: $0)) })
        }
        if measuresExposure {
            let (samples, exposure) = try Exposure.measure(
                state.optimizer, trainer.communicator, steps: steps, sample: sample, seconds: \.seconds)
            return (samples, exposure, tokens)
        }
        _ = try sample()
        let samples = try (0..<steps).map { _ in try sample() }
        try state.optimizer.finishGather()
        return (samples, nil, tokens)
    }

    /// GF/s of this rank while it computes its micro-batches: the step without reduction, optimizer and waiting. What
    /// `plan --gflops` takes.
    private func computeRate(
        _ configuration: RunConfiguration, _ communicator: Communicator, _ sample: Sample
    ) -> Double {
        let T = configuration.data.sequenceLength
        let microBatches = StepLayout(configuration, ranks: communicator.size).microBatches(rank: communicator.rank)
        let tokens = T * microBatches.reduce(0) { $0 + $1.sequences.count }
        let computing: [Phase] = [.data, .forward, .head, .backward]
        let seconds = sample.phases.filter { computing.contains($0.phase) }.reduce(0) { $0 + $1.seconds }
        return tokens == 0 ? 0 : configuration.model.flopsPerToken(sequenceLength: T) * Double(tokens) / seconds / 1e9
    }

    /// Largest resident size of any rank's process, MiB.
    private func peakRSS(_ communicator: Communicator) throws -> Double {
        var usage = rusage()
        guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else {
            throw ProgramFailure(.runtimeFailure, "getrusage failed: the process's memory is not known")
        }
        // Linux counts in KiB.
        return Double(try communicator.maximum(usage.ru_maxrss)) / 1024
    }

    private func show(_ pairs: [(key: String, value: JSONValue)], _ sample: Sample, _ console: Console) {
        if isJSON { return console.raw(JSONValue.object(pairs).text + "\n") }
        let width = (pairs.map(\.key.count).max() ?? 0) + 2
        for (key, value) in pairs {
            let name = key.padding(toLength: width, withPad: " ", startingAt: 0)
            switch value {
            // A rate that this machine lacks, for example the bf16 peak.
            case .number(let number) where !number.isFinite: continue
            case .number(let number):
                console.line(name + String(format: "%.4g", number))
            case .object: continue
            default: console.line(name + value.text)
            }
        }
        console.line("phases of the median step:")
        for (phase, seconds) in sample.phases {
            console.line(
                "  " + phase.name.padding(toLength: 18, withPad: " ", startingAt: 0)
                    + String(format: "%8.4f s  %5.1f %%", seconds, 100 * seconds / sample.seconds))
        }
    }
}
