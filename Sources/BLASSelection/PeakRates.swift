// PeakRates - what this machine can do at most with a pool's threads, measured: what every benchmark is a share of.

package import Kernels
package import LinearAlgebra
internal import Reporting
package import Tensors

/// Rates in units of 1e9 per second.
package struct PeakRates {
    /// fp32 fused multiply-adds.
    package let fmaPeak: Double
    /// The widest instruction for bf16 dot products; nil where the processor has none.
    package let dotPeak: Double?
    /// Matmuls of 2048 x 2048 x 2048 in fp32, per library: on the pool's panels or the library's own threads, whichever is
    /// faster.
    package let gemms: [(backend: any BLASBackend, gflops: Double)]
    /// The same of bf16 operands by oneDNN, not upcast; nil where the processor has no such matmuls.
    package let bfloat16GEMM: Double?
    /// The same on tiles, by this program; nil where the processor has none.
    package let tileGEMM: Double?
    /// Whether the pool upcasts bf16 operands to fp32.
    package let upcastsBFloat16: Bool
    /// Bytes read and written by `a += s * b` over arrays larger than any cache.
    package let bandwidth: Double

    /// The libraries' fastest matmul in a run's format; where bf16 operands are upcast, of both formats.
    package func backendGEMM(isBFloat16: Bool) -> Double {
        let wide = gemms.map(\.gflops).max() ?? 0
        guard isBFloat16, let bfloat16GEMM else { return wide }
        return upcastsBFloat16 ? max(wide, bfloat16GEMM) : bfloat16GEMM
    }

    /// The fastest matmul in a run's format, whoever computes it.
    package func gemm(isBFloat16: Bool) -> Double {
        max(backendGEMM(isBFloat16: isBFloat16), isBFloat16 ? tileGEMM ?? 0 : 0)
    }

    /// Takes some two seconds for each thread's worth of 2048-cubes; measures on this rank alone.
    package static func measure(_ pool: ThreadPool, withBandwidth: Bool = true) throws -> PeakRates {
        // Half a millisecond or more, beside which it is little to start the threads; as many as the sums stay exact for.
        let rounds = 1 << 18
        let fma = Stopwatch.median { keep(pool.fusedMultiplyAdds(rounds: rounds)) }
        var dot: Double?
        if ThreadPool.hasBFloat16Dot {
            dot = pool.operations(ofDotRounds: rounds) / Stopwatch.median { keep(pool.bfloat16Dots(rounds: rounds)) }
        }
        let downcast = BLASBackends.hasBFloat16GEMM ? try bfloat16Cubes(pool) : nil
        return PeakRates(
            fmaPeak: pool.operations(ofMultiplyAddRounds: rounds) / fma / 1e9, dotPeak: dot.map { $0 / 1e9 },
            gemms: try BLASBackends.all.map { ($0, try cube(pool, $0)) },
            bfloat16GEMM: downcast?.library, tileGEMM: downcast?.tiles,
            upcastsBFloat16: pool.backends.upcastsBFloat16,
            bandwidth: withBandwidth ? memoryBandwidth(pool) : .nan)
    }

    private static let edge = 2048
    private static let cubeOperations = 2 * 2048.0 * 2048 * 2048

    private static func cube(_ pool: ThreadPool, _ backend: any BLASBackend) throws -> Double {
        let memory = filled(3 * edge * edge)
        defer { withExtendedLifetime(memory) {} }
        let matrices = (0..<3).map {
            Matrix(memory[($0 * edge * edge)..<(($0 + 1) * edge * edge)], rows: edge, columns: edge)
        }
        let own = try ThreadPool(
            threadCount: pool.threadCount, spins: pool.spins, backends: GEMMBackends(backend))
        let panels = Stopwatch.median(repetitions: 5) {
            own.multiply(matrices[0], .asStored, matrices[1], .asStored, into: matrices[2])
        }
        var threads = panels
        BLASBackends.withOwnThreads(pool.threadCount) {
            threads = Stopwatch.median(repetitions: 5) {
                multiply(matrices[0], .asStored, matrices[1], .asStored, into: matrices[2], backend: backend)
            }
        }
        return cubeOperations / min(panels, threads) / 1e9
    }

    private static func bfloat16Cubes(_ pool: ThreadPool) throws -> (library: Double, tiles: Double?) {
        let operands = (0..<2).map { _ in filledBFloat16(edge * edge, pool) }
        let target = Arena(count: edge * edge).all
        defer { withExtendedLifetime((operands, target)) {} }
        let matrices = operands.map { BFloat16Matrix($0, rows: edge, columns: edge) }
        let result = Matrix(target, rows: edge, columns: edge)
        // The library's own panels, whatever the pool would do.
        let panels = Stopwatch.median(repetitions: 5) {
            let (rows, columns) = ThreadPool.panelSize(m: edge, n: edge, k: edge, upcasts: false)
            pool.run((edge / rows) * (edge / columns)) { panel, _ in
                let (row, column) = (panel / (edge / columns), panel % (edge / columns))
                let (top, left) = ((row * rows)..<((row + 1) * rows), (column * columns)..<((column + 1) * columns))
                multiply(
                    matrices[0].block(rows: top), .asStored, matrices[1].block(columns: left), .asStored,
                    into: result.block(rows: top, columns: left), backend: BLASBackends.bfloat16)
            }
        }
        var threads = panels
        BLASBackends.withOwnThreads(pool.threadCount) {
            threads = Stopwatch.median(repetitions: 5) {
                multiply(
                    matrices[0], .asStored, matrices[1], .asStored, into: result, backend: BLASBackends.bfloat16)
            }
        }
        let library = cubeOperations / min(panels, threads) / 1e9
        guard ThreadPool.multipliesOnTiles else { return (library, nil) }
        let own = try ThreadPool(
            threadCount: pool.threadCount, spins: pool.spins,
            backends: GEMMBackends(BLASBackends.bfloat16, upcastsBFloat16: false))
        let tiles = Stopwatch.median(repetitions: 5) {
            own.multiply(matrices[0], .asStored, matrices[1], .asStored, into: result)
        }
        return (library, cubeOperations / tiles / 1e9)
    }

    /// GB/s read and written by `a += s * b` over two arrays of `count` floats.
    package static func memoryBandwidth(_ pool: ThreadPool, count: Int = 64 << 20) -> Double {
        let (a, b) = (filled(count), filled(count))
        return 12 * Double(count) / Stopwatch.median(repetitions: 5) { pool.add(b, scaledBy: 1e-3, to: a) } / 1e9
    }

    /// Numbers without denormals among them.
    package static func filled(_ count: Int) -> FloatSlice {
        let slice = Arena(count: count).all
        for index in 0..<count { slice.view[index] = Float(index % 251) * 0.01 - 1.25 }
        return slice
    }

    /// The same numbers in bf16.
    static func filledBFloat16(_ count: Int, _ pool: ThreadPool) -> BFloat16Slice {
        let slice = BFloat16Slice(count: count)
        pool.convert(filled(count), into: slice)
        return slice
    }

    /// Where results go that must be computed.
    @inline(never) package static func keep(_ value: Float) {
        precondition(!value.isNaN, "a rate was measured on NaNs")
    }
}
