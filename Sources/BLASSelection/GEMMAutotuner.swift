// GEMMAutotuner - what computes the matmuls of a run (configuration key `training.blas`).

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
    /// The libraries that `configuration` asks for. Collective.
    package func gemmBackends(_ configuration: RunConfiguration) throws -> GEMMBackends {
        let training = configuration.training
        switch training.blas {
        case .backend(let backend): return GEMMBackends(backend)
        // A measurement would choose anew at each start.
        case .auto where training.reproducible: return GEMMBackends(.openBLAS)
        case .auto:
            let sequences = StepLayout(configuration, ranks: communicator.size).largestMicroBatch
            return try fastestBackends(
                GEMMSizes(configuration.model, tokens: sequences * configuration.data.sequenceLength),
                threads: training.threads, precision: training.precision)
        }
    }

    /// The faster library for each kind of fp32 matmul, and whether gradients of weights copy an operand: measured on rank 0, whose
    /// answer counts for all; with bf16 also whether operands are upcast to fp32, which each rank measures for its own processor.
    /// Collective.
    ///
    /// - Parameter threads: `training.threads`.
    /// - Parameter precision: where it is bf16 and no rank upcasts, there are no fp32 matmuls, and no library is measured.
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
    /// The BLAS that computes matmuls of operands in this precision: bits are comparable only where it is the same.
    package func gemmIdentity(_ precision: TrainingConfiguration.Precision) -> String {
        switch precision {
        case .fp32: backends.identity
        case .bf16: backends.bfloat16Identity
        }
    }
}

/// What the sizes of a run's matmuls follow from.
package struct GEMMSizes {
    /// Of a micro-batch.
    package let tokens: Int
    package let hidden: Int
    package let intermediate: Int

    package init(_ model: ModelConfiguration, tokens: Int) {
        self.tokens = tokens
        hidden = model.hiddenSize
        intermediate = model.intermediateSize
    }
}

enum GEMMAutotuner {
    /// Reductions are measured no longer than this.
    private static let longestReduction = 1024

    /// The libraries that compute panels like the run's in less time, on all threads at once, which share a cache and memory as
    /// in training: some 60 GFLOP a thread, half a second on a fast core, and without copies as long again for those.
    ///
    /// - Parameter precision: of operands. Those of bf16 are upcast, which has panels of its own and is a copy already; for fp32
    ///   it is also measured whether one of a gradient of weights is copied.
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
        // The largest matmul of a layer decides for its kind.
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

    /// Whether matmuls of bf16 operands take less time in fp32, on upcast operands: some processors do half as many operations
    /// a second with their instruction for bf16 as with that for fp32. Measured on the forward pass, with oneDNN, or tiles
    /// against oneDNN: the two formats differ by more than kinds of matmuls and libraries do. A third of a second on a fast core; needs
    /// ``BLASBackends/hasBFloat16GEMM``.
    static func favoursUpcasting(_ sizes: GEMMSizes, threads: Int) throws -> Bool {
        // The largest matmul of a layer, of which there is a panel for each thread and more, and enough for the run's panels.
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

    /// Whether gradients of weights take less time where the transposed operand is copied first. The rows of this trial lie as far
    /// apart as those of the run's gate_up, unlike those of a ``Trial``: how they are packed depends on it. Half a second on a fast
    /// core.
    private static func favoursCopies(_ sizes: GEMMSizes, threads: Int, backend: any BLASBackend) throws -> Bool {
        // The matmul of a layer that has the most panels.
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

    /// Whether a pool with the libraries `second` takes less time for `multiply` than one with `first`.
    private static func secondIsFaster(
        _ first: GEMMBackends, _ second: GEMMBackends, threads: Int, _ multiply: (ThreadPool) -> Void
    ) throws -> Bool {
        // An idle thread that polls would take its core from the other pool.
        let pools = try [first, second].map { try ThreadPool(threadCount: threads, spins: false, backends: $0) }
        return secondIsFaster(Stopwatch.pairedRatios({ multiply(pools[0]) }, { multiply(pools[1]) }))
    }

    /// Judges by `ratios`, the first one's time over the second one's in neighbouring runs: the clock of a shared machine drifts
    /// by more than libraries differ, which the shortest run of each does not tell apart. However little one gains, it is
    /// taken: to ask for more than nothing would only favour the other. Who needs the same bits in every run sets
    /// `reproducible: true`.
    static func secondIsFaster(_ ratios: [Double]) -> Bool { Stopwatch.median(ratios) > 1 }
}

/// Matmuls of one shape. Operands lie in two places or more, because those of training come from beyond a core's first caches,
/// in which the libraries differ by less.
private struct Trial {
    private let m: Int
    private let n: Int
    private let k: Int
    private let aOperand: Operand
    private let bOperand: Operand
    /// A matrix does not own its memory. Filled with numbers: zeros may be multiplied at another clock.
    private let memory: FloatSlice
    private let places: Int
    /// Of all places, so that a timing takes a millisecond or more.
    private let rounds: Int

    private static let bytes = 4 << 20
    private static let leastOperations = 1e8
    /// Where matmuls are so small that this is less, it hardly matters who computes them.
    private static let mostRounds = 200

    init(m: Int, n: Int, k: Int, _ aOperand: Operand, _ bOperand: Operand) {
        (self.m, self.n, self.k, self.aOperand, self.bOperand) = (m, n, k, aOperand, bOperand)
        let count = m * k + k * n + m * n
        places = max(2, min(8, Self.bytes / (MemoryLayout<Float>.stride * count)))
        let operations = 2 * Double(m) * Double(n) * Double(k) * Double(places)
        rounds = min(Int((Self.leastOperations / operations).rounded(.up)), Self.mostRounds)
        memory = PeakRates.filled(places * count)
    }

    func multiply(_ backend: any BLASBackend) {
        var offset = 0
        func matrix(_ rows: Int, _ columns: Int) -> Matrix {
            defer { offset += rows * columns }
            return Matrix(memory[offset..<(offset + rows * columns)], rows: rows, columns: columns)
        }
        for _ in 0..<rounds {
            offset = 0
            for _ in 0..<places {
                let a = aOperand == .asStored ? matrix(m, k) : matrix(k, m)
                let b = bOperand == .asStored ? matrix(k, n) : matrix(n, k)
                LinearAlgebra.multiply(a, aOperand, b, bOperand, into: matrix(m, n), backend: backend)
            }
        }
        withExtendedLifetime(memory) {}
    }
}
