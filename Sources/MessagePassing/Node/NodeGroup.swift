// NodeGroup - the ranks of this node with their window, and this rank's partners on the other nodes.

/// The window, the exchange and the partners on other nodes, where reductions through shared memory are possible.
final class NodeGroup {
    let map: NodeMap
    let window: NodeWindow
    let exchange: NodeExchange
    /// The rank with this rank's number on its node, of every node, in the order of the nodes.
    let slice: [Int]
    /// The slice's communicator; nil with one node only.
    ///
    /// Why messages to single ranks: a reduction starts its messages after the window, a gather before it. So
    /// collectives of the library would not have one order on all ranks.
    let partners: CommunicatorHandle?
    /// The communicator of a pretended node, which this object frees.
    private let ownedNode: CommunicatorHandle?

    /// Opens the window and finds the partners; all ranks of `world` call it, with the same `stagingBytes`, on a
    /// regular `map`.
    init(
        world: CommunicatorHandle, node: CommunicatorHandle, ownsNode: Bool, map: NodeMap, stagingBytes: Int,
        at site: CallSite
    ) throws(MPIError) {
        let location = map.location(of: world.rank)
        precondition(map.isRegular && location.index == node.rank && map.ranksPerNode == node.size, "a wrong map")
        self.map = map
        slice = map.slice(location.index)
        window = try NodeWindow(node, stagingBytes: stagingBytes, at: site)
        exchange = NodeExchange(window)
        if map.nodes.count > 1 {
            partners = try world.split(color: location.index, key: location.node, at: site)
        } else {
            partners = nil
        }
        ownedNode = ownsNode ? node : nil
    }

    /// Frees the window and the communicators; collective, when no operation is in flight.
    func close(at site: CallSite) throws(MPIError) {
        try window.close(at: site)
        try partners?.free(at: site)
        try ownedNode?.free(at: site)
    }
}
