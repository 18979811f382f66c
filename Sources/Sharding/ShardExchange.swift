// ShardExchange - moves gradients to their owners and parameters from their owners to all ranks.

package import MessagePassing
internal import Optimization
package import Tensors

/// The collective operations of a data parallel step, bucket by bucket: reduce-scatter of gradients, all-gather of
/// parameters.
///
/// All ranks start the same operations in the same order. An operation returns nil where there is nothing to wait for.
package protocol ShardExchange {
    /// Whether numbers of other ranks arrive.
    var connectsRanks: Bool { get }

    /// Starts to sum a bucket of the flat `gradient`, `[P]`, over all ranks.
    ///
    /// - Parameter shard: receives the sum of the owned elements with `reduce_scatter`. With `all_reduce`, the sum of
    ///   the bucket replaces `gradient`'s.
    func startReduction<Numbers: SummableSlice>(
        bucket: Int, of gradient: Numbers, into shard: Numbers
    ) throws(MPIError) -> Request?

    /// Starts to give all ranks a bucket of the flat `parameters`, `[P]`, of which each rank has filled its own part.
    func startGather<Numbers: NumberSlice>(bucket: Int, of parameters: Numbers) throws(MPIError) -> Request?

    /// Replaces `values` by their sum over all ranks; complete on return.
    func sum(_ values: FloatSlice) throws(MPIError)

    /// Lets everything in flight move once. True if anything is still in flight.
    func progress() throws(MPIError) -> Bool
}

/// The exchange of a rank that is alone. Benchmarks also measure steps without communication by it.
package struct NoExchange: ShardExchange {
    package init() {}

    package var connectsRanks: Bool { false }

    package func startReduction<Numbers: SummableSlice>(
        bucket: Int, of gradient: Numbers, into shard: Numbers
    ) throws(MPIError) -> Request? { nil }

    package func startGather<Numbers: NumberSlice>(bucket: Int, of parameters: Numbers) throws(MPIError) -> Request? {
        nil
    }

    package func sum(_ values: FloatSlice) throws(MPIError) {}

    package func progress() throws(MPIError) -> Bool { false }
}
