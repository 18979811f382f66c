// ProductLibraryChoice - which libraries compute the fp32 products of a run (configuration key `training.blas`).

internal import Configuration
internal import Kernels
internal import LinearAlgebra
internal import LlamaModel
internal import MessagePassing
internal import Tensors
internal import TokenData

extension Session {
    /// The libraries that `configuration` asks for. Collective.
    func productLibraries(_ configuration: RunConfiguration) throws -> ProductLibraries {
        let training = configuration.training
        switch training.blas {
        case .openblas: return ProductLibraries(.openBLAS)
        case .onednn: return ProductLibraries(.oneDNN)
        // A measurement would choose anew at each start.
        case .auto where training.reproducible: return ProductLibraries(.openBLAS)
        case .auto:
            // No fp32 products, unless a rank's processor has none of bf16 and widens operands.
            if training.precision == .bf16, try !communicator.isTrueOnAny(!ProductLibrary.hasBFloat16Products) {
                return ProductLibraries(.oneDNN)
            }
            let sequences = TrainingState.largestUnit(configuration, ranks: communicator.size)
            return try fastestLibraries(
                ProductSizes(configuration.model, tokens: sequences * configuration.data.sequenceLength),
                threads: training.threads)
        }
    }

    /// The faster library for each kind of product: measured on rank 0, whose answer counts for all, so that all ranks compute
    /// with the same. Collective.
    ///
    /// - Parameter threads: `training.threads`.
    func fastestLibraries(_ sizes: ProductSizes, threads: Int) throws -> ProductLibraries {
        let plan = try threadPlan(requested: threads)
        let names = try communicator.textFromRankZero {
            ProductLibraryChoice.fastest(sizes, try ThreadPool(threadCount: plan.threads, spins: plan.spins)).names
        }
        guard let libraries = ProductLibraries(names: names) else {
            throw ProgramFailure(.runtimeFailure, "rank 0 chose the unknown libraries \"\(names)\"")
        }
        return libraries
    }
}

/// What the sizes of a run's products follow from.
struct ProductSizes {
    /// Of a micro-batch.
    let tokens: Int
    let hidden: Int
    let intermediate: Int

    init(_ model: ModelConfiguration, tokens: Int) {
        self.tokens = tokens
        hidden = model.hiddenSize
        intermediate = model.intermediateSize
    }
}

enum ProductLibraryChoice {
    /// Reductions are measured no longer than this.
    private static let longestReduction = 1024

    /// The libraries that compute panels like the run's in less time, on all threads at once, which share a cache and memory as
    /// in training: some 40 GFLOP a thread, half a second on a fast core.
    static func fastest(_ sizes: ProductSizes, _ pool: ThreadPool) -> ProductLibraries {
        let (tokens, D, F) = (sizes.tokens, sizes.hidden, 2 * sizes.intermediate)
        var fastest = ProductLibraries(.openBLAS)
        // The largest product of a layer decides for its kind.
        fastest.forward = choose(pool) { trial(tokens, F, D, .asStored, .transposed) }
        fastest.dx = choose(pool) { trial(tokens, D, F, .asStored, .asStored) }
        fastest.dweight = choose(pool) { trial(F, D, tokens, .transposed, .asStored) }
        return fastest
    }

    /// A panel of an `m x n` product with reduction length `k`.
    private static func trial(_ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand) -> Trial {
        let panel = ThreadPool.panelSize(m: m, n: n, k: k)
        return Trial(m: panel.rows, n: panel.columns, k: min(k, longestReduction), a, b)
    }

    private static func choose(_ pool: ThreadPool, _ trial: () -> Trial) -> ProductLibrary {
        let trials = (0..<pool.threadCount).map { _ in trial() }
        func multiply(_ library: ProductLibrary) {
            pool.run(trials.count) { task, _ in trials[task].multiply(library) }
        }
        // The first of each builds its kernels.
        ProductLibrary.allCases.forEach(multiply)
        return faster(
            (0..<11).map { pair in
                func seconds(_ library: ProductLibrary) -> Double { Stopwatch.seconds { multiply(library) } }
                // Each comes first in every second pair: a clock that slows down would favour the first.
                if pair % 2 == 0 { return seconds(.openBLAS) / seconds(.oneDNN) }
                let second = seconds(.oneDNN)
                return seconds(.openBLAS) / second
            })
    }

    /// Judges by `ratios`, OpenBLAS's time over oneDNN's in neighbouring runs: the clock of a shared machine drifts by more
    /// than the libraries differ, which the shortest run of each does not tell apart. However little one gains, it is taken: to
    /// ask for more than nothing would only favour the other. Who needs the same bits in every run sets `reproducible: true`.
    static func faster(_ ratios: [Double]) -> ProductLibrary {
        Stopwatch.median(ratios) > 1 ? .oneDNN : .openBLAS
    }
}

/// Products of one shape. Operands lie in two places or more, because those of training come from beyond a core's first caches,
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
    /// Where products are so small that this is less, it hardly matters who computes them.
    private static let mostRounds = 200

    init(m: Int, n: Int, k: Int, _ aOperand: Operand, _ bOperand: Operand) {
        (self.m, self.n, self.k, self.aOperand, self.bOperand) = (m, n, k, aOperand, bOperand)
        let count = m * k + k * n + m * n
        places = max(2, min(8, Self.bytes / (MemoryLayout<Float>.stride * count)))
        let operations = 2 * Double(m) * Double(n) * Double(k) * Double(places)
        rounds = min(Int((Self.leastOperations / operations).rounded(.up)), Self.mostRounds)
        memory = Ceilings.filled(places * count)
    }

    func multiply(_ library: ProductLibrary) {
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
                LinearAlgebra.multiply(a, aOperand, b, bOperand, into: matrix(m, n), library: library)
            }
        }
        withExtendedLifetime(memory) {}
    }
}
