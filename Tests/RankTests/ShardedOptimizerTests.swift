// ShardedOptimizerTests - reduction, norm, update and all-gather against one process that does everything itself.
//
// Gradients are small multiples of 1/16, of which all sums and sums of squares are exact in any order, so the reduced
// gradient and its norm must be right to the bit, and only AdamW's own rounding is left between the two.

import Foundation
import Kernels
import MessagePassing
import Optimization
import Sharding
import Tensors
import TestSupport
import XCTest

final class ShardedOptimizerTests: RankTestCase {
    /// A flat space, and where backward reports it to be final.
    private struct Space {
        let table: TensorTable
        let finalIndices: [Int]
        var bucketElements = 1
    }

    /// Some gains are long, so that runs are cut inside of them.
    ///
    /// Why a list: ranks must take the spaces in one order, and a dictionary's differs between processes.
    private let spaces: [(name: String, space: Space)] = [
        (
            "far less than a block",
            Space(
                table: TensorTable([("w", [10, 7], .matrix), ("gain", [5], .gain), ("u", [3, 3], .matrix)]),
                finalIndices: [75, 70, 0])
        ),
        ("one element", Space(table: TensorTable([("w", [1, 1])]), finalIndices: [0])),
        ("just one block", Space(table: TensorTable([("w", [256, 256])]), finalIndices: [0])),
        ("uneven blocks", Space(table: unevenTable, finalIndices: [160_301, 90_300, 0])),
        (
            "joined buckets",
            Space(table: unevenTable, finalIndices: [260_601, 160_301, 90_300, 0], bucketElements: 120_000)
        ),
    ]

    private static let unevenTable = TensorTable([
        ("w", [300, 301], .matrix), ("gain", [70_001], .gain), ("u", [100, 1003], .matrix), ("last", [17], .gain),
    ])

    private let settings = OptimizerConfiguration(
        learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1)

    /// The gradient that `rank` brings to `step`: multiples of 1/16 in -1/2 ... 1/2.
    private func gradient(_ count: Int, rank: Int, step: Int) -> [Float] {
        var random = SeededGenerator(seed: UInt64(100 * step + rank))
        return random.integers(count, below: 17).map { Float($0 - 8) / 16 }
    }

    private func sum(_ count: Int, step: Int) -> [Double] {
        var total = [Double](repeating: 0, count: count)
        for rank in 0..<ranks.size {
            add(gradient(count, rank: rank, step: step), to: &total)
        }
        return total
    }

    private func decays(_ table: TensorTable) -> [Bool] {
        table.entries.flatMap { [Bool](repeating: $0.kind.decays, count: $0.count) }
    }

    /// The optimizer of this rank over a space, and its buffers.
    private struct Rig {
        let optimizer: ShardedOptimizer
        let parameters: FloatSlice
        let gradient: FloatSlice
        let pool: ThreadPool

        /// A step of one micro-batch, whose backward pass begins.
        func begin() -> AccumulatingGradient {
            let step = optimizer.beginStep()
            step.beginSum(microBatches: 1)
            step.beginMicroBatch()
            return step
        }

        /// The gradient of all ranks, after backward has reported the flat `indices`.
        func reduced(finalFrom indices: [Int]) throws -> ReducedGradient {
            let step = begin()
            for index in indices { try step.isFinal(from: index) }
            return try step.finish()
        }
    }

    private func makeRig(_ space: Space, _ reduction: GradientReduction, initial: [Float]) throws -> Rig {
        let parameters = FloatSlice(initial)
        let gradient = Arena(count: initial.count).all
        let pool = try ThreadPool(threadCount: 2, spins: false)
        let partition = Partition(
            count: initial.count, finalIndices: space.finalIndices, bucketElements: space.bucketElements,
            rankCount: ranks.size)
        let optimizer = ShardedOptimizer(
            communicator: ranks, partition: partition, reduction: reduction, stateTensors: AdamW.stateTensors,
            table: space.table, decays: \.kind.decays, replica: .fp32(parameters), gradient: gradient, pool: pool)
        return Rig(optimizer: optimizer, parameters: parameters, gradient: gradient, pool: pool)
    }

    private func initial(_ count: Int) -> [Float] {
        var random = SeededGenerator(seed: 7)
        return random.normals(count)
    }

    func testEveryRankEndsWithTheParametersOfOneProcess() throws {
        for (name, space) in spaces {
            for reduction in GradientReduction.allCases {
                try checkSteps(space, reduction, "\(name), \(reduction.rawValue)")
            }
        }
    }

    private func checkSteps(_ space: Space, _ reduction: GradientReduction, _ label: String) throws {
        let count = space.table.count
        let start = initial(count)
        let rig = try makeRig(space, reduction, initial: start)
        var reference = ReferenceAdamW(settings.reference, parameters: start.doubles, decays: decays(space.table))
        let scale = 0.375
        for step in 1...4 {
            rig.gradient.copy(from: gradient(count, rank: ranks.rank, step: step))
            // As backward reports, or all at once, as an idle rank does: the exchange must not care.
            let indices = (step + ranks.rank) % 2 == 0 ? space.finalIndices : [0]
            let reduced = try rig.reduced(finalFrom: indices)
            let normSquared = try reduced.normSquared()
            let rate = settings.learningRate / Double(step)
            try reduced.update(
                AdamW(configuration: settings, learningRate: rate, update: step, gradientScale: scale))
            try rig.optimizer.finishGather()

            let total = sum(count, step: step)
            reference.update(total.map { scale * $0 }, learningRate: rate)
            let own = bitDigest(rig.parameters.array)
            let (lowest, highest) = (try ranks.minimum(own), try ranks.maximum(own))

            XCTAssertEqual(normSquared, dot(total, total), "\(label), step \(step)")
            XCTAssertEqual(lowest, highest, "\(label), step \(step): ranks hold other bits")
            // A handful of roundings of 2^-24 per step, four steps.
            XCTAssertNil(
                disagreement(rig.parameters.array, reference.parameters, within: 1e-6), "\(label), step \(step)")
        }
        let runs = rig.optimizer.partition.runs(rank: ranks.rank)
        XCTAssertEqual(rig.optimizer.state[0].values.count, runs.reduce(0) { $0 + $1.count }, label)
        XCTAssertNil(
            disagreement(
                rig.optimizer.state[0].values.array, runs.flatMap { reference.firstMoment[$0] }, within: 1e-6), label)
        XCTAssertNil(
            disagreement(
                rig.optimizer.state[1].values.array, runs.flatMap { reference.secondMoment[$0] }, within: 1e-6), label)
        // Negative control: a displaced run would not pass.
        if runs.count == 1, runs[0].count > 100 {
            let shifted = Array(reference.firstMoment[runs[0]].dropFirst()) + [0]
            XCTAssertNotNil(disagreement(rig.optimizer.state[0].values.array, shifted, within: 1e-3), label)
        }
    }

    /// The exchange goes on while the pool works, and what was asked for is there: through shared memory and by messages.
    func testGathersArriveWhileThePoolWorks() throws {
        var byMessages = NodeSettings()
        byMessages.freeBytes = 0
        defer { XCTAssertNoThrow(try ranks.regroup(NodeSettings())) }
        for settings in [NodeSettings(), byMessages] {
            try ranks.regroup(settings)
            for (name, space) in spaces {
                for reduction in GradientReduction.allCases {
                    try checkOverlap(space, reduction, "\(name), \(reduction.rawValue), \(ranks.usesSharedMemory)")
                }
            }
        }
    }

    private func checkOverlap(_ space: Space, _ reduction: GradientReduction, _ label: String) throws {
        let count = space.table.count
        let start = initial(count)
        let waiting = try makeRig(space, reduction, initial: start)
        let moving = try makeRig(space, reduction, initial: start)
        func work(until isDone: () -> Bool) {
            let begin = ContinuousClock.now
            while !isDone(), begin.duration(to: .now) < .seconds(30) { moving.pool.run(20) { _, _ in usleep(50) } }
        }
        for step in 1...3 {
            let adam = AdamW(configuration: settings, learningRate: 0.01, update: step, gradientScale: 1)
            for rig in [waiting, moving] {
                rig.gradient.copy(from: gradient(count, rank: ranks.rank, step: step))
            }
            try waiting.reduced(finalFrom: [0]).update(adam)
            try waiting.optimizer.finishGather()

            let gradient = moving.begin()
            for index in space.finalIndices { try gradient.isFinal(from: index) }
            work { moving.optimizer.isExchangeComplete }
            XCTAssertTrue(moving.optimizer.isExchangeComplete, "\(label): reductions stand still")
            try gradient.finish().update(adam)
            // In the order of forward, first without any help of the pool.
            let buckets = moving.optimizer.partition.buckets
            if let first = buckets.last {
                try moving.optimizer.waitForParameters(before: first.upperBound)
                XCTAssertNil(
                    bitDifference(moving.parameters[first].array, waiting.parameters[first].array), "\(label), \(step)")
            }
            work { moving.optimizer.isExchangeComplete }
            XCTAssertTrue(moving.optimizer.isExchangeComplete, "\(label): gathers stand still")
            try moving.optimizer.finishGather()
            XCTAssertNil(bitDifference(moving.parameters.array, waiting.parameters.array), "\(label), step \(step)")
            // Negative control: the parameters have moved, so that arriving makes a difference.
            XCTAssertNotNil(bitDifference(moving.parameters.array, start), label)
            try ranks.barrier()
        }
    }

    func testOnlyMatricesDecay() throws {
        for (name, space) in spaces {
            let start = initial(space.table.count)
            let rig = try makeRig(space, .reduceScatter, initial: start)
            // No gradient: nothing but decay moves a parameter.
            let adam = AdamW(configuration: settings, learningRate: 0.5, update: 1, gradientScale: 1)
            try rig.reduced(finalFrom: [0]).update(adam)
            try rig.optimizer.finishGather()
            let decay = Float(1 - 0.5 * settings.weightDecay)
            let expected = space.table.entries.flatMap { (entry: TensorTable.Entry) -> [Float] in
                let factor: Float = entry.kind.decays ? decay : 1
                return start[entry.range].map { $0 * factor }
            }
            XCTAssertNil(bitDifference(rig.parameters.array, expected), name)
        }
    }

    func testASkippedStepLeavesNoTrace() throws {
        let space = Space(table: Self.unevenTable, finalIndices: [160_301, 90_300, 0])
        for reduction in GradientReduction.allCases {
            let start = initial(space.table.count)
            let rig = try makeRig(space, reduction, initial: start)
            var values = gradient(space.table.count, rank: ranks.rank, step: 1)
            if ranks.rank == ranks.size - 1 { values[90_299] = .nan }
            rig.gradient.copy(from: values)
            let skipped = try rig.reduced(finalFrom: [0])
            let poisoned = try skipped.normSquared()
            skipped.discard()
            XCTAssertTrue(poisoned.isNaN, reduction.rawValue)
            XCTAssertNil(bitDifference(rig.parameters.array, start), reduction.rawValue)

            rig.gradient.copy(from: gradient(space.table.count, rank: ranks.rank, step: 2))
            let reduced = try rig.reduced(finalFrom: [0])
            let norm = try reduced.normSquared()
            try reduced.update(AdamW(configuration: settings, learningRate: 0.01, update: 1, gradientScale: 1))
            try rig.optimizer.finishGather()
            let total = sum(space.table.count, step: 2)
            var reference = ReferenceAdamW(settings.reference, parameters: start.doubles, decays: decays(space.table))
            reference.update(total, learningRate: 0.01)
            XCTAssertEqual(norm, dot(total, total), reduction.rawValue)
            XCTAssertNil(
                disagreement(rig.parameters.array, reference.parameters, within: 1e-6), reduction.rawValue)
        }
    }

    /// Backward adds in fp32 from the second micro-batch on; only the last one's elements are reduced.
    func testTheLastMicroBatchStartsTheReductions() throws {
        let space = Space(table: Self.unevenTable, finalIndices: [160_301, 90_300, 0])
        let rig = try makeRig(space, .reduceScatter, initial: initial(space.table.count))
        let step = rig.optimizer.beginStep()
        step.beginSum(microBatches: 2)
        step.beginMicroBatch()
        XCTAssertFalse(step.backwardAdds || step.usesFinalElements)
        try step.isFinal(from: 0)
        XCTAssertTrue(rig.optimizer.isExchangeComplete)
        step.beginMicroBatch()
        XCTAssertTrue(step.backwardAdds && step.usesFinalElements)
        try step.isFinal(from: 0)
        try step.finish().discard()
        // A step that is given up before its last micro-batch leaves nothing behind.
        let given = rig.optimizer.beginStep()
        given.beginSum(microBatches: 2)
        given.beginMicroBatch()
        given.discard()
        try rig.reduced(finalFrom: [0]).discard()
    }

    /// Without an exchange a rank updates what it owns, and the others' parameters stay as they are.
    func testAnExchangeCanBeReplaced() throws {
        let space = Space(table: Self.unevenTable, finalIndices: [160_301, 90_300, 0])
        let start = initial(space.table.count)
        let rig = try makeRig(space, .allReduce, initial: start)
        let adam = AdamW(configuration: settings, learningRate: 0.01, update: 1, gradientScale: 1)
        let exchange = rig.optimizer.exchange
        rig.optimizer.exchange = NoExchange()
        rig.gradient.copy(from: gradient(space.table.count, rank: ranks.rank, step: 1))
        try rig.reduced(finalFrom: [0]).update(adam)
        XCTAssertTrue(rig.optimizer.isExchangeComplete)
        let runs = rig.optimizer.partition.runs(rank: ranks.rank)
        let isOwned = start.indices.map { index in runs.contains { $0.contains(index) } }
        let moved = zip(rig.parameters.array, start).map { $0 != $1 }
        XCTAssertFalse(zip(moved, isOwned).contains { $0 && !$1 })
        XCTAssertEqual(moved.contains(true), isOwned.contains(true))
        try ranks.barrier()

        // Control: the exchange of the communicator brings them.
        rig.optimizer.exchange = exchange
        try rig.optimizer.startGathers()
        try rig.optimizer.finishGather()
        XCTAssertTrue(rig.parameters.array != start)
        let own = bitDigest(rig.parameters.array)
        let (lowest, highest) = (try ranks.minimum(own), try ranks.maximum(own))
        XCTAssertEqual(lowest, highest)
    }

    func testStateBytesAreThoseOfTheBuffers() {
        let partition = Partition(count: 1000, finalIndices: [400, 0], bucketElements: 1, rankCount: ranks.size)
        let own = partition.count(rank: ranks.rank)
        let shard = ranks.size > 1 ? 4 * own : 0
        XCTAssertEqual(
            ShardedOptimizer.stateBytes(
                partition: partition, rank: ranks.rank, reduction: .allReduce, stateTensors: 2), 8 * own)
        XCTAssertEqual(
            ShardedOptimizer.stateBytes(
                partition: partition, rank: ranks.rank, reduction: .reduceScatter, stateTensors: 2), 8 * own + shard)
        XCTAssertEqual(
            ShardedOptimizer.stateBytes(
                partition: partition, rank: ranks.rank, reduction: .reduceScatter, stateTensors: 1), 4 * own + shard)
    }
}

extension OptimizerConfiguration {
    /// The hyperparameters as the reference takes them.
    var reference: ReferenceAdamW.Settings {
        ReferenceAdamW.Settings(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    }
}
