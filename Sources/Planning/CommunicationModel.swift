// CommunicationModel - bytes and seconds of a step's exchange, by what `MessagePassing` and Open MPI really do.
//
// Legend: b bytes of a buffer, N nodes, K ranks on each, d = ceil(log2 N), B bytes/s of a node's link in each direction, M
// bytes/s of its memory, a the latency.
//
// In a node (shared window, see NodePass): to reduce, a rank copies what others own (reads and writes (K - 1) / K b) and adds
// K pieces of what it owns (reads b, writes b / K): all ranks of the node together (3 K - 1) b. To gather, it copies its own
// in and all others' out, 2 b; the node 2 K b. On a single node messages go from process to process, 2 (K - 1) b.
//
// Between nodes (K groups of one rank of each node, b / K each, at the same time): PairwiseReduction sends each rank its
// segment, (N - 1) / N b in each direction, and reads b and writes b / N to add. Of an embedding's gradient it sends only a
// share, the rows of tokens that occurred, and reads b more to find them; frequent tokens are taken for evenly spread. MPI_Iallreduce in place is, in Open MPI 4.1
// (coll/libnbc), a binomial tree to the first rank and the same tree back. PairwiseGather sends its segment to all others,
// (N - 1) / N b in each direction. Buckets are taken for evenly owned: with fewer blocks of 64 Ki elements than ranks the
// owners' links carry more.

internal import Optimization

/// Costs of single buffers. A buffer goes through stages one after the other; several buffers are in different stages at
/// the same time.
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

    /// Seconds in the node's memory, on the busiest node's link inward (and adding there), and outward afterwards.
    ///
    /// - Parameter share: what of the buffer a reduce-scatter sends.
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
            // What has arrived is added to what is there: two are read, one is written.
            let inward = depth * (hardware.latency + b / link + 3 * b / hardware.memoryBytes)
            return [inNode, inward, depth * (hardware.latency + b / link)]
        }
    }

    /// Bytes that the memory of a node moves before the links are used.
    private func reductionMemory(_ bytes: Int) -> Double {
        let (b, K) = (Double(bytes), Double(layout.ranksPerNode))
        guard layout.ranksPerNode > 1 else { return 0 }
        guard layout.isRegular else {
            // Messages between all ranks: those inside the node are copied.
            if reduction == .reduceScatter { return 2 * K * (K - 1) / Double(layout.ranks) * b }
            // In each round of the tree inside a node, half of its ranks copy and add.
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

    /// Without shared windows each rank of a node sends and receives everything for itself.
    private var copies: Int { layout.isRegular ? 1 : layout.ranksPerNode }

    // MARK: Gathering

    /// Seconds on the link and in the node's memory.
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

    /// Seconds of a few numbers gathered from all ranks.
    var smallGather: Double { layout.nodes > 1 ? hardware.latency : 0 }
    /// Seconds of `bytes` combined over all ranks: the tree and back.
    func smallReduction(bytes: Int) -> Double {
        layout.nodes > 1
            ? 2 * Double(layout.treeDepth) * (hardware.latency + Double(bytes) / hardware.networkBytes) : 0
    }
}
