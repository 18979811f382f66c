// ShardFile - one rank's part of parameters and optimizer state: writing, reading back, reading.

internal import HDF5Store
internal import Tensors

/// Reading and writing `shard-NNNNN-of-NNNNN.h5`.
///
/// A dataset for each role holds the shard's runs one after another. The dataset `runs` holds their bounds.
/// Why: a shard in another's place is noticed even where no hash is compared.
enum ShardFile {
    /// Floats per comparison when a shard is read back: 4 MiB.
    private static let blockCount = 1 << 20

    static func write(
        to path: String, runs: [Range<Int>], sources: [(role: TensorRole, pieces: [FloatSlice])]
    ) throws(CheckpointError) {
        let count = runs.reduce(0) { $0 + $1.count }
        let bounds = bounds(of: runs)
        try writing { () throws(HDF5Error) in
            let file = try HDF5File.create(path)
            try file.writeIntegers(bounds, to: "runs")
            for (role, pieces) in sources {
                let dataset = try file.createFloats(role.rawValue, count: count)
                var offset = 0
                for piece in pieces {
                    try dataset.write(piece, to: offset..<(offset + piece.count))
                    offset += piece.count
                }
                try dataset.close()
            }
            try file.close()
        }
    }

    /// Reads a shard that was just written and compares every element's bits with memory.
    static func compare(
        _ path: String, runs: [Range<Int>], sources: [(role: TensorRole, pieces: [FloatSlice])]
    ) throws(CheckpointError) {
        let shard = try OpenShard(path: path, runs: runs, roles: sources.map(\.role))
        let buffer = Arena(count: blockCount).all
        for (role, pieces) in sources {
            var offset = 0
            for piece in pieces {
                var start = 0
                while start < piece.count {
                    let end = min(piece.count, start + blockCount)
                    let block = buffer[0..<(end - start)]
                    try shard.read(role, (offset + start)..<(offset + end), into: block)
                    guard block.hasSameBits(as: piece[start..<end]) else {
                        throw .readBackDiffers(
                            path, at: "\(role.rawValue), elements \(offset + start)..<\(offset + end)")
                    }
                    start = end
                }
                offset += piece.count
            }
        }
    }

    /// Lower and upper bound of every run.
    static func bounds(of runs: [Range<Int>]) -> [Int64] {
        runs.flatMap { [Int64($0.lowerBound), Int64($0.upperBound)] }
    }
}

/// A shard that is open for reading. It closes when it is released.
final class OpenShard {
    private let datasets: [TensorRole: OpenDataset]
    /// The last member. Why: members are released in order, and datasets close before their file.
    private let file: HDF5File

    /// A dataset of the shard, for a dictionary, which cannot hold values that are not copyable.
    private final class OpenDataset {
        let floats: HDF5FloatDataset

        init(_ role: TensorRole, in file: borrowing HDF5File) throws(CheckpointError) {
            do { floats = try file.openFloats(role.rawValue) } catch { throw .reading(error) }
        }
    }

    /// Opens a shard that must hold exactly `runs` of every tensor in `roles`.
    init(path: String, runs: [Range<Int>], roles: [TensorRole]) throws(CheckpointError) {
        let count = runs.reduce(0) { $0 + $1.count }
        let file = try reading { () throws(HDF5Error) in try HDF5File.open(path) }
        let stored = try reading { () throws(HDF5Error) in try file.readIntegers("runs", limit: 2 * runs.count) }
        var datasets: [TensorRole: OpenDataset] = [:]
        for role in roles { datasets[role] = try OpenDataset(role, in: file) }
        guard stored == ShardFile.bounds(of: runs), datasets.values.allSatisfy({ $0.floats.count == count }) else {
            throw CheckpointError(
                .corrupt, file: path,
                "the shard holds other elements than the index says: it belongs to another checkpoint")
        }
        self.datasets = datasets
        self.file = file
    }

    /// Reads elements of a role with which the shard was opened, counted inside the shard.
    func read(_ role: TensorRole, _ range: Range<Int>, into target: FloatSlice) throws(CheckpointError) {
        guard let dataset = datasets[role] else { preconditionFailure("\(role.rawValue) of a shard without it") }
        try reading { () throws(HDF5Error) in try dataset.floats.read(range, into: target) }
    }
}
