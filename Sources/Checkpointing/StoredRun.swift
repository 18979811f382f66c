// StoredRun - the check that shards cover the flat space exactly once.

/// A run of the flat space, and its place in a checkpoint's shards.
struct StoredRun: Equatable {
    /// Positions in the flat space.
    var range: Range<Int>
    /// Index of the shard.
    var shard: Int
    /// Position of the run's first element in the shard's datasets.
    var offset: Int
}

extension StoredRun {
    /// The runs of all shards in ascending order.
    ///
    /// - Throws: `corrupt`, naming the shard, unless every shard's runs ascend and all runs together cover
    ///   `0..<elementCount` exactly once.
    static func covering(
        _ elementCount: Int, shards: [ShardRecord], file: String
    ) throws(CheckpointError) -> [StoredRun] {
        var runs: [StoredRun] = []
        for (shard, record) in shards.enumerated() {
            var offset = 0
            var end = 0
            for range in record.runs {
                guard range.lowerBound >= end, !range.isEmpty, range.upperBound <= elementCount else {
                    throw CheckpointError(
                        .corrupt, file: file,
                        "\(record.fileName) lists the run \(range), which does not ascend inside 0..<\(elementCount)")
                }
                runs.append(StoredRun(range: range, shard: shard, offset: offset))
                offset += range.count
                end = range.upperBound
            }
        }
        runs.sort { $0.range.lowerBound < $1.range.lowerBound }
        var end = 0
        for run in runs {
            guard run.range.lowerBound == end else {
                throw CheckpointError(
                    .corrupt, file: file,
                    "the shards \(run.range.lowerBound > end ? "leave out" : "hold twice") the elements"
                        + " \(min(end, run.range.lowerBound))..<\(max(end, run.range.lowerBound))")
            }
            end = run.range.upperBound
        }
        guard end == elementCount else {
            throw CheckpointError(.corrupt, file: file, "the shards leave out the elements \(end)..<\(elementCount)")
        }
        return runs
    }
}
