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
        let finalPositions: [Int]
        var bucketElements = 1
    }

    /// Vectors are the norm gains here, as in the model; some are long, so that runs are cut inside of them.
    /// A list, because ranks must take them in the same order, and a dictionary's differs between processes.
    private let spaces: [(name: String, space: Space)] = [
        (
            "far less than a block",
            Space(table: TensorTable([("w", [10, 7]), ("gain", [5]), ("u", [3, 3])]), finalPositions: [75, 70, 0])
        ),
        ("one element", Space(table: TensorTable([("w", [1, 1])]), finalPositions: [0])),
        ("just one block", Space(table: TensorTable([("w", [256, 256])]), finalPositions: [0])),
        ("uneven blocks", Space(table: unevenTable, finalPositions: [160_301, 90_300, 0])),
        (
            "joined buckets",
            Space(table: unevenTable, finalPositions: [260_601, 160_301, 90_300, 0], bucketElements: 120_000)
        ),
    ]

    private static let unevenTable = TensorTable([
        ("w", [300, 301]), ("gain", [70_001]), ("u", [100, 1003]), ("last", [17]),
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
            for (index, value) in gradient(count, rank: rank, step: step).enumerated() { total[index] += Double(value) }
        }
        return total
    }

    private func isGain(_ entry: TensorTable.Entry) -> Bool { entry.shape.count == 1 }

    private func decays(_ table: TensorTable) -> [Bool] {
        table.entries.flatMap { [Bool](repeating: !isGain($0), count: $0.count) }
    }

    /// The optimizer of this rank over a space, and its buffers.
    private struct Rig {
        let optimizer: ShardedOptimizer
        let parameters: FloatSlice
        let gradient: FloatSlice
        let pool: ThreadPool
    }

    private func makeRig(_ space: Space, _ reduction: GradientReduction, initial: [Float]) throws -> Rig {
        let parameters = FloatSlice(initial)
        let gradient = Arena(count: initial.count).all
        let pool = try ThreadPool(threadCount: 2, spins: false)
        let partition = Partition(
            count: initial.count, finalPositions: space.finalPositions, bucketElements: space.bucketElements,
            rankCount: ranks.size)
        let optimizer = ShardedOptimizer(
            communicator: ranks, partition: partition, reduction: reduction, stateTensors: AdamW.stateTensors,
            table: space.table, decays: { $0.shape.count > 1 }, replica: .fp32(parameters), gradient: gradient,
            pool: pool)
        return Rig(optimizer: optimizer, parameters: parameters, gradient: gradient, pool: pool)
    }

    private func initial(_ count: Int) -> [Float] {
        var random = SeededGenerator(seed: 7)
        return random.normals(count)
    }

    /// A number that differs with the bits of `values`, for comparison between ranks.
    private func digest(_ values: [Float]) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for value in values { hash = (hash ^ UInt64(value.bitPattern)) &* 0x0000_0100_0000_01B3 }
        return Int(truncatingIfNeeded: hash)
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
        var reference = ReferenceAdamW(settings, parameters: start.doubles, decays: decays(space.table))
        let scale = 0.375
        for step in 1...4 {
            rig.gradient.copy(from: gradient(count, rank: ranks.rank, step: step))
            // As backward reports, or all at once, as an idle rank does: the exchange must not care.
            let positions = (step + ranks.rank) % 2 == 0 ? space.finalPositions : [0]
            for position in positions { try rig.optimizer.gradientIsFinal(from: position) }
            try rig.optimizer.finishReduction()
            let normSquared = try rig.optimizer.normSquared()
            let rate = settings.learningRate / Double(step)
            try rig.optimizer.update(
                AdamW(configuration: settings, learningRate: rate, update: step, gradientScale: scale))

            let total = sum(count, step: step)
            reference.update(total.map { scale * $0 }, learningRate: rate)
            let own = digest(rig.parameters.array)
            let (lowest, highest) = (try ranks.minimum(own), try ranks.maximum(own))

            XCTAssertEqual(normSquared, total.reduce(0) { $0 + $1 * $1 }, "\(label), step \(step)")
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
            try waiting.optimizer.gradientIsFinal(from: 0)
            try waiting.optimizer.finishReduction()
            try waiting.optimizer.update(adam)

            for position in space.finalPositions { try moving.optimizer.gradientIsFinal(from: position) }
            work { moving.optimizer.isExchangeComplete }
            XCTAssertTrue(moving.optimizer.isExchangeComplete, "\(label): reductions stand still")
            try moving.optimizer.finishReduction()
            try moving.optimizer.startUpdate(adam)
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
            try rig.optimizer.gradientIsFinal(from: 0)
            try rig.optimizer.finishReduction()
            // No gradient: nothing but decay moves a parameter.
            let adam = AdamW(configuration: settings, learningRate: 0.5, update: 1, gradientScale: 1)
            try rig.optimizer.update(adam)
            let expected = space.table.entries.flatMap { entry in
                start[entry.range].map { isGain(entry) ? $0 : $0 * Float(1 - 0.5 * settings.weightDecay) }
            }
            XCTAssertNil(bitDifference(rig.parameters.array, expected), name)
        }
    }

    func testASkippedStepLeavesNoTrace() throws {
        let space = Space(table: Self.unevenTable, finalPositions: [160_301, 90_300, 0])
        for reduction in GradientReduction.allCases {
            let start = initial(space.table.count)
            let rig = try makeRig(space, reduction, initial: start)
            var values = gradient(space.table.count, rank: ranks.rank, step: 1)
            if ranks.rank == ranks.size - 1 { values[90_299] = .nan }
            rig.gradient.copy(from: values)
            try rig.optimizer.gradientIsFinal(from: 0)
            try rig.optimizer.finishReduction()
            let poisoned = try rig.optimizer.normSquared()
            XCTAssertTrue(poisoned.isNaN, reduction.rawValue)
            XCTAssertNil(bitDifference(rig.parameters.array, start), reduction.rawValue)

            rig.gradient.copy(from: gradient(space.table.count, rank: ranks.rank, step: 2))
            try rig.optimizer.gradientIsFinal(from: 0)
            try rig.optimizer.finishReduction()
            let norm = try rig.optimizer.normSquared()
            try rig.optimizer.update(
                AdamW(configuration: settings, learningRate: 0.01, update: 1, gradientScale: 1))
            let total = sum(space.table.count, step: 2)
            var reference = ReferenceAdamW(settings, parameters: start.doubles, decays: decays(space.table))
            reference.update(total, learningRate: 0.01)
            XCTAssertEqual(norm, total.reduce(0) { $0 + $1 * $1 }, reduction.rawValue)
            XCTAssertNil(
                disagreement(rig.parameters.array, reference.parameters, within: 1e-6), reduction.rawValue)
        }
    }

    func testStateBytesAreThoseOfTheBuffers() {
        let partition = Partition(count: 1000, finalPositions: [400, 0], bucketElements: 1, rankCount: ranks.size)
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
