// ProductLibraryChoice - which libraries compute the fp32 products of a run (configuration key `training.blas`).

public import Configuration
internal import Foundation
public import LinearAlgebra
internal import MessagePassing
internal import Tensors

extension Session {
    /// The configured library or, for `auto`, the faster one for each kind of product: measured on rank 0, whose answer
    /// counts for all, so that all ranks compute with the same. Collective.
    public func productLibraries(_ wish: TrainingConfiguration.BLAS) throws -> ProductLibraries {
        switch wish {
        case .openblas: return ProductLibraries(.openBLAS)
        case .onednn: return ProductLibraries(.oneDNN)
        case .auto:
            let names = try communicator.textFromRankZero { ProductLibraryChoice.fastest().names }
            guard let libraries = ProductLibraries(names: names) else {
                throw ProgramFailure(.runtimeFailure, "rank 0 chose the unknown libraries \"\(names)\"")
            }
            return libraries
        }
    }
}

enum ProductLibraryChoice {
    private static let edge = 512
    /// Gradients of weights sum over tokens, which are many.
    private static let tokens = 2048
    /// What is faster by less may be slower in the next run: then it stays with OpenBLAS, and its bits.
    private static let leastGain = 1.02

    /// The libraries that multiply panels as training's in less time on one thread: products of 34 GFLOP in all, a second
    /// on a slow core.
    static func fastest() -> ProductLibraries {
        var fastest = ProductLibraries(.openBLAS)
        // A matrix does not own its memory.
        let memory = Arena(count: 2 * edge * tokens + edge * edge)
        defer { withExtendedLifetime(memory) {} }
        let square = edge * edge
        func matrix(_ offset: Int, rows: Int) -> Matrix {
            Matrix(memory.all[offset..<(offset + rows * edge)], rows: rows, columns: edge)
        }
        let target = matrix(2 * edge * tokens, rows: edge)
        fastest.forward = choose {
            multiply(matrix(0, rows: edge), .asStored, matrix(square, rows: edge), .transposed, $0)
        }
        fastest.dx = choose { multiply(matrix(0, rows: edge), .asStored, matrix(square, rows: edge), .asStored, $0) }
        fastest.dweight = choose(pairs: 7) {
            multiply(matrix(0, rows: tokens), .transposed, matrix(edge * tokens, rows: tokens), .asStored, $0)
        }
        return fastest

        func multiply(_ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, _ library: ProductLibrary) {
            LinearAlgebra.multiply(a, aOperand, b, bOperand, into: target, library: library)
        }
    }

    private static func choose(pairs: Int = 15, _ body: (ProductLibrary) -> Void) -> ProductLibrary {
        // The first of each builds its kernels.
        ProductLibrary.allCases.forEach(body)
        return faster(
            (0..<pairs).map { pair in
                func seconds(_ library: ProductLibrary) -> Double { Stopwatch.seconds { body(library) } }
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
