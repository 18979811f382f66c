// NodeGroup - the ranks of this node with their window, and this rank's partners on the other nodes.

internal import CMPI
internal import Tensors

/// Everything that reductions through shared memory need, where they are possible.
final class NodeGroup {
    let map: NodeMap
    let window: NodeWindow
    let exchange: NodeExchange
    /// The ranks with this rank's place on every node, in the order of the nodes.
    let slice: [Int]
    /// The slice's communicator; nil with one node only. A reduction starts its messages when the window is done with it and
    /// a gather before: gathers send to single ranks, for reductions and gathers together have no order.
    let partners: CommunicatorHandle?
    /// The communicator of a pretended node, which nobody else frees.
    private let ownedNode: CommunicatorHandle?

    /// All ranks of `world` call it, with the same `stagingBytes`, on a regular `map`.
    init(
        world: CommunicatorHandle, node: CommunicatorHandle, ownsNode: Bool, map: NodeMap, stagingBytes: Int,
        at site: CallSite
    ) throws(MPIError) {
        let place = map.place(of: world.rank)
        precondition(map.isRegular && place.index == node.rank && map.ranksPerNode == node.size, "a wrong map")
        self.map = map
        slice = map.slice(place.index)
        window = try NodeWindow(node, stagingBytes: stagingBytes, at: site)
        exchange = NodeExchange(window)
        if map.nodes.count > 1 {
            partners = try world.split(color: place.index, key: place.node, at: site)
        } else {
            partners = nil
        }
        ownedNode = ownsNode ? node : nil
    }

    /// Gives everything back; all ranks call it when no operation is in flight.
    func close(at site: CallSite) throws(MPIError) {
        try window.close(at: site)
        try partners?.free(at: site)
        try ownedNode?.free(at: site)
    }
}
