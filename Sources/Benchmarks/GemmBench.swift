// GemmBench - `mile-dist bench gemm`: every matmul of a model's step, by each BLAS backend and in each dtype.

internal import BLASSelection
internal import Foundation
package import JobRuntime
internal import Kernels
internal import LinearAlgebra
internal import LlamaModel
package import Reporting
internal import Tensors

/// `mile-dist bench gemm [CONFIG]`
package struct GemmBench {
    private let sizes: BenchModel
    private let pool: ThreadPool

    /// - Parameter threads: threads of the pool; 0: the cores bound to the process.
    package init(_ process: ProcessContext, _ sizes: BenchModel, threads: Int) throws {
        self.sizes = sizes
        pool = try process.makePool(requested: threads)
    }

    /// `target [m, n] = op(a) op(b)` with reduction length k.
    private struct GEMM {
        let name: String
        let (m, n, k): (Int, Int, Int)
        let aOperand: Operand
        let bOperand: Operand

        var operations: Double { 2 * Double(m) * Double(n) * Double(k) }
        var isWeightGradient: Bool { aOperand == .transposed }
    }

    /// A column of the table: one way to compute the matmuls.
    private struct Way {
        let name: String
        let pool: ThreadPool
        var isBFloat16 = false

        func computes(_ gemm: GEMM) -> Bool {
            !pool.backends.copiesForWeightGradient
                || gemm.isWeightGradient && ThreadPool.copiesForWeightGradient(stride: gemm.m)
        }
    }

    package func run(_ console: Console, isJSON: Bool) throws {
        let peakRates = try PeakRates.measure(pool, withBandwidth: false)
        let ways = try ways(like: pool)
        let rows = gemms().map { gemm in
            let columns = rates(gemm, ways)
            let cells = columns.map { name, rate in
                let shareOfPeak = rate / peakRates.gemm(isBFloat16: name == "bf16")
                return "\(name) " + String(format: "%6.1f (%.2f)", rate, shareOfPeak)
            }
            return BenchReport.Row(
                name: gemm.name, json: .object(columns.map { ($0.0, .number($0.1)) }),
                text: gemm.name.padding(toLength: 18, withPad: " ", startingAt: 0)
                    + "\(gemm.m) x \(gemm.n) x \(gemm.k)".padding(toLength: 24, withPad: " ", startingAt: 0)
                    + cells.joined(separator: "  "))
        }
        BenchReport(
            threads: pool.threadCount, peakRates: peakRates, key: "gflops",
            heading: "GF/s on \(pool.threadCount) threads, and the share of the format's fastest 2048-cube:", rows: rows
        ).write(to: console, isJSON: isJSON)
    }

    /// The three matmuls of every linear layer, and the head's for a chunk.
    private func gemms() -> [GEMM] {
        let (model, N) = (sizes.model, sizes.tokens)
        let (D, F, V) = (model.hiddenSize, model.intermediateSize, model.vocabularySize)
        let Q = model.attentionHeadCount * model.headSize
        let S = Q + 2 * model.keyValueHeadCount * model.headSize
        let chunk = min(N, FusedHead(features: D, vocabulary: V).chunkTokens)
        return [
            ("qkv", D, S, N), ("output", Q, D, N), ("gate_up", D, 2 * F, N), ("down", F, D, N), ("head", D, V, chunk),
        ]
        .flatMap { name, inputs, outputs, rows in
            [
                GEMM(
                    name: "\(name) forward", m: rows, n: outputs, k: inputs, aOperand: .asStored,
                    bOperand: .transposed),
                GEMM(
                    name: "\(name) dx", m: rows, n: inputs, k: outputs, aOperand: .asStored, bOperand: .asStored),
                GEMM(
                    name: "\(name) dweight", m: outputs, n: inputs, k: rows, aOperand: .transposed,
                    bOperand: .asStored),
            ]
        }
    }

    private func ways(like own: ThreadPool) throws -> [Way] {
        func pool(_ backends: GEMMBackends) throws -> ThreadPool {
            try ThreadPool(threadCount: own.threadCount, spins: own.spins, backends: backends)
        }
        var copies = GEMMBackends(.oneDNN)
        copies.copiesForWeightGradient = true
        var ways = try BLASBackends.all.map { Way(name: $0.name, pool: try pool(GEMMBackends($0))) }
        if BLASBackends.hasBFloat16GEMM {
            for (name, upcasts) in [("bf16", false), ("widened", true)] {
                let backends = GEMMBackends(BLASBackends.bfloat16, upcastsBFloat16: upcasts)
                ways.append(Way(name: name, pool: try pool(backends), isBFloat16: true))
            }
        }
        // It is the last column, because only some rows have it.
        ways.append(Way(name: "copied", pool: try pool(copies)))
        return ways
    }

    private func rates(_ gemm: GEMM, _ ways: [Way]) -> [(String, Double)] {
        let (m, n, k) = (gemm.m, gemm.n, gemm.k)
        let memory = PeakRates.filled(m * k + k * n + m * n)
        let target = Matrix(memory[(m * k + k * n)..<memory.count], rows: m, columns: n)
        let operands = OperandSlice.fp32(memory[0..<(m * k + k * n)])
        let downcast = BFloat16Slice(count: ways.contains(where: \.isBFloat16) ? operands.count : 0)
        if downcast.count > 0 { ways[0].pool.convert(memory[0..<operands.count], into: downcast) }
        defer { withExtendedLifetime((memory, downcast)) {} }
        let (aRows, aColumns) = gemm.aOperand == .asStored ? (m, k) : (k, m)
        let (bRows, bColumns) = gemm.bOperand == .asStored ? (k, n) : (n, k)
        return ways.filter { $0.computes(gemm) }.map { way in
            let source = way.isBFloat16 ? OperandSlice.bf16(downcast) : operands
            let a = OperandMatrix(source[0..<(m * k)], rows: aRows, columns: aColumns)
            let b = OperandMatrix(source[(m * k)..<(m * k + k * n)], rows: bRows, columns: bColumns)
            let seconds = Stopwatch.median {
                way.pool.multiply(a, gemm.aOperand, b, gemm.bOperand, into: target)
            }
            return (way.name, gemm.operations / seconds / 1e9)
        }
    }
}
