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
        // It has no fp32 products.
        case .auto where training.precision == .bf16 && ProductLibrary.hasBFloat16Products:
            return ProductLibraries(.oneDNN)
        case .auto:
            return try fastestLibraries(
                ProductSizes(
                    configuration.model, tokens: training.microBatchSize * configuration.data.sequenceLength))
        }
    }

    /// The faster library for each kind of product: measured on rank 0, whose answer counts for all, so that all ranks compute
    /// with the same. Collective.
    func fastestLibraries(_ sizes: ProductSizes) throws -> ProductLibraries {
        let names = try communicator.textFromRankZero { ProductLibraryChoice.fastest(sizes).names }
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
    /// What is faster by less may be slower in the next run: then it stays with OpenBLAS, and its bits.
    private static let leastGain = 1.02
    /// Reductions are measured no longer than this.
    private static let longestReduction = 2048

    /// The libraries that compute panels like the run's in less time on one thread: half a second on a fast core.
    static func fastest(_ sizes: ProductSizes) -> ProductLibraries {
        let (tokens, D, F) = (sizes.tokens, sizes.hidden, 2 * sizes.intermediate)
        var fastest = ProductLibraries(.openBLAS)
        // The largest product of a layer decides for its kind.
        fastest.forward = choose(trial(tokens, F, D, .asStored, .transposed))
        fastest.dx = choose(trial(tokens, D, F, .asStored, .asStored))
        fastest.dweight = choose(trial(F, D, tokens, .transposed, .asStored))
        return fastest
    }

    /// A panel of an `m x n` product with reduction length `k`.
    private static func trial(_ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand) -> Trial {
        let panel = ThreadPool.panelSize(m: m, n: n, k: k)
        return Trial(m: panel.rows, n: panel.columns, k: min(k, longestReduction), a, b)
    }

    private static func choose(_ trial: Trial) -> ProductLibrary {
        // The first of each builds its kernels.
        ProductLibrary.allCases.forEach(trial.multiply)
        return faster(
            (0..<11).map { pair in
                func seconds(_ library: ProductLibrary) -> Double { Stopwatch.seconds { trial.multiply(library) } }
                // Each comes first in every second pair: a clock that slows down would favour the first.
                if pair % 2 == 0 { return seconds(.openBLAS) / seconds(.oneDNN) }
                let second = seconds(.oneDNN)
                return seconds(.openBLAS) / second
            })
    }

    /// Judges by `ratios`, OpenBLAS's time over oneDNN's in neighbouring runs: the clock of a shared machine drifts by more
    /// than the libraries differ, which the shortest run of each does not tell apart.
    static func faster(_ ratios: [Double]) -> ProductLibrary {
        Stopwatch.median(ratios) > leastGain ? .oneDNN : .openBLAS
    }
}

/// Products of one shape. Operands lie in several places, because those of training come from memory: in a core's first caches
/// the libraries differ by less.
private struct Trial {
    private let m: Int
    private let n: Int
    private let k: Int
    private let aOperand: Operand
    private let bOperand: Operand
    /// A matrix does not own its memory. Filled: pages that were never written are one page.
    private let memory: FloatSlice
    private let places: Int
    /// Of all places, so that a timing takes a millisecond or more.
    private let rounds: Int

    private static let bytes = 8 << 20
    private static let leastOperations = 1e8

    init(m: Int, n: Int, k: Int, _ aOperand: Operand, _ bOperand: Operand) {
        (self.m, self.n, self.k, self.aOperand, self.bOperand) = (m, n, k, aOperand, bOperand)
        let count = m * k + k * n + m * n
        places = max(1, min(8, Self.bytes / (MemoryLayout<Float>.stride * count)))
        rounds = max(1, Int(Self.leastOperations / (2 * Double(m) * Double(n) * Double(k) * Double(places))))
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
