// KernelBench - `mile-dist bench kernels`: each pass of a step besides plain matmuls, against its peak rate.

internal import BLASSelection
internal import Configuration
internal import Foundation
package import JobRuntime
internal import Kernels
internal import LinearAlgebra
internal import LlamaModel
internal import Optimization
package import Reporting
internal import Tensors

/// `mile-dist bench kernels [CONFIG]`
package struct KernelBench {
    private let sizes: BenchModel
    private let pool: ThreadPool

    /// - Parameter threads: threads of the pool; 0: the cores bound to the process.
    package init(_ process: ProcessContext, _ sizes: BenchModel, threads: Int) throws {
        self.sizes = sizes
        pool = try process.makePool(
            requested: threads,
            backends: process.fastestBackends(
                GEMMSizes(sizes.model, tokens: sizes.tokens), threads: threads, precision: .fp32))
    }

    /// A measured pass: its elements, the work that bounds it, and its time.
    private struct Row {
        let name: String
        let elements: Double
        /// Least number of bytes that the pass reads and writes; 0 where matmuls bound it.
        let bytes: Double
        /// Floating-point operations of the pass's matmuls; 0 where memory bounds it.
        let operations: Double
        let seconds: Double

        /// Time that the pass needs at peak rates over its measured time.
        func shareOfPeak(_ peakRates: PeakRates) -> Double {
            let time = bytes / (peakRates.bandwidth * 1e9) + operations / (peakRates.gemm(isBFloat16: false) * 1e9)
            return time / seconds
        }

        func json(_ peakRates: PeakRates) -> JSONValue {
            .object([
                ("seconds", .number(seconds)), ("elements_per_second", .number(elements / seconds)),
                ("gb_per_second", .number(bytes / seconds / 1e9)), ("gflops", .number(operations / seconds / 1e9)),
                ("share", .number(shareOfPeak(peakRates))),
            ])
        }

        func text(_ peakRates: PeakRates) -> String {
            name.padding(toLength: 20, withPad: " ", startingAt: 0)
                + String(
                    format: "%9.3f ms  %6.2f G elements/s  %6.1f GB/s  share %.2f", 1e3 * seconds,
                    elements / seconds / 1e9, bytes / seconds / 1e9, shareOfPeak(peakRates))
        }
    }

    package func run(_ console: Console, isJSON: Bool) throws {
        let peakRates = try PeakRates.measure(pool)
        let rows = (layerRows() + architectureRows() + attentionRows() + [lossRow()] + optimizerRows()).map { row in
            BenchReport.Row(name: row.name, json: row.json(peakRates), text: row.text(peakRates))
        }
        BenchReport(
            threads: pool.threadCount, peakRates: peakRates, key: "kernels",
            heading: "share: of the time that memory traffic and products need at the ceilings' rates", rows: rows
        ).write(to: console, isJSON: isJSON)
    }

    /// Measures a pass that memory bounds: it reads and writes `streams` floats for each element.
    private func row(_ name: String, _ elements: Int, _ streams: Int, _ body: () -> Void) -> Row {
        Row(
            name: name, elements: Double(elements), bytes: 4 * Double(elements * streams), operations: 0,
            seconds: Stopwatch.median(body))
    }

    private func layerRows() -> [Row] {
        let (N, D, F) = (sizes.tokens, sizes.model.hiddenSize, sizes.model.intermediateSize)
        let (x, y, inputGradient) = (PeakRates.filled(N * D), PeakRates.filled(N * D), PeakRates.filled(N * D))
        let (gain, gainGradient, rstd) = (PeakRates.filled(D), PeakRates.filled(D), PeakRates.filled(N))
        let scratch = PeakRates.filled(RMSNorm.scratchCount(tokens: N, features: D))
        let (gateUp, s) = (PeakRates.filled(2 * N * F), PeakRates.filled(N * F))
        let gateUpGradient = PeakRates.filled(2 * N * F)
        let rotary = Rotary(
            headSize: sizes.model.headSize, positions: sizes.sequenceLength, theta: sizes.model.ropeTheta)
        let table = PeakRates.filled(sizes.model.vocabularySize * D)
        let ids = (0..<N).map { Int32($0 * 7919 % sizes.model.vocabularySize) }
        let T = sizes.sequenceLength
        return [
            row("RMSNorm forward", N * D, 2) {
                RMSNorm.forward(pool, x: x, gain: gain, epsilon: 1e-5, into: .fp32(y), rstd: rstd)
            },
            row("RMSNorm backward", N * D, 4) {
                RMSNorm.backward(
                    pool, outputGradient: y, x: x, gain: gain, rstd: rstd, inputGradient: inputGradient,
                    gainGradient: gainGradient, adding: false, scratch: scratch)
            },
            row("rotary", N * D, 2) {
                rotary.apply(pool, to: y, stride: D, heads: D / sizes.model.headSize) { $0 % T }
            },
            row("SwiGLU forward", N * F, 3) {
                SwiGLU.forward(pool, gateUp: gateUp, features: F, into: .fp32(s))
            },
            row("SwiGLU backward", N * F, 6) {
                SwiGLU.backward(
                    pool, outputGradient: s, features: F, gateUp: gateUp, into: .fp32(gateUpGradient), output: .fp32(s))
            },
            row("embedding forward", N * D, 2) {
                Embedding.forward(pool, tokens: ids, table: .fp32(table), features: D, into: x)
            },
        ]
    }

    /// The passes of biases and head norms; none where the architecture lacks them.
    private func architectureRows() -> [Row] {
        let (model, N) = (sizes.model, sizes.tokens)
        guard model.attentionBiases != .none || model.hasHeadNorms else { return [] }
        var rows: [Row] = []
        let width = (model.attentionHeadCount + 2 * model.keyValueHeadCount) * model.headSize
        let qkv = PeakRates.filled(N * width)
        if model.attentionBiases != .none {
            let (bias, scratch) = (
                PeakRates.filled(width), PeakRates.filled(Bias.scratchCount(tokens: N, features: width))
            )
            rows += [
                row("bias", qkv.count, 2) { Bias.add(pool, bias, to: qkv) },
                row("bias gradient", qkv.count, 1) {
                    Bias.gradient(pool, outputGradient: .fp32(qkv), into: bias, adding: false, scratch: scratch)
                },
            ]
        }
        if model.hasHeadNorms {
            let norm = HeadNorm(
                queryHeads: model.attentionHeadCount, keyHeads: model.keyValueHeadCount, headSize: model.headSize)
            let (input, rstd) = (PeakRates.filled(N * norm.heads * norm.headSize), PeakRates.filled(N * norm.heads))
            let (gains, gradients) = (PeakRates.filled(2 * norm.headSize), PeakRates.filled(2 * norm.headSize))
            let scratch = PeakRates.filled(norm.scratchCount(tokens: N))
            rows += [
                row("head norm forward", input.count, 3) {
                    norm.forward(
                        pool, qkv, stride: width, gains: gains, epsilon: 1e-5, input: input,
                        rstd: rstd)
                },
                row("head norm backward", input.count, 3) {
                    norm.backward(
                        pool, qkv, stride: width, gains: gains, input: input, rstd: rstd,
                        gainGradients: gradients, adding: false, scratch: scratch)
                },
            ]
        }
        return rows
    }

    private func attentionRows() -> [Row] {
        let model = sizes.model
        let attention = Attention(
            heads: model.attentionHeadCount, keyValueHeads: model.keyValueHeadCount, headSize: model.headSize,
            positions: sizes.sequenceLength)
        let qkv = PeakRates.filled(sizes.tokens * attention.qkvStride)
        let qkvGradient = PeakRates.filled(qkv.count)
        let output = PeakRates.filled(sizes.tokens * attention.outputStride)
        let outputGradient = PeakRates.filled(output.count)
        let lse = PeakRates.filled(sizes.tokens * model.attentionHeadCount)
        let scratch = PeakRates.filled(attention.scratchCount(threads: pool.threadCount))
        let (B, T) = (sizes.sequences, sizes.sequenceLength)
        // The forward pass has two matmuls over the causal half, the backward pass five.
        let gemm = Double(B * T * (T + 1) * attention.outputStride)
        let scores = Double(B * model.attentionHeadCount * T * (T + 1) / 2)
        return [
            Row(
                name: "attention forward", elements: scores, bytes: 0, operations: 2 * gemm,
                seconds: Stopwatch.median {
                    attention.forward(pool, sequences: B, qkv: .fp32(qkv), into: output, lse: lse, scratch: scratch)
                }),
            Row(
                name: "attention backward", elements: scores, bytes: 0, operations: 5 * gemm,
                seconds: Stopwatch.median {
                    attention.backward(
                        pool, sequences: B, qkv: .fp32(qkv), output: output, lse: lse, outputGradient: outputGradient,
                        qkvGradient: qkvGradient,
                        scratch: scratch)
                }),
        ]
    }

    /// The head's pass over the logits of a chunk.
    private func lossRow() -> Row {
        let (D, V) = (16, sizes.model.vocabularySize)
        let head = FusedHead(features: D, vocabulary: V)
        let N = min(head.chunkTokens, sizes.tokens)
        let (hidden, weight) = (PeakRates.filled(N * D), PeakRates.filled(V * D))
        let (hiddenGradient, weightGradient) = (PeakRates.filled(N * D), PeakRates.filled(V * D))
        let scratch = PeakRates.filled(head.scratchCount(tokens: N))
        let losses = TokenLosses(count: N)
        let targets = [Int32](repeating: 1, count: N)
        // The row counts the three matmuls, too. With 16 features they are small.
        return Row(
            name: "loss of logits", elements: Double(N * V), bytes: 4 * Double(4 * N * V),
            operations: 6 * Double(N * V * D),
            seconds: Stopwatch.median {
                head.lossAndGradient(
                    pool, hidden: .fp32(hidden), weight: .fp32(weight), targets: targets,
                    weighting: LossConfiguration().tokenWeighting,
                    hiddenGradient: hiddenGradient, weightGradient: weightGradient, adding: false, losses: losses,
                    scratch: scratch)
            })
    }

    private func optimizerRows() -> [Row] {
        let count = 32 << 20
        let (parameters, gradient) = (Arena(count: count).all, Arena(count: count).all)
        let state = sizes.optimizer.stateTensors.map { _ in Arena(count: count).all }
        let rule = sizes.optimizer.kind.rule
        let update = sizes.optimizer.makeUpdate(learningRate: 1e-4, number: 10, gradientScale: 1)
        return [
            Row(
                name: rule.title, elements: Double(count), bytes: Double(rule.bytesPerParameter * count),
                operations: 0,
                seconds: Stopwatch.median(repetitions: 5) {
                    update.apply(
                        pool, parameters: parameters, gradient: gradient, state: state, rounded: nil, decays: true)
                }),
            Row(
                name: "gradient norm", elements: Double(count), bytes: 4 * Double(count), operations: 0,
                seconds: Stopwatch.median(repetitions: 5) {
                    _ = GradientNorm.blockSquares(pool, gradient, blockSize: 1 << 16)
                }),
        ]
    }
}
