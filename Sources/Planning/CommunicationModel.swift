// CommunicationModel - bytes and seconds of a step's communication, as MessagePassing and Open MPI carry it out.
//
// Symbols: b bytes of a buffer, N nodes, K ranks per node, d = ceil(log2 N).
//
// Inside a node, through the shared window (see NodePass):
// - Reduction, per rank: it copies the pieces that others own, reading and writing (K - 1) / K b each. It adds the K
//   pieces that it owns, reading b and writing b / K. All ranks of the node together move (3 K - 1) b.
// - Gather, per rank: it copies its own piece in and all other pieces out, 2 b. The node moves 2 K b.
// - Gather on a single node: messages go from process to process, 2 (K - 1) b.
//
// Between nodes, in K concurrent groups of one rank per node with b / K each:
// - PairwiseReduction sends each rank its segment: (N - 1) / N b in each direction. Adding reads b and writes b / N.
// - PairwiseReduction of an embedding's gradient sends the rows of tokens that occurred, and reads b more to find them.
// - MPI_Iallreduce in place is a binomial tree to the first rank and back (Open MPI 4.1, coll/libnbc).
// - PairwiseGather sends its segment to all others: (N - 1) / N b in each direction.
//
// Assumptions: tokens are spread evenly over the segments, and buckets are owned evenly. With fewer blocks of 64 Ki
// elements than ranks, the owners' links carry more than this model says.

internal import Optimization

/// The cost of communicating single buffers.
///
/// A buffer passes stages in order. Several buffers overlap in different stages.
struct CommunicationModel {
    let layout: ClusterLayout
    let hardware: Hardware
    let reduction: GradientReduction

    /// Bytes on the links between nodes.
    struct Traffic: Equatable {
        /// Sent by all nodes together.
        var total = 0
        /// Received by the node that receives most.
        var busiest = 0

        static func += (a: inout Traffic, b: Traffic) {
            a.total += b.total
            a.busiest += b.busiest
        }
    }

    // MARK: Reduction

    /// Seconds of the three stages of a reduction: inside the node, busiest link inward with adding, link outward.
    ///
    /// - Parameter share: share of the buffer that a reduce-scatter sends, 0 to 1.
    func reductionStages(bytes: Int, share: Double = 1) -> [Double] {
        let b = Double(bytes)
        let link = hardware.networkBytes
        let inNode = reductionMemory(bytes) / hardware.memoryBytes
        guard layout.nodes > 1 else { return [inNode, 0, 0] }
        let N = Double(layout.nodes)
        let depth = Double(layout.treeDepth)
        switch reduction {
        case .reduceScatter:
            let copies = Double(copies)
            let packing = share < 1 ? (N - 1) / N : 0
            let adding = (1 + 1 / N + packing) * copies * b / hardware.memoryBytes
            return [inNode, hardware.latency + copies * (N - 1) / N * share * b / link + adding, 0]
        case .allReduce:
            // Adding an arrived buffer reads two buffers and writes one.
            let inward = depth * (hardware.latency + b / link + 3 * b / hardware.memoryBytes)
            return [inNode, inward, depth * (hardware.latency + b / link)]
        }
    }

    /// Bytes that the memory of a node moves in the first stage of a reduction.
    private func reductionMemory(_ bytes: Int) -> Double {
        let (b, K) = (Double(bytes), Double(layout.ranksPerNode))
        guard layout.ranksPerNode > 1 else { return 0 }
        guard layout.isRegular else {
            // Without shared windows all ranks exchange messages. Those inside the node are copies.
            if reduction == .reduceScatter { return 2 * K * (K - 1) / Double(layout.ranks) * b }
            // Half of a node's ranks copy and add in each round of the tree inside the node.
            return Double(max(layout.rankTreeDepth - layout.treeDepth, 0)) * 5 * b * K / 2
        }
        return (3 * K - 1) * b + (reduction == .allReduce ? 2 * K * b : 0)
    }

    func reductionTraffic(bytes: Int, share: Double = 1) -> Traffic {
        let (N, d) = (layout.nodes, layout.treeDepth)
        guard N > 1 else { return Traffic() }
        switch reduction {
        case .reduceScatter:
            let sent = Int(share * Double(bytes))
            return Traffic(total: copies * (N - 1) * sent, busiest: copies * (N - 1) * sent / N)
        case .allReduce: return Traffic(total: 2 * (N - 1) * bytes, busiest: d * bytes)
        }
    }

    /// Times that a node sends and receives a buffer: once with shared windows, otherwise once per rank.
    private var copies: Int { layout.isRegular ? 1 : layout.ranksPerNode }

    // MARK: Gathering

    /// Seconds of the two stages of a gather: busiest link, node's memory.
    func gatherStages(bytes: Int) -> [Double] {
        let (b, K) = (Double(bytes), Double(layout.ranksPerNode))
        let memory = hardware.memoryBytes
        guard layout.nodes > 1 else { return [0, 2 * (K - 1) * b / memory] }
        let wire = hardware.latency + Double(gatherTraffic(bytes: bytes).busiest) / hardware.networkBytes
        guard layout.ranksPerNode > 1 else { return [wire, 0] }
        return [wire, layout.isRegular ? 2 * K * b / memory : 2 * (K - 1) * b / memory]
    }

    func gatherTraffic(bytes: Int) -> Traffic {
        let N = layout.nodes
        guard N > 1 else { return Traffic() }
        return Traffic(total: copies * (N - 1) * bytes, busiest: copies * (N - 1) * bytes / N)
    }

    // MARK: Small messages

    /// Seconds to gather a few numbers from all ranks.
    var smallGather: Double { layout.nodes > 1 ? hardware.latency : 0 }
    /// Seconds of an all-reduce of `bytes` over all ranks: up and down a binomial tree.
    func smallReduction(bytes: Int) -> Double {
        layout.nodes > 1
            ? 2 * Double(layout.treeDepth) * (hardware.latency + Double(bytes) / hardware.networkBytes) : 0
    }
}
