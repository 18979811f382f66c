// Communicator+Nodes - whether and how large buffers go through the memory that the ranks of a node share.

internal import CMPI
internal import Tensors

/// How the ranks of a node exchange large buffers. The defaults are what a run uses; tests set others.
package struct NodeSettings: Sendable {
    package enum Placement: Sendable {
        /// The nodes that the ranks run on.
        case actual
        /// Pretended nodes of `of` consecutive ranks.
        case blocks(of: Int)
        /// Ranks dealt to `nodes` pretended nodes in turn.
        case cyclic(nodes: Int)
    }

    /// Staging memory of each rank in the window: enough for the ranks to work side by side, little enough to stay in
    /// caches.
    package static let usualStagingBytes = 2 << 20
    /// Least staging memory of each rank, in bytes. With less, ranks would wait for pieces longer than they work on
    /// them.
    package static let leastUsefulStagingBytes = 128 << 10

    package var placement = Placement.actual
    /// Staging bytes of each rank, halved until the window fits.
    package var stagingBytes = usualStagingBytes
    /// Least staging bytes of each rank. Where these do not fit, messages replace the window.
    package var leastStagingBytes = leastUsefulStagingBytes
    /// Free bytes to assume in the backing file system instead of asking it.
    package var freeBytes: Int?

    package init() {}
}

/// Room for the memory that the ranks of a node share, in bytes.
package struct SharedMemoryRoom: Codable, Sendable, Equatable {
    /// The directory in which the library makes shared memory.
    package var directory: String
    package var freeBytes: Int
    /// Bytes below which ranks exchange messages instead.
    package var neededBytes: Int
    /// Bytes beyond which more gains nothing.
    package var wantedBytes: Int

    package init(directory: String, freeBytes: Int, neededBytes: Int, wantedBytes: Int) {
        self.directory = directory
        self.freeBytes = freeBytes
        self.neededBytes = neededBytes
        self.wantedBytes = wantedBytes
    }
}

extension Communicator {
    /// Whether large buffers go through shared memory inside a node.
    package var usesSharedMemory: Bool { nodes != nil }

    /// The shared memory that the ranks of this node can have.
    package var sharedMemoryRoom: SharedMemoryRoom {
        let least = max(NodeSettings.leastUsefulStagingBytes, NodeWindow.leastStagingBytes(rankCount: nodeSize))
        return SharedMemoryRoom(
            directory: NodeWindow.backingDirectory(), freeBytes: NodeWindow.freeBytes(),
            // Half is left to others.
            neededBytes: 2 * NodeWindow.byteCount(rankCount: nodeSize, stagingBytes: least),
            wantedBytes: 2 * NodeWindow.byteCount(rankCount: nodeSize, stagingBytes: NodeSettings.usualStagingBytes))
    }

    /// Nodes whose ranks share memory, all with equally many; nil where large buffers go by messages between all ranks.
    package var nodeShape: (nodes: Int, ranksPerNode: Int)? {
        nodes.map { ($0.map.nodes.count, $0.map.ranksPerNode) }
    }

    /// Chooses anew how large buffers are exchanged. All ranks call it with the same settings, while no request is
    /// open.
    package func regroup(_ settings: NodeSettings) throws(MPIError) {
        try enter("MPI_Win_allocate_shared")
        precondition(isIdle, "requests are open")
        // After the barrier nobody reads the old window any more.
        try barrier()
        try closeNodes()
        guard size > 1 else { return }
        let (handle, isOwned) = try nodeGroup(settings.placement)
        let map = try nodeMap(handle)
        let staging = try agreedStaging(settings, map)
        guard staging > 0 else {
            if isOwned { try handle.free(at: site) }
            return
        }
        let opened = try NodeGroup(
            world: world, node: handle, ownsNode: isOwned, map: map, stagingBytes: staging, at: site)
        // After the barrier everybody's counters are zero.
        try barrier()
        nodes = opened
    }

    private func nodeGroup(_ placement: NodeSettings.Placement) throws(MPIError) -> (CommunicatorHandle, isOwned: Bool)
    {
        switch placement {
        case .actual: return (node, false)
        case .blocks(let count): return (try world.split(color: rank / count, key: rank, at: site), true)
        case .cyclic(let count): return (try world.split(color: rank % count, key: rank, at: site), true)
        }
    }

    /// The placement of all ranks, from what each knows of its own node.
    private func nodeMap(_ handle: CommunicatorHandle) throws(MPIError) -> NodeMap {
        let leader = PinnedArray<Int>([rank])
        try unsafe wait(for: [
            startBroadcast(
                UnsafeMutableRawPointer(leader.pointer), .int64, count: 1, root: 0, keeping: leader, in: handle)
        ])
        return NodeMap(leaders: try allGatherCounts(leader.array[0]))
    }

    /// Staging bytes of each rank for which every node has room; 0 if the window cannot be used. The same on all ranks.
    ///
    /// Why all decide together: otherwise some would send messages that the others do not expect.
    private func agreedStaging(_ settings: NodeSettings, _ map: NodeMap) throws(MPIError) -> Int {
        guard map.isRegular, map.ranksPerNode > 1 else { return 0 }
        // Half, because the library and the other programs of the node need some of it as well.
        let room = (settings.freeBytes ?? NodeWindow.freeBytes()) / 2
        let least = max(settings.leastStagingBytes, NodeWindow.leastStagingBytes(rankCount: map.ranksPerNode))
        var staging = max(settings.stagingBytes, least)
        while staging >= least, NodeWindow.byteCount(rankCount: map.ranksPerNode, stagingBytes: staging) > room {
            staging /= 2
        }
        return try minimum(staging >= least ? staging : 0)
    }

    // MARK: Operations

    /// Sums segments of `counts` elements over all ranks, through the window; segment r ends up at `target` of rank r.
    func startReduceScatter(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, counts: [Int], into target: UnsafeMutableRawPointer,
        isSparse: Bool, keeping memory: [AnyObject], through nodes: NodeGroup, _ parallel: ParallelLoop?
    ) throws(MPIError) -> any Operation {
        let function = "MPI_Ireduce_scatter"
        let segments = NodeSegments(counts: counts, elementBytes: summand.type.stride, map: nodes.map)
        guard let handle = nodes.partners else {
            let pass = unsafe NodePass(
                .sum(summand, into: target), base, segments, through: nodes.window, parallel: parallel)
            return try start(NodeOperation(function, [.pass(pass)], keeping: memory), nodes)
        }
        // The node's sums of all segments that this rank and its partners own, one after another.
        let sliceCounts = nodes.slice.map { counts[$0] }
        let floatsPerNumber = summand.type.stride / ElementType.float.stride
        let sums = scratch.take(count: floatsPerNumber * sliceCounts.reduce(0, +))
        let address = unsafe sums.all.address
        let pass = unsafe NodePass(
            .sum(summand, into: address), base, segments, through: nodes.window, parallel: parallel)
        let messages = NodeOperation.Step.messages { [unowned self] () throws(MPIError) in
            try unsafe startReduceScatter(
                address, summand, counts: sliceCounts, into: target, isSparse: isSparse, keeping: memory + [sums],
                in: handle, parallel)
        }
        let operation = NodeOperation(function, [.pass(pass), messages], keeping: memory + [sums]) { [scratch] in
            scratch.giveBack(sums)
        }
        return try start(operation, nodes)
    }

    /// Replaces `count` elements by their sums over all ranks, through the window.
    func startAllReduceSum(
        _ base: UnsafeMutableRawPointer, _ summand: Summand, count: Int, keeping memory: AnyObject,
        through nodes: NodeGroup,
        _ parallel: ParallelLoop?
    ) throws(MPIError) -> any Operation {
        let stride = summand.type.stride
        let segments = NodeSegments(
            dividing: count * stride, lineBytes: lineBytes, ranksPerNode: nodes.map.ranksPerNode)
        let own = segments.range(nodes.window.rank)
        let sums = unsafe base + own.lowerBound
        let sum = unsafe NodePass(.sum(summand, into: sums), base, segments, through: nodes.window, parallel: parallel)
        let gather = unsafe NodePass(.gather, base, segments, through: nodes.window, parallel: parallel)
        var steps: [NodeOperation.Step] = [.pass(sum), .pass(gather)]
        if let handle = nodes.partners {
            let messages = NodeOperation.Step.messages { [unowned self] () throws(MPIError) in
                try unsafe startAllReduce(
                    sums, summand.type, count: own.count / stride, cmpi_sum(), keeping: memory, in: handle)
            }
            steps.insert(messages, at: 1)
        }
        return try start(NodeOperation("MPI_Iallreduce", steps, keeping: [memory]), nodes)
    }

    /// Copies segment r of `counts` elements from rank r to the same place of all: between the nodes' `partners` by
    /// messages, then through the window.
    func startAllGather(
        _ base: UnsafeMutableRawPointer, _ type: ElementType, counts: [Int], keeping memory: AnyObject,
        between partners: CommunicatorHandle, through nodes: NodeGroup, _ parallel: ParallelLoop?
    ) throws(MPIError) -> any Operation {
        let segments = NodeSegments(counts: counts, elementBytes: type.stride, map: nodes.map)
        let pass = unsafe NodePass(.gather, base, segments, through: nodes.window, parallel: parallel)
        let messages = NodeOperation.Step.messages { [unowned self] () throws(MPIError) in
            try unsafe startPairwiseGather(
                base, type, counts: counts, keeping: memory, members: nodes.slice, in: partners)
        }
        return try start(NodeOperation("MPI_Iallgatherv", [messages, .pass(pass)], keeping: [memory]), nodes)
    }

    private func start(_ operation: NodeOperation, _ nodes: NodeGroup) throws(MPIError) -> any Operation {
        try register(operation)
        nodes.exchange.append(operation)
        do throws(MPIError) {
            try operation.advance(at: site)
        } catch {
            abandon([operation])
            throw error
        }
        return operation
    }
}
