// PeakRates - measured peak rates of this machine with a pool's threads: matmuls, vector instructions, memory.

package import Kernels
package import LinearAlgebra
internal import Reporting
package import Tensors

/// Peak rates of one process: GF/s of matmuls and instructions, GB/s of memory.
package struct PeakRates {
    /// GF/s of fp32 fused multiply-adds.
    package let fmaPeak: Double
    /// GF/s of the widest instruction for bf16 dot products; nil where the processor has none.
    package let dotPeak: Double?
    /// GF/s of fp32 matmuls of 2048 x 2048 x 2048, for each BLAS backend.
    ///
    /// A rate is the faster one of the pool's panels and the backend's own threads.
    package let gemms: [(backend: any BLASBackend, gflops: Double)]
    /// GF/s of such a matmul of bf16 operands by a BLAS backend, not upcast; nil where the processor has no bf16
    /// matmuls.
    package let bfloat16GEMM: Double?
    /// GF/s of such a matmul of bf16 operands by ``TileGEMM``; nil where the processor has no tiles.
    package let tileGEMM: Double?
    /// Whether the pool upcasts bf16 operands to fp32.
    package let upcastsBFloat16: Bool
    /// GB/s read and written by `a += s * b` over arrays larger than any cache; NaN where it was not measured.
    package let bandwidth: Double

    /// GF/s of the fastest matmul of a BLAS backend in the run's precision. Upcast bf16 operands count with both
    /// dtypes.
    package func backendGEMM(isBFloat16: Bool) -> Double {
        let wide = gemms.map(\.gflops).max() ?? 0
        guard isBFloat16, let bfloat16GEMM else { return wide }
        return upcastsBFloat16 ? max(wide, bfloat16GEMM) : bfloat16GEMM
    }

    /// GF/s of the fastest matmul in the run's precision, by a BLAS backend or ``TileGEMM``.
    package func gemm(isBFloat16: Bool) -> Double {
        max(backendGEMM(isBFloat16: isBFloat16), isBFloat16 ? tileGEMM ?? 0 : 0)
    }

    /// Measures the peak rates of this rank alone, in some seconds.
    ///
    /// - Throws: ``ThreadPoolError``.
    package static func measure(_ pool: ThreadPool, withBandwidth: Bool = true) throws -> PeakRates {
        // 2^18 rounds are the most whose sums stay exact. They take half a millisecond or more, far longer than a
        // wake-up.
        let rounds = 1 << 18
        let fma = Stopwatch.median { keep(pool.fusedMultiplyAdds(rounds: rounds)) }
        var dot: Double?
        if ThreadPool.hasBFloat16Dot {
            dot = pool.operations(ofDotRounds: rounds) / Stopwatch.median { keep(pool.bfloat16Dots(rounds: rounds)) }
        }
        let bfloat16 = BLASBackends.hasBFloat16GEMM ? try bfloat16Cubes(pool) : nil
        return PeakRates(
            fmaPeak: pool.operations(ofMultiplyAddRounds: rounds) / fma / 1e9, dotPeak: dot.map { $0 / 1e9 },
            gemms: try BLASBackends.all.map { ($0, try cube(pool, $0)) },
            bfloat16GEMM: bfloat16?.backend, tileGEMM: bfloat16?.tiles,
            upcastsBFloat16: pool.backends.upcastsBFloat16,
            bandwidth: withBandwidth ? memoryBandwidth(pool) : .nan)
    }

    private static let edge = 2048
    private static let cubeOperations = 2 * 2048.0 * 2048 * 2048

    private static func cube(_ pool: ThreadPool, _ backend: any BLASBackend) throws -> Double {
        let memory = filled(3 * edge * edge)
        defer { withExtendedLifetime(memory) {} }
        let size: Int = edge * edge
        let matrices = (0..<3).map { (index: Int) in
            Matrix(memory[(index * size)..<((index + 1) * size)], rows: edge, columns: edge)
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

    private static func bfloat16Cubes(_ pool: ThreadPool) throws -> (backend: Double, tiles: Double?) {
        let operands = (0..<2).map { _ in filledBFloat16(edge * edge, pool) }
        let target = Arena(count: edge * edge).all
        defer { withExtendedLifetime((operands, target)) {} }
        let matrices = operands.map { BFloat16Matrix($0, rows: edge, columns: edge) }
        let result = Matrix(target, rows: edge, columns: edge)
        // The panels go to the BLAS backend, whatever the pool would do with them.
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
        let backend = cubeOperations / min(panels, threads) / 1e9
        guard ThreadPool.multipliesOnTiles else { return (backend, nil) }
        let own = try ThreadPool(
            threadCount: pool.threadCount, spins: pool.spins,
            backends: GEMMBackends(BLASBackends.bfloat16, upcastsBFloat16: false))
        let tiles = Stopwatch.median(repetitions: 5) {
            own.multiply(matrices[0], .asStored, matrices[1], .asStored, into: result)
        }
        return (backend, cubeOperations / tiles / 1e9)
    }

    /// GB/s read and written by `a += s * b` over two arrays of `count` floats.
    package static func memoryBandwidth(_ pool: ThreadPool, count: Int = 64 << 20) -> Double {
        let (a, b) = (filled(count), filled(count))
        return 12 * Double(count) / Stopwatch.median(repetitions: 5) { pool.add(b, scaledBy: 1e-3, to: a) } / 1e9
    }

    /// A new slice of `count` numbers, none of them denormal.
    package static func filled(_ count: Int) -> FloatSlice {
        let slice = Arena(count: count).all
        for index in 0..<count { slice.view[index] = Float(index % 251) * 0.01 - 1.25 }
        return slice
    }

    /// A new slice of `count` bf16 numbers, none of them denormal.
    static func filledBFloat16(_ count: Int, _ pool: ThreadPool) -> BFloat16Slice {
        let slice = BFloat16Slice(count: count)
        pool.convert(filled(count), into: slice)
        return slice
    }

    /// Uses a result, so that the compiler does not drop its computation.
    @inline(never) package static func keep(_ value: Float) {
        precondition(!value.isNaN, "a rate was measured on NaNs")
    }
}
