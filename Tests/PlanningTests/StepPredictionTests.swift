// StepPredictionTests - predictions against a calculation by hand, and the marks of the table.

import Configuration
import Kernels
import LlamaModel
import Optimization
import Testing
import TokenData

@testable import Planning

@Suite struct StepPredictionTests {
    /// The model of MemoryPlanTests: 4,196,864 parameters in one bucket, 8 sequences of 64 tokens.
    private static let P = 4_196_864

    private func configuration(_ change: (inout RunConfiguration) -> Void = { _ in }) -> RunConfiguration {
        var run = RunConfiguration(
            name: "hand",
            model: ModelConfiguration(
                hiddenSize: 512, intermediateSize: 512, hiddenLayerCount: 2, attentionHeadCount: 8,
                keyValueHeadCount: 8, vocabularySize: 512, maxPositionEmbeddings: 64),
            data: DataConfiguration(train: [], sequenceLength: 64))
        run.training.globalBatchSize = 8
        run.training.microBatchSize = 2
        // One bucket has all parameters.
        run.training.bucketMiB = 25
        run.schedule.totalSteps = 300
        change(&run)
        return run
    }

    private static let hardware = Hardware(
        rankOperations: 1e9, networkBytes: 1e8, latency: 1e-3, memoryBytes: 1e9, diskBytes: 1e8)

    private func predict(
        _ layout: ClusterLayout, _ hardware: Hardware = hardware, _ change: (inout RunConfiguration) -> Void = { _ in }
    ) -> StepPrediction {
        let run = configuration(change)
        return StepPrediction(
            run, layout: layout, hardware: hardware, threads: 1,
            totalTokens: Double(run.training.globalBatchSize * 64 * 300))
    }

    /// Equal but for the rounding of a few sums of doubles.
    private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-12 * abs(b) }

    @Test func fourRanksOnTwoNodesByHand() {
        let p = predict(ClusterLayout(ranks: 4, nodes: 2))
        // 6 (P - 512^2) + 6 * 2 * 512 * 65 operations a token, 64 tokens.
        let sequence = Double(6 * (Self.P - 262_144) + 399_360) * 64 / 1e9
        #expect(isClose(sequence, 1.53649152))
        #expect(isClose(p.compute, 2 * sequence))
        // The largest shard has 17 of 65 blocks. 4 + 28 bytes per element, two ranks on a node.
        #expect(isClose(p.optimizer, 2 * Double(17 * 65_536 * 32) / 1e9))
        let b = Double(4 * Self.P)
        // 5 b of memory in the node, b / 2 on the link, 1.5 b of memory to add. Nothing hides a single bucket.
        let reduction = 5 * b / 1e9 + (1e-3 + b / 2 / 1e8 + 1.5 * b / 1e9)
        let gather = (1e-3 + b / 2 / 1e8) + 4 * b / 1e9
        #expect(isClose(p.reduction, reduction) && isClose(p.reduction, 0.194055744))
        #expect(isClose(p.gather, gather) && isClose(p.gather, 0.152087104))
        // Two small gathers come on top: the step's sums and the norm.
        #expect(isClose(p.exposed, reduction + gather + 2e-3))
        #expect(isClose(p.step, 3.492429056))
        #expect(isClose(p.tokensPerSecond, 512 / 3.492429056))
        #expect(isClose(p.efficiency, 2 * sequence / 3.492429056))
        #expect(isClose(p.days, 300 * 3.492429056 / 86_400))
        #expect(p.traffic == .init(total: 8 * Self.P, busiest: 4 * Self.P))
        #expect(p.checkpointBytes == 12 * Self.P && isClose(p.checkpointSeconds, Double(12 * Self.P) / 1e8))
    }

    @Test func bytesOfTheVariants() {
        let layout = ClusterLayout(ranks: 4, nodes: 2)
        let P = Self.P
        // Gradients have 8 bytes per element.
        #expect(
            predict(layout) { $0.training.reproducible = true }.traffic == .init(total: 12 * P, busiest: 6 * P))
        // The all-reduce sends the whole sum back.
        #expect(
            predict(layout) { $0.training.gradientReduction = .allReduce }.traffic
                == .init(total: 12 * P, busiest: 6 * P))
        // Gathered parameters have 2 bytes per element.
        #expect(predict(layout) { $0.training.precision = .bf16 }.traffic == .init(total: 6 * P, busiest: 3 * P))
        // Each of two reproducible accumulation steps is reduced alone.
        let each = predict(layout) {
            $0.training.reproducible = true
            $0.loss = LossConfiguration(normalization: .reference, referenceRanks: 2)
        }
        #expect(each.traffic == .init(total: 20 * P, busiest: 10 * P))
        #expect(isClose(each.reduction, 2 * predict(layout) { $0.training.reproducible = true }.reduction))
        #expect(predict(ClusterLayout(ranks: 4, nodes: 1)).traffic == .init())
    }

    @Test func memoryIsTheTrainersPlan() {
        for (layout, change) in [
            (ClusterLayout(ranks: 1, nodes: 1), { (_: inout RunConfiguration) in }),
            (ClusterLayout(ranks: 4, nodes: 2), { $0.training.precision = .bf16 }),
            (ClusterLayout(ranks: 7, ranksPerNode: 3), { $0.training.reproducible = true }),
        ] {
            let p = predict(layout, Self.hardware, change)
            let plan = MemoryPlan(
                configuration(change), ranks: layout.ranks, ranksOnNode: layout.ranksPerNode)
            #expect(p.rankMemory == plan.parts(threads: 1).total)
            #expect(p.nodeMemory == layout.ranksPerNode * p.rankMemory)
        }
    }

    /// A node sends at most one of 512 rows per token. A step has 8 sequences of 64 tokens on 4 ranks, 2 on a node.
    @Test func theEmbeddingIsSentByRows() {
        func shares(_ ranksOnNode: Int, _ change: (inout RunConfiguration) -> Void = { _ in }) -> [Double] {
            let run = configuration { run in
                // The embedding has exactly 1 MiB and is the last bucket.
                run.training.bucketMiB = 1
                change(&run)
            }
            return StepWork(run, ranks: 4).sentShares(ranksOnNode: ranksOnNode)
        }
        let one = shares(1)
        #expect(one.count > 1 && one.dropLast().allSatisfy { $0 == 1 } && one.last == 0.25)
        #expect(shares(2).last == 0.5 && shares(8).last == 1)
        #expect(shares(1) { $0.model.tieWordEmbeddings = true }.allSatisfy { $0 == 1 })
        // The embedding shares its bucket with other tensors.
        #expect(shares(1) { $0.training.bucketMiB = 25 } == [1])
        let layout = ClusterLayout(ranks: 4, nodes: 2)
        let (sparse, full) = (predict(layout) { $0.training.bucketMiB = 1 }, predict(layout))
        // All nodes together send 1 MiB of the embedding, one receives half of that. Rows halve both.
        #expect(full.traffic.total - sparse.traffic.total == 1 << 19)
        #expect(full.traffic.busiest - sparse.traffic.busiest == 1 << 18)
        // Two accumulation steps, each reduced alone with two of the busiest rank's four sequences.
        let reference = shares(1) {
            $0.training.reproducible = true
            $0.loss = LossConfiguration(normalization: .reference, referenceRanks: 2)
        }
        #expect(reference.last == 0.25)
    }

    /// The time of the passes is proportional to tokens, the other times are constant.
    @Test func fixedAndProportionalTime() {
        let layout = ClusterLayout(ranks: 2, nodes: 2)
        let small = predict(layout)
        let large = predict(layout) { $0.training.globalBatchSize = 16 }
        #expect(isClose(large.compute, 2 * small.compute))
        #expect(
            large.optimizer == small.optimizer && large.reduction == small.reduction && large.gather == small.gather)
        // Two more micro-batches, each with an all-reduce of the stop request: one round up, one down.
        #expect(isClose(large.exposed, small.exposed + 4 * (1e-3 + 8 / 1e8)))
        // Three sequences on two ranks: the slower rank has two.
        let odd = predict(layout) { $0.training.globalBatchSize = 3 }
        #expect(isClose(odd.compute, small.compute / 2))
        #expect(isClose(odd.efficiency, odd.compute * 0.75 / odd.step))
    }

    @Test func memoryPassesOfTheOptimizer() {
        let layout = ClusterLayout(ranks: 1, nodes: 1)
        let P = Double(Self.P)
        #expect(isClose(predict(layout).optimizer, 32 * P / 1e9))
        #expect(isClose(predict(layout) { $0.training.precision = .bf16 }.optimizer, 34 * P / 1e9))
        // Four micro-batches: 12 bytes for the first, 20 for each other, 12 for the sum.
        #expect(
            isClose(predict(layout) { $0.training.reproducible = true }.optimizer, (32 + 12 + 3 * 20 + 12) * P / 1e9))
        // Two accumulation steps that are scaled alone.
        let reference = predict(layout) {
            $0.loss = LossConfiguration(normalization: .reference, referenceRanks: 2)
        }
        #expect(isClose(reference.optimizer, (32 + 2 * 12 + 12) * P / 1e9))
    }

    /// The shares add up to two thirds of the layers' operations. Those of head and embedding are 0.
    @Test func backwardShares() {
        var run = configuration { $0.training.bucketMiB = 1 }
        let work = StepWork(run, ranks: 1)
        // Buckets: final norm and head, two layers, embedding.
        #expect(work.buckets == [512 * 513, 7 * 262_144 + 1024, 7 * 262_144 + 1024, 262_144])
        let head = Double(6 * 262_144 * 64) / work.operationsPerSequence
        #expect(work.backwardShares[0] == 0 && work.backwardShares[3] == 0)
        #expect(isClose(work.backwardShares[1], (1 - head) / 3) && isClose(work.backwardShares[2], (1 - head) / 3))
        run.training.activationCheckpointing = .layer
        #expect(isClose(StepWork(run, ranks: 1).backwardShares.reduce(0, +), (1 - head) * 3 / 4))
    }

    // MARK: The table

    private func table(_ ranks: [Int], _ hardware: Hardware = hardware) -> PlanTable {
        PlanTable(predictions: ranks.map { predict(ClusterLayout(ranks: $0, ranksPerNode: 1), hardware) })
    }

    private func marked(_ table: PlanTable) -> [String] {
        table.lines.filter { $0.contains("<- best") }.compactMap { $0.split(separator: " ").first.map(String.init) }
    }

    @Test func theFastestLayoutIsBest() {
        // A link without cost: more ranks are faster, up to one sequence each. Beyond that nothing changes.
        var fast = Self.hardware
        fast.networkBytes = 1e15
        fast.latency = 1e-12
        fast.memoryBytes = 1e15
        #expect(marked(table([1, 2, 4, 8], fast)) == ["8"])
        #expect(table([1, 2, 4, 8], fast).firstInefficient == nil)
        #expect(table([8, 16], fast).firstInefficient?.layout.ranks == 16)
        // A slow link: one rank is best, and two do not pay.
        var slow = Self.hardware
        slow.networkBytes = 1e5
        #expect(marked(table([1, 2, 4], slow)) == ["1"])
        #expect(table([1, 2, 4], slow).firstInefficient?.layout.ranks == 2)
        #expect(table([1, 2, 4], slow).lines.last?.hasPrefix("from 2 ranks on") == true)
    }

    @Test func whatDoesNotFitIsNotBest() {
        var fast = Self.hardware
        fast.networkBytes = 1e15
        fast.latency = 1e-12
        let memory = table([1, 8], fast).predictions.map(\.nodeMemory)
        #expect(memory[1] < memory[0])
        fast.nodeMemory = memory[1]
        #expect(marked(table([1, 8], fast)) == ["8"])
        #expect(table([1, 8], fast).lines[1].hasSuffix("does not fit"))
        #expect(!table([1, 8], fast).lines[2].contains("does not fit"))
        fast.nodeMemory = memory[1] - 1
        #expect(table([1, 8], fast).best == nil)
        #expect(table([1, 8], fast).lines.contains("no layout fits the memory of a node"))
    }

    @Test(arguments: [
        (0, "0"), (1234.5, "1234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"),
        (0.01234, "0.0123"), (1e-7, "0.000000"),
    ])
    func threeDigits(_ value: Double, _ text: String) { #expect(PlanTable.short(value) == text) }
}
