// GEMMAutotuner - the choice of BLAS backends for a run, by measurement (configuration key `training.blas`).

package import Configuration
internal import JobRuntime
internal import Kernels
package import LinearAlgebra
package import LlamaModel
internal import MessagePassing
internal import Planning
internal import Reporting
internal import Tensors
internal import TokenData

extension ProcessContext {
    /// The BLAS backends that `configuration` asks for. Collective.
    package func gemmBackends(_ configuration: RunConfiguration) throws -> GEMMBackends {
        let training = configuration.training
        switch training.blas {
        case .backend(let backend): return GEMMBackends(backend)
        // Why no measurement: it could choose another backend at each start.
        case .auto where training.reproducible: return GEMMBackends(.openBLAS)
        case .auto:
            let sequences = StepLayout(configuration, ranks: communicator.size).largestMicroBatch
            return try fastestBackends(
                GEMMSizes(configuration.model, tokens: sequences * configuration.data.sequenceLength),
                threads: training.threads, precision: training.precision)
        }
    }

    /// The fastest BLAS backend for each kind of fp32 matmul, by measurement. Collective.
    ///
    /// Rank 0 measures the backends, and whether weight gradients copy an operand. Its answer counts for all ranks.
    /// With bf16, each rank also measures whether its own processor should upcast operands to fp32.
    ///
    /// - Parameters:
    ///   - threads: `training.threads`.
    ///   - precision: with bf16, and where no rank upcasts, there are no fp32 matmuls to measure.
    /// - Throws: ``ThreadPoolError``, or an error of MPI.
    package func fastestBackends(
        _ sizes: GEMMSizes, threads: Int, precision: TrainingConfiguration.Precision
    ) throws -> GEMMBackends {
        let plan = try threadPlan(requested: threads)
        var upcasts = !BLASBackends.hasBFloat16GEMM
        if precision == .bf16 {
            upcasts = try communicator.agreed {
                try upcasts || GEMMAutotuner.favoursUpcasting(sizes, threads: plan.threads)
            }
            guard try communicator.isTrueOnAny(upcasts) else {
                return GEMMBackends(BLASBackends.bfloat16, upcastsBFloat16: false)
            }
        }
        let names = try communicator.textFromRankZero {
            try GEMMAutotuner.fastest(
                sizes, ThreadPool(threadCount: plan.threads, spins: plan.spins), precision: precision
            ).names
        }
        guard var backends = GEMMBackends(names: names) else {
            throw ProgramFailure(.runtimeFailure, "rank 0 chose the unknown libraries \"\(names)\"")
        }
        backends.upcastsBFloat16 = upcasts
        return backends
    }
}

extension ThreadPool {
    /// Versions and kernels that compute matmuls in this precision. Two runs give the same bits only where they are
    /// equal.
    package func gemmIdentity(_ precision: TrainingConfiguration.Precision) -> String {
        switch precision {
        case .fp32: backends.identity
        case .bf16: backends.bfloat16Identity
        }
    }
}

/// The numbers that give the sizes of a run's matmuls.
package struct GEMMSizes {
    /// Tokens of a micro-batch.
    package let tokens: Int
    package let hidden: Int
    package let intermediate: Int

    package init(_ model: ModelConfiguration, tokens: Int) {
        self.tokens = tokens
        hidden = model.hiddenSize
        intermediate = model.intermediateSize
    }
}

/// Measurements that compare BLAS backends on the matmuls of a run.
enum GEMMAutotuner {
    /// Longest reduction of a measured matmul.
    private static let longestReduction = 1024

    /// The backends that compute panels of the run's sizes in the least time.
    ///
    /// All threads multiply at once. Why: they share caches and memory, as in training. The measurement takes about
    /// half a second on a fast core, and as long again for copies.
    ///
    /// - Parameter precision: dtype of operands. bf16 operands are upcast, which cuts other panels and copies already.
    ///   For fp32 it also measures whether weight gradients copy an operand.
    static func fastest(
        _ sizes: GEMMSizes, _ pool: ThreadPool, precision: TrainingConfiguration.Precision
    ) throws -> GEMMBackends {
        let (tokens, D, F) = (sizes.tokens, sizes.hidden, 2 * sizes.intermediate)
        var fastest = GEMMBackends(.openBLAS)
        func choice(_ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand) -> any BLASBackend {
            choose(pool) {
                let panel = ThreadPool.panelSize(m: m, n: n, k: k, upcasts: precision == .bf16)
                return Trial(m: panel.rows, n: panel.columns, k: min(k, longestReduction), a, b)
            }
        }
        // The largest matmul of each kind decides for the kind.
        fastest.forward = choice(tokens, F, D, .asStored, .transposed)
        fastest.inputGradient = choice(tokens, D, F, .asStored, .asStored)
        fastest.weightGradient = choice(F, D, tokens, .transposed, .asStored)
        if precision == .fp32 {
            fastest.copiesForWeightGradient = try favoursCopies(
                sizes, threads: pool.threadCount, backend: fastest.weightGradient)
        }
        return fastest
    }

    private static func choose(_ pool: ThreadPool, _ trial: () -> Trial) -> any BLASBackend {
        let trials = (0..<pool.threadCount).map { _ in trial() }
        func multiply(_ backend: any BLASBackend) {
            pool.run(trials.count) { task, _ in trials[task].multiply(backend) }
        }
        return BLASBackends.all.dropFirst().reduce(BLASBackends.all[0]) { best, next in
            // The first call of each backend builds its kernels.
            secondIsFaster(Stopwatch.pairedRatios({ multiply(best) }, { multiply(next) })) ? next : best
        }
    }

    /// Whether matmuls of bf16 operands take less time on upcast operands, in fp32.
    ///
    /// Why: some processors do half as many operations a second in bf16 as in fp32. One forward matmul decides, because
    /// dtypes differ by more than backends or kinds of matmuls do. It takes a third of a second on a fast core.
    ///
    /// It needs ``BLASBackends/hasBFloat16GEMM``.
    static func favoursUpcasting(_ sizes: GEMMSizes, threads: Int) throws -> Bool {
        // The trial is a part of the largest matmul of a layer, with a panel or more for each thread.
        let rows = 512 * max(threads, 4)
        let m = min(sizes.tokens, rows)
        let n = min(2 * sizes.intermediate, 1024 * (rows / m))
        let k = min(sizes.hidden, longestReduction)
        let converter = try ThreadPool(threadCount: 1)
        let (a, b) = (PeakRates.filledBFloat16(m * k, converter), PeakRates.filledBFloat16(n * k, converter))
        let target = Arena(count: m * n).all
        defer { withExtendedLifetime((a, b, target)) {} }
        return try secondIsFaster(
            GEMMBackends(BLASBackends.bfloat16, upcastsBFloat16: false),
            GEMMBackends(BLASBackends.bfloat16, upcastsBFloat16: true),
            threads: threads
        ) { pool in
            pool.multiply(
                BFloat16Matrix(a, rows: m, columns: k), .asStored, BFloat16Matrix(b, rows: n, columns: k), .transposed,
                into: Matrix(target, rows: m, columns: n))
        }
    }

    /// Whether weight gradients take less time where the transposed operand is copied first.
    ///
    /// The rows of this trial have the stride of the run's gate_up. Why: the speed of packing depends on the stride. It
    /// takes half a second on a fast core.
    private static func favoursCopies(_ sizes: GEMMSizes, threads: Int, backend: any BLASBackend) throws -> Bool {
        // gate_up has the most panels of a layer's matmuls.
        let k = min(sizes.tokens, longestReduction)
        let (outputs, inputs) = (2 * sizes.intermediate, sizes.hidden)
        guard ThreadPool.copiesForWeightGradient(stride: outputs) else { return false }
        let (m, n) = (min(outputs, 1024 * max(threads, 2)), min(inputs, 1024))
        let (gradient, input) = (PeakRates.filled(k * outputs), PeakRates.filled(k * inputs))
        let target = Arena(count: m * n).all
        defer { withExtendedLifetime((gradient, input, target)) {} }
        var copies = GEMMBackends(backend)
        copies.copiesForWeightGradient = true
        return try secondIsFaster(GEMMBackends(backend), copies, threads: threads) { pool in
            pool.multiply(
                Matrix(gradient, rows: k, columns: outputs).block(columns: 0..<m), .transposed,
                Matrix(input, rows: k, columns: inputs).block(columns: 0..<n), .asStored,
                into: Matrix(target, rows: m, columns: n))
        }
    }

    /// Whether a pool with the backends `second` takes less time for `multiply` than a pool with `first`.
    private static func secondIsFaster(
        _ first: GEMMBackends, _ second: GEMMBackends, threads: Int, _ multiply: (ThreadPool) -> Void
    ) throws -> Bool {
        // No pool spins. Why: an idle thread that polls would take its core from the other pool.
        let pools = try [first, second].map { try ThreadPool(threadCount: threads, spins: false, backends: $0) }
        return secondIsFaster(Stopwatch.pairedRatios({ multiply(pools[0]) }, { multiply(pools[1]) }))
    }

    /// Whether the median of `ratios` (time of the first candidate over time of the second, in adjacent runs) is above
    /// 1.
    ///
    /// Why ratios of adjacent runs: the clock of a shared machine drifts by more than backends differ. The faster
    /// candidate wins by any margin. A run that needs equal bits at every start sets `reproducible: true`.
    static func secondIsFaster(_ ratios: [Double]) -> Bool { Stopwatch.median(ratios) > 1 }
}

/// Matmuls of one shape over two or more copies of their operands.
///
/// Why: operands of training come from beyond a core's first caches, where backends differ more.
private struct Trial {
    private let m: Int
    private let n: Int
    private let k: Int
    private let aOperand: Operand
    private let bOperand: Operand
    /// All operands and results. Numbers fill it. Why: a processor may run at another clock on zeros.
    private let memory: FloatSlice
    private let copyCount: Int
    /// Passes over all copies per timing, so that a timing takes a millisecond or more.
    private let rounds: Int

    private static let bytes = 4 << 20
    private static let leastOperations = 1e8
    /// Most passes per timing. Why: the backend hardly matters for matmuls so small that more would be needed.
    private static let mostRounds = 200

    init(m: Int, n: Int, k: Int, _ aOperand: Operand, _ bOperand: Operand) {
        (self.m, self.n, self.k, self.aOperand, self.bOperand) = (m, n, k, aOperand, bOperand)
        let count = m * k + k * n + m * n
        copyCount = max(2, min(8, Self.bytes / (MemoryLayout<Float>.stride * count)))
        let operations = 2 * Double(m) * Double(n) * Double(k) * Double(copyCount)
        rounds = min(Int((Self.leastOperations / operations).rounded(.up)), Self.mostRounds)
        memory = PeakRates.filled(copyCount * count)
    }

    func multiply(_ backend: any BLASBackend) {
        var offset = 0
        func matrix(_ rows: Int, _ columns: Int) -> Matrix {
            defer { offset += rows * columns }
            return Matrix(memory[offset..<(offset + rows * columns)], rows: rows, columns: columns)
        }
        for _ in 0..<rounds {
            offset = 0
            for _ in 0..<copyCount {
                let a = aOperand == .asStored ? matrix(m, k) : matrix(k, m)
                let b = bOperand == .asStored ? matrix(k, n) : matrix(n, k)
                LinearAlgebra.multiply(a, aOperand, b, bOperand, into: matrix(m, n), backend: backend)
            }
        }
        withExtendedLifetime(memory) {}
    }
}
