// AdamWTests - updates against a naive double-precision AdamW and against torch.optim.AdamW (see make_golden.py).

import Foundation
import Kernels
import Optimization
import TestSupport
import Tensors
import Testing

/// A pool that never polls: tests run side by side.
func makePool(_ threads: Int = 1) -> ThreadPool { try! ThreadPool(threadCount: threads, spins: false) }

struct AdamWTests {
    /// Moments and parameters of a run; every buffer starts where no vector width divides and is guarded.
    private struct Run {
        let p: GuardedBuffer
        let m: GuardedBuffer
        let v: GuardedBuffer

        init(_ parameters: [Float]) {
            p = GuardedBuffer(parameters)
            m = GuardedBuffer([Float](repeating: 0, count: parameters.count))
            v = GuardedBuffer([Float](repeating: 0, count: parameters.count))
        }

        func update(_ adam: AdamW, _ g: [Float], decays: Bool, pool: ThreadPool = makePool(), pieces: [Int]? = nil) {
            let gradient = GuardedBuffer(g)
            var start = 0
            for piece in pieces ?? [g.count] {
                let range = start..<(start + piece)
                adam.apply(
                    pool, parameters: p.slice[range], gradient: gradient.slice[range],
                    state: [m.slice[range], v.slice[range]], decays: decays)
                start += piece
            }
            #expect(p.isIntact && m.isIntact && v.isIntact && gradient.isIntact)
            #expect(bitDifference(gradient.array, g) == nil)
        }

        var everything: [Float] { p.array + m.array + v.array }
    }

    @Test(arguments: [1, 15, 16, 17, 1000, 16_384, 33_001], [false, true])
    func equalsTheNaiveVersion(count: Int, decays: Bool) {
        var generator = SeededGenerator(seed: UInt64(count))
        let start = generator.normals(count)
        let settings = OptimizerConfiguration(beta1: 0.8, beta2: 0.97, epsilon: 1e-6, weightDecay: 0.3)
        let run = Run(start)
        var naive = ReferenceAdamW(
            ReferenceAdamW.Settings(beta1: 0.8, beta2: 0.97, epsilon: 1e-6, weightDecay: 0.3),
            parameters: start.doubles, decays: [Bool](repeating: decays, count: count))
        for number in 1...6 {
            let g = generator.normals(count, deviation: Double(number))
            let rate = 1e-2 / Double(number)
            run.update(
                AdamW(configuration: settings, learningRate: rate, update: number, gradientScale: 0.25), g,
                decays: decays)
            naive.update(g.map { Double($0) * 0.25 }, learningRate: rate)
        }
        // A few roundings (6e-8) per update of each buffer; the parameters' are relative to their size.
        #expect(disagreement(run.p.array, naive.parameters, within: 3e-7) == nil)
        #expect(disagreement(run.m.array, naive.firstMoment, within: 3e-7) == nil)
        #expect(disagreement(run.v.array, naive.secondMoment, within: 3e-7) == nil)
    }

    /// No bit of an update depends on the cut of the flat space, so ranks and threads do not matter.
    @Test func neitherThreadsNorCutsChangeABit() {
        var generator = SeededGenerator(seed: 8)
        let start = generator.normals(40_001)
        let gradients = (0..<3).map { _ in generator.normals(40_001) }
        func run(threads: Int, pieces: [Int]?, scale: Double = 0.5) -> [Float] {
            let run = Run(start)
            let pool = makePool(threads)
            for (index, g) in gradients.enumerated() {
                let adam = AdamW(
                    configuration: OptimizerConfiguration(), learningRate: 1e-3, update: index + 1, gradientScale: scale
                )
                run.update(adam, g, decays: true, pool: pool, pieces: pieces)
            }
            return run.everything
        }
        let whole = run(threads: 1, pieces: nil)
        #expect(bitDifference(run(threads: 2, pieces: nil), whole) == nil)
        #expect(bitDifference(run(threads: 3, pieces: nil), whole) == nil)
        #expect(bitDifference(run(threads: 2, pieces: [1, 0, 16, 17_000, 7, 22_977]), whole) == nil)
        #expect(bitDifference(run(threads: 1, pieces: nil, scale: 0.50001), whole) != nil)
    }

    /// The first update moves by the learning rate against the gradient's sign, whatever the gradient's size.
    @Test(arguments: [Float(1e-3), 1, 1e4])
    func theFirstUpdateIsTheLearningRate(size: Float) {
        let run = Run([1, 1, 1])
        let settings = OptimizerConfiguration(epsilon: 1e-12, weightDecay: 0)
        run.update(
            AdamW(configuration: settings, learningRate: 0.125, update: 1, gradientScale: 1), [size, -size, 0],
            decays: true)
        #expect(disagreement(run.p.array, [0.875, 1.125, 1], within: 1e-6) == nil)
    }

    /// Without a gradient, decay alone acts: `p (1 - rate * decay)`; exempt tensors stay.
    @Test func decayIsDecoupled() {
        let settings = OptimizerConfiguration(weightDecay: 0.5)
        let adam = AdamW(configuration: settings, learningRate: 0.25, update: 1, gradientScale: 1)
        let (decayed, exempt) = (Run([8, -16]), Run([8, -16]))
        decayed.update(adam, [0, 0], decays: true)
        exempt.update(adam, [0, 0], decays: false)
        #expect(decayed.p.array == [7, -14])
        #expect(exempt.p.array == [8, -16])
    }

    // MARK: - Against PyTorch

    private struct Golden: Decodable {
        struct Case: Decodable {
            let name: String
            let weight_decay, epsilon, clip: Double
            let warmup: Int
            let scheduled: Bool
            let norms: [Double]
            /// After updates 1, 2 and 20.
            let parameters: [[Double]]
            let first_moment, second_moment: [Double]
        }
        let learning_rate, beta1, beta2: Double
        let cases: [Case]
    }

    /// `gradient` of the script.
    private func gradient(_ step: Int) -> [Float] {
        let scale = Double(1 << ((step * 7) % 4)) / 2
        return HashedNumbers.uniform(37, stream: step).enumerated().map { index, u in
            Float(scale * u * (index % 5 == 0 ? 0x1p-27 : 1))
        }
    }

    /// Twenty updates of 37 elements. Every fifth gradient is so small that epsilon decides its update.
    @Test func twentyUpdatesOfTorch() throws {
        let url = try #require(Bundle.module.url(forResource: "adamw", withExtension: "json", subdirectory: "Golden"))
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        #expect(golden.cases.count == 4)
        for expected in golden.cases {
            let settings = OptimizerConfiguration(
                learningRate: golden.learning_rate, beta1: golden.beta1, beta2: golden.beta2, epsilon: expected.epsilon,
                weightDecay: expected.weight_decay, gradientClip: expected.clip)
            let schedule = LearningRateSchedule(
                kind: expected.scheduled ? .cosine : .constant, warmupSteps: expected.warmup, totalSteps: 20)
            let start = HashedNumbers.uniform(37, stream: 0)
            let run = Run(start.floats)
            var remaining = expected.parameters
            for step in 1...20 {
                // Raw gradients are four times the normalised ones, as if 1 / sum w were 1/4.
                let raw = gradient(step).map { $0 * 4 }
                let squares = GradientNorm.blockSquares(makePool(), FloatSlice(raw), blockSize: 16)
                let norm = squares.reduce(0, +).squareRoot() / 4
                #expect(abs(norm / expected.norms[step - 1] - 1) < 1e-6, "\(expected.name)")
                let clip = GradientNorm.clipFactor(norm: norm, clip: settings.gradientClip)
                let adam = AdamW(
                    configuration: settings, learningRate: settings.learningRate * schedule.factor(step: step),
                    update: step, gradientScale: clip / 4)
                run.update(adam, raw, decays: true)
                guard [1, 2, 20].contains(step) else { continue }
                // Numbers below 1 are rounded by up to 2^-25 = 3e-8 when they decay and when they move, at every
                // update.
                let parameters = remaining.removeFirst()
                #expect(
                    maximumError(run.p.array.doubles, parameters) < 7e-8 * Double(step),
                    "\(expected.name), update \(step)")
                guard step == 20 else { continue }
                // The tolerance sets these roundings, and those of the moments, against changes of about 0.1.
                let change = { (values: [Double]) in zip(values, start).map { $0 - $1 } }
                #expect(
                    disagreement(change(run.p.array.doubles), change(parameters), within: 1e-5) == nil,
                    "\(expected.name)")
            }
            #expect(disagreement(run.m.array, expected.first_moment, within: 5e-7) == nil, "\(expected.name)")
            #expect(disagreement(run.v.array, expected.second_moment, within: 5e-7) == nil, "\(expected.name)")
            // Elements whose update epsilon decides get their own check, because the others outweigh them.
            for index in stride(from: 0, to: 37, by: 5) {
                let expectedChange = (expected.parameters.last?[index] ?? .nan) - start[index]
                #expect(abs(Double(run.p.array[index]) - start[index] - expectedChange) < 1e-6, "\(expected.name)")
            }
        }
    }
}
