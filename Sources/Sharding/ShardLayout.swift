// ShardLayout - where the elements that one rank owns lie: in the flat space, and in the rank's shard.

internal import Tensors

/// The owned elements of one rank, bucket by bucket.
///
/// A shard is a buffer of the owned elements in ascending flat order, as ``Partition/runs(rank:)`` lists them.
struct ShardLayout {
    let partition: Partition
    let rank: Int
    /// Elements of the shard.
    let count: Int
    /// Per bucket: index in the shard at which the owned run starts.
    private let offsets: [Int]

    init(_ partition: Partition, rank: Int) {
        self.partition = partition
        self.rank = rank
        count = partition.count(rank: rank)
        var offsets = [Int](repeating: 0, count: partition.buckets.count)
        var offset = 0
        for bucket in partition.buckets.indices.reversed() {
            offsets[bucket] = offset
            offset += partition.owned(bucket: bucket, rank: rank).count
        }
        self.offsets = offsets
    }

    /// The flat range of `bucket` that the rank owns; may be empty.
    func owned(_ bucket: Int) -> Range<Int> { partition.owned(bucket: bucket, rank: rank) }

    /// The owned elements of `bucket` in the shard.
    func shardRange(_ bucket: Int) -> Range<Int> {
        offsets[bucket]..<(offsets[bucket] + owned(bucket).count)
    }
}
