// Partition - who owns which part of the flat space: buckets, blocks, runs (design section 7).

public import Tensors

/// The ownership of the flat index space: a function of its size, the bucket table and the number of ranks.
///
/// The space is cut into buckets, each bucket into blocks of 64 Ki elements, and of every bucket rank r owns the r-th
/// contiguous run of blocks (possibly none). Every rank has a part of every bucket, so that reducing one keeps all links
/// busy; runs that are one block longer rotate from bucket to bucket, so that no rank owns noticeably more.
public struct Partition: Sendable, Equatable {
    /// Elements per block.
    public static let blockSize = 1 << 16

    /// Flat ranges in the order in which backward finishes them: from the end of the space to its start.
    public let buckets: [Range<Int>]
    public let rankCount: Int
    /// Elements of the flat space.
    public let elementCount: Int
    /// Per bucket: the flat indices at which the ranks' runs start, and the bucket's end.
    private let boundaries: [[Int]]

    /// - Parameters:
    ///   - count: elements of the flat space.
    ///   - finalIndices: falling flat indices that backward reports as final, the last one 0.
    ///   - bucketElements: consecutive groups are joined until a bucket has at least this many elements. The last group
    ///     stays alone if it has as many by itself: it is the embedding, whose gradient is final last and whose parameters
    ///     are needed first, so that whatever it is joined with would be waited for as well.
    ///   - rankCount: ranks that share the space.
    public init(count: Int, finalIndices: [Int], bucketElements: Int, rankCount: Int) {
        precondition(count > 0 && rankCount > 0, "a partition needs elements and ranks")
        precondition(finalIndices.last == 0, "the last final index must be 0")
        var buckets: [Range<Int>] = []
        var (end, groupEnd) = (count, count)
        for index in finalIndices where index < groupEnd {
            if index == 0 && groupEnd >= bucketElements && groupEnd < end {
                buckets.append(groupEnd..<end)
                end = groupEnd
            }
            if end - index >= bucketElements || index == 0 {
                buckets.append(index..<end)
                end = index
            }
            groupEnd = index
        }
        self.buckets = buckets
        self.rankCount = rankCount
        elementCount = count
        var firstLonger = 0
        boundaries = buckets.map { bucket in
            let blocks = (bucket.count + Self.blockSize - 1) / Self.blockSize
            let longer = blocks % rankCount
            var starts = [bucket.lowerBound]
            var block = 0
            for rank in 0..<rankCount {
                let isLonger = (rank - firstLonger + rankCount) % rankCount < longer
                block += blocks / rankCount + (isLonger ? 1 : 0)
                starts.append(min(bucket.lowerBound + block * Self.blockSize, bucket.upperBound))
            }
            firstLonger = (firstLonger + longer) % rankCount
            return starts
        }
    }

    /// The flat range of `bucket` that `rank` owns; may be empty.
    public func owned(bucket: Int, rank: Int) -> Range<Int> {
        boundaries[bucket][rank]..<boundaries[bucket][rank + 1]
    }

    /// Elements of `bucket` per rank, in rank order.
    public func counts(bucket: Int) -> [Int] {
        (0..<rankCount).map { owned(bucket: bucket, rank: $0).count }
    }

    /// Per bucket: whether all tensors of which it has a part are of a kind.
    public func bucketsOf(_ isOfKind: (TensorTable.Entry) -> Bool, in table: TensorTable) -> [Bool] {
        buckets.map { table.entries(overlapping: $0).allSatisfy(isOfKind) }
    }

    /// Everything that `rank` owns, as ascending, non-empty flat ranges.
    public func runs(rank: Int) -> [Range<Int>] {
        buckets.indices.reversed().map { owned(bucket: $0, rank: rank) }.filter { !$0.isEmpty }
    }

    /// Number of elements that `rank` owns.
    public func count(rank: Int) -> Int { runs(rank: rank).reduce(0) { $0 + $1.count } }

    /// Blocks of `bucket` that `rank` owns.
    func blockCount(bucket: Int, rank: Int) -> Int {
        (owned(bucket: bucket, rank: rank).count + Self.blockSize - 1) / Self.blockSize
    }
}

extension TensorTable {
    /// The entries that share elements with `range`, in order.
    func entries(overlapping range: Range<Int>) -> [Entry] {
        range.isEmpty ? [] : entries.filter { $0.range.overlaps(range) }
    }
}
