// NodeMap - which ranks share a node, and which of them belong together across nodes.

/// The placement of all ranks on nodes: the same value on every rank.
struct NodeMap: Equatable {
    /// Ranks of each node, ascending; nodes in the order of their first ranks.
    let nodes: [[Int]]

    /// - Parameter leaders: for each rank the first rank of its node.
    init(leaders: [Int]) {
        var nodes: [[Int]] = []
        var nodeOfLeader: [Int: Int] = [:]
        for (rank, leader) in leaders.enumerated() {
            if let node = nodeOfLeader[leader] {
                nodes[node].append(rank)
            } else {
                nodeOfLeader[leader] = nodes.count
                nodes.append([rank])
            }
        }
        self.nodes = nodes
    }

    /// Whether every node has the same number of ranks. Only then has each rank one partner on every other node.
    var isRegular: Bool { nodes.allSatisfy { $0.count == nodes[0].count } }

    /// Ranks on the first node, and on each where the map is regular.
    var ranksPerNode: Int { nodes[0].count }

    /// The node of `rank`, and its number among that node's ranks, from 0.
    func location(of rank: Int) -> (node: Int, index: Int) {
        for (node, ranks) in nodes.enumerated() {
            if let index = ranks.firstIndex(of: rank) { return (node, index) }
        }
        preconditionFailure("rank \(rank) is on no node")
    }

    /// The rank with number `index` on its node, of every node, in the order of the nodes. One rank of a node reduces
    /// for these ranks and gathers from them.
    func slice(_ index: Int) -> [Int] { nodes.map { $0[index] } }
}
