// CommunicatorExchange - the exchange of a sharded optimizer by MPI and shared memory.

internal import Kernels
internal import MessagePassing
internal import Optimization
internal import Tensors

/// Reduces and gathers by the operations of a communicator. The threads of the rank's pool copy and add.
struct CommunicatorExchange: ShardExchange {
    let communicator: Communicator
    let layout: ShardLayout
    let reduction: GradientReduction
    /// Per bucket: whether most of its gradient is zeros, which are not sent.
    let isSparse: [Bool]
    let pool: ThreadPool

    var connectsRanks: Bool { true }

    func startReduction<Numbers: SummableSlice>(
        bucket: Int, of gradient: Numbers, into shard: Numbers
    ) throws(MPIError) -> Request? {
        let buffer = gradient[layout.partition.buckets[bucket]]
        switch reduction {
        case .reduceScatter:
            return try communicator.startReduceScatterSum(
                buffer, counts: layout.partition.counts(bucket: bucket), into: shard[layout.shardRange(bucket)],
                isSparse: isSparse[bucket], parallel: pool.parallelLoop)
        case .allReduce:
            return try communicator.startAllReduceSum(buffer, parallel: pool.parallelLoop)
        }
    }

    func startGather<Numbers: NumberSlice>(bucket: Int, of parameters: Numbers) throws(MPIError) -> Request? {
        try communicator.startAllGather(
            inPlace: parameters[layout.partition.buckets[bucket]], counts: layout.partition.counts(bucket: bucket),
            parallel: pool.parallelLoop)
    }

    func sum(_ values: FloatSlice) throws(MPIError) {
        try communicator.startAllReduceSum(values).wait()
    }

    func progress() throws(MPIError) -> Bool { try communicator.progress() }
}
