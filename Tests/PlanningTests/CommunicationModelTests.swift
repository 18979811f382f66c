// CommunicationModelTests - bytes and seconds of communication in closed form, and the exposed part of it.

import Optimization
import Testing

@testable import Planning

struct CommunicationModelTests {
    private static let b = 8_000_000
    /// A link of 100 MB/s, 1 ms, memory of 1 GB/s.
    private static let hardware = Hardware(
        rankOperations: 1e9, networkBytes: 1e8, latency: 1e-3, memoryBytes: 1e9, diskBytes: 1e8)

    private func model(
        _ layout: ClusterLayout, _ reduction: GradientReduction = .reduceScatter
    ) -> CommunicationModel {
        CommunicationModel(layout: layout, hardware: Self.hardware, reduction: reduction)
    }

    private func areClose(_ a: [Double], _ b: [Double]) -> Bool {
        // A few roundings of doubles.
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-14 * max(1, abs($1)) }
    }

    @Test func layouts() {
        let even = ClusterLayout(ranks: 8, ranksPerNode: 4)
        #expect(even.nodes == 2 && even.isRegular && even.treeDepth == 1 && even.rankTreeDepth == 3)
        let uneven = ClusterLayout(ranks: 6, ranksPerNode: 4)
        #expect(uneven.nodes == 2 && uneven.ranksPerNode == 4 && !uneven.isRegular)
        #expect(ClusterLayout(ranks: 3, ranksPerNode: 4) == ClusterLayout(ranks: 3, nodes: 1))
        let spread = ClusterLayout(ranks: 5, nodes: 2)
        #expect(spread.ranksPerNode == 3 && !spread.isRegular)
        #expect(ClusterLayout(ranks: 2, nodes: 5).nodes == 2)
        // ceil(log2 N).
        for (nodes, depth) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (1024, 10)] {
            #expect(ClusterLayout(ranks: nodes, ranksPerNode: 1).treeDepth == depth, "\(nodes)")
        }
    }

    /// Each node sends half of the gradient to the other node, and then half of the parameters.
    @Test func fourRanksOnTwoNodes() {
        let b = Self.b
        let model = model(ClusterLayout(ranks: 4, nodes: 2))
        #expect(model.reductionTraffic(bytes: b) == .init(total: b, busiest: b / 2))
        #expect(model.gatherTraffic(bytes: b) == .init(total: b, busiest: b / 2))
        // In the node 5 b of memory. Then b / 2 on the link; adding reads b and writes b / 2.
        #expect(areClose(model.reductionStages(bytes: b), [0.040, 0.001 + 0.040 + 0.012, 0]))
        // b / 2 on the link. Then two ranks move 2 b each.
        #expect(areClose(model.gatherStages(bytes: b), [0.001 + 0.040, 0.032]))
    }

    /// Each of eight nodes receives seven eighths of the buffer.
    @Test func eightNodes() {
        let b = Self.b
        let model = model(ClusterLayout(ranks: 8, ranksPerNode: 1))
        #expect(model.reductionTraffic(bytes: b) == .init(total: 7 * b, busiest: 7 * b / 8))
        #expect(model.gatherTraffic(bytes: b) == .init(total: 7 * b, busiest: 7 * b / 8))
        #expect(
            areClose(model.reductionStages(bytes: b), [0, 0.001 + 0.070 + 0.009, 0]))
        #expect(areClose(model.gatherStages(bytes: b), [0.071, 0]))
    }

    @Test func aSparseGradientIsSentInPart() {
        let b = Self.b
        let model = model(ClusterLayout(ranks: 8, ranksPerNode: 1))
        #expect(model.reductionTraffic(bytes: b, share: 0.25) == .init(total: 7 * b / 4, busiest: 7 * b / 32))
        // The whole buffer is added. The segments of other ranks are read to find the rows.
        #expect(areClose(model.reductionStages(bytes: b, share: 0.25), [0, 0.001 + 0.070 / 4 + 0.009 + 0.007, 0]))
        // MPI's all-reduce sends everything.
        let whole = self.model(ClusterLayout(ranks: 8, nodes: 4), .allReduce)
        #expect(whole.reductionTraffic(bytes: b, share: 0.25) == whole.reductionTraffic(bytes: b))
        #expect(whole.reductionStages(bytes: b, share: 0.25) == whole.reductionStages(bytes: b))
    }

    @Test func allReduceSendsTheSumBack() {
        let b = Self.b
        let model = model(ClusterLayout(ranks: 8, nodes: 4), .allReduce)
        #expect(model.reductionTraffic(bytes: b) == .init(total: 6 * b, busiest: 2 * b))
        // 9 b of memory in the node: 5 b to add, 4 b to gather. Two rounds up the tree and two down.
        #expect(
            areClose(model.reductionStages(bytes: b), [0.072, 2 * (0.001 + 0.080 + 0.024), 2 * (0.001 + 0.080)]))
    }

    @Test func oneNodeUsesNoLink() {
        let b = Self.b
        let four = model(ClusterLayout(ranks: 4, nodes: 1))
        #expect(four.reductionTraffic(bytes: b) == .init() && four.gatherTraffic(bytes: b) == .init())
        #expect(areClose(four.reductionStages(bytes: b), [0.088, 0, 0]))
        #expect(areClose(four.gatherStages(bytes: b), [0, 0.048]))
        #expect(four.smallGather == 0 && four.smallReduction(bytes: 8) == 0)
        let alone = model(ClusterLayout(ranks: 1, ranksPerNode: 1))
        #expect(alone.reductionStages(bytes: b) == [0, 0, 0] && alone.gatherStages(bytes: b) == [0, 0])
    }

    /// Without shared windows every rank of a node receives the whole buffer.
    @Test func unevenNodesGatherForEachRank() {
        let b = Self.b
        let uneven = model(ClusterLayout(ranks: 5, nodes: 2))
        #expect(uneven.gatherTraffic(bytes: b) == .init(total: 3 * b, busiest: 3 * b / 2))
        #expect(uneven.reductionTraffic(bytes: b) == .init(total: 3 * b, busiest: 3 * b / 2))
    }

    @Test func smallMessages() {
        let model = model(ClusterLayout(ranks: 16, ranksPerNode: 2))
        #expect(model.smallGather == 1e-3)
        // Three rounds up the tree and three down.
        #expect(areClose([model.smallReduction(bytes: 1000)], [6 * (1e-3 + 1e-5)]))
    }

    // MARK: Exposed communication

    @Test func stagesWorkAtTheSameTime() {
        // The second buffer enters the first stage at 2, and the second stage at 5, when the first buffer leaves it.
        #expect(pipelineEnd(ready: [0, 0], stages: [[2, 3], [2, 3]]) == 8)
        #expect(pipelineEnd(ready: [0, 0], stages: [[3, 2], [3, 2]]) == 8)
        #expect(pipelineEnd(ready: [0, 10], stages: [[2, 3], [2, 3]]) == 15)
        #expect(pipelineEnd(ready: [], stages: []) == 0)
    }

    private func exposed(
        _ reductions: [[Double]], _ backward: [Double], _ gathers: [[Double]] = [], _ forward: [Double] = [],
        overlaps: Bool = true
    ) -> Double {
        exposedCommunication(
            reductions: reductions, backward: backward, gathers: gathers, forward: forward, overlaps: overlaps)
    }

    @Test func withoutOverlapEverythingIsExposed() {
        let stages: [[Double]] = [[1, 4], [1, 4]]
        #expect(exposed(stages, [5, 7], [[1], [1]], [100, 100], overlaps: false) == 9 + 2)
    }

    @Test func overlapHidesWhatBackwardCovers() {
        let stages: [[Double]] = [[1, 4], [1, 4]]
        // The first bucket is reduced from 5 to 10, the second from 12 to 17. Backward ends at 12.
        #expect(exposed(stages, [5, 7]) == 5)
        // Slow links: the first bucket is reduced from 5 to 26, the second until 46.
        #expect(exposed([[1, 20], [1, 20]], [5, 7]) == 34)
        // Nothing hides the reduction of the last bucket.
        #expect(exposed([[1]], [100]) == 1)
    }

    @Test func forwardHidesWhatItDoesNotNeedYet() {
        // Forward waits for the first bucket until 3, and for the second from 5 to 6.
        #expect(exposed([], [], [[3], [3]], [2, 10]) == 3 + 1)
        // The second and third bucket arrive before forward needs them.
        #expect(exposed([], [], [[3], [3], [3]], [4, 10, 1]) == 3)
        // Slow links: only the pass of the first bucket hides anything.
        #expect(exposed([], [], [[10], [10]], [1, 1]) == 20 - 1)
    }
}
