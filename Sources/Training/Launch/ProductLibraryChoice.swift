// ProductLibraryChoice - which library computes the fp32 products of a run (configuration key `training.blas`).

public import Configuration
internal import Foundation
public import LinearAlgebra
internal import MessagePassing
internal import Tensors

extension Session {
    /// The configured library or, for `auto`, the faster one: measured on rank 0, whose answer counts for all, so that all
    /// ranks compute with the same. Collective.
    public func productLibrary(_ wish: TrainingConfiguration.BLAS) throws -> ProductLibrary {
        switch wish {
        case .openblas: return .openBLAS
        case .onednn: return .oneDNN
        case .auto:
            let name = try communicator.textFromRankZero { ProductLibraryChoice.fastest().rawValue }
            guard let library = ProductLibrary(rawValue: name) else {
                throw ProgramFailure(.runtimeFailure, "rank 0 chose the unknown library \"\(name)\"")
            }
            return library
        }
    }
}

enum ProductLibraryChoice {
    private static let size = 512
    private static let repetitions = 15

    /// The library that multiplies panels as large as training's in less time on one thread: the shortest of alternating
    /// runs, because what disturbs a run only makes it longer; some 100 ms in all.
    static func fastest() -> ProductLibrary {
        // A matrix does not own its memory.
        let memory = Arena(count: 3 * size * size)
        defer { withExtendedLifetime(memory) {} }
        let matrices = (0..<3).map {
            Matrix(memory.all[($0 * size * size)..<(($0 + 1) * size * size)], rows: size, columns: size)
        }
        var shortest: [ProductLibrary: Double] = [:]
        for repetition in 0...repetitions {
            for library in ProductLibrary.allCases {
                let start = ContinuousClock.now
                multiply(matrices[0], .asStored, matrices[1], .transposed, into: matrices[2], library: library)
                let time = (ContinuousClock.now - start) / Duration.seconds(1)
                // The first of each builds its kernels.
                if repetition > 0 { shortest[library] = min(shortest[library] ?? .infinity, time) }
            }
        }
        return shortest.min { $0.value < $1.value }?.key ?? .openBLAS
    }
}
