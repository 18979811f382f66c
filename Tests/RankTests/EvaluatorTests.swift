// EvaluatorTests - the CE of a model does not depend on who computes it, nor in which batches.

import Kernels
import LlamaModel
import MessagePassing
import Tensors
import TestSupport
@testable import Training
import TokenData
import XCTest

final class EvaluatorTests: RankTestCase {
    private let domains = [
        TokenDomain(name: "seven", weight: 1, source: source(7, seed: 1)),
        TokenDomain(name: "two", weight: 1, source: source(2, seed: 2)),
    ]

    private static func source(_ count: Int, seed: UInt64) -> MemorySource {
        MemorySource(
            count: count, sequenceLength: TinyRun.sequenceLength, vocabulary: TinyRun.model.vocabularySize, seed: seed)
    }

    private func evaluator(batch: Int, limit: Int, ignored: [Int32], forTraining: Bool = false) throws -> Evaluator {
        let run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 1, microBatchSize: 1)
        let transformer = Transformer(
            TinyRun.model, parameters: .fp32(FloatSlice(run.initialParameters)), sequenceLength: TinyRun.sequenceLength,
            maximumSequences: batch, forTraining: forTraining, pool: run.pool)
        return Evaluator(
            communicator: ranks, transformer: transformer, domains: domains, limit: limit, ignoredTargets: ignored)
    }

    /// Every target of every domain, one sequence at a time.
    private func expected(limit: Int, ignored: [Int32]) throws -> [[(token: Int32, ce: Double, entropy: Double)]] {
        let run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 1, microBatchSize: 1)
        let transformer = Transformer(
            TinyRun.model, parameters: .fp32(FloatSlice(run.initialParameters)), sequenceLength: TinyRun.sequenceLength,
            maximumSequences: 1, forTraining: false, pool: run.pool)
        return domains.map { domain in
            let count = limit == 0 ? domain.source.sequenceCount : min(limit, domain.source.sequenceCount)
            return (0..<count).flatMap { s in
                let tokens = domain.source.sequence(s)
                let targets = Array(tokens.dropFirst())
                let losses = transformer.evaluate(
                    inputs: Array(tokens.dropLast()), targets: targets, loss: LossConfiguration(kind: .crossEntropy))
                return targets.indices.filter { !ignored.contains(targets[$0]) }.map {
                    (targets[$0], Double(losses.crossEntropy[$0]), Double(losses.entropy[$0]))
                }
            }
        }
    }

    func testSumsDependNeitherOnRanksNorOnBatches() throws {
        for (limit, ignored) in [(0, []), (5, [Int32(3), 8]), (1, [])] {
            let expected = try expected(limit: limit, ignored: ignored)
            for batch in [1, 2, 3, 8] {
                let label = "limit \(limit), batch \(batch)"
                let evaluator = try evaluator(batch: batch, limit: limit, ignored: ignored)
                let result = try evaluator.run()
                XCTAssertEqual(result.domains.map(\.name), ["seven", "two"], label)
                XCTAssertEqual(result.domains.map(\.targets), expected.map(\.count), label)
                for (domain, targets) in zip(result.domains, expected) {
                    let sum = targets.reduce(0) { $0 + $1.ce }
                    // Products of other sizes may round differently; the sums are in double.
                    XCTAssertEqual(domain.crossEntropySum, sum, accuracy: 1e-6 * sum, label)
                }
                let digests = result.domains.map { Int(bitPattern: UInt($0.crossEntropySum.bitPattern)) }
                for digest in digests {
                    let (lowest, highest) = (try ranks.minimum(digest), try ranks.maximum(digest))
                    XCTAssertEqual(lowest, highest, "\(label): ranks have other sums")
                }
            }
        }
    }

    func testTheTrainingNetworkEvaluatesTheSame() throws {
        let plain = try evaluator(batch: 2, limit: 0, ignored: []).run()
        let training = try evaluator(batch: 2, limit: 0, ignored: [], forTraining: true).run()
        XCTAssertEqual(plain, training)
    }

    func testTargetsComeInOrderOnRankZero() throws {
        let ignored: [Int32] = [3]
        let expected = try expected(limit: 0, ignored: ignored)
        var calls: [[TokenResult]] = []
        let evaluator = try evaluator(batch: 2, limit: 0, ignored: ignored)
        _ = try evaluator.run(perToken: { calls.append($0) })
        guard ranks.rank == 0 else { return XCTAssertTrue(calls.isEmpty) }
        XCTAssertEqual(calls.count, 2)
        for (results, targets) in zip(calls, expected) {
            XCTAssertEqual(results.map(\.position), Array(targets.indices))
            XCTAssertEqual(results.map(\.token), targets.map(\.token))
            XCTAssertNil(disagreement(results.map(\.crossEntropy), targets.map(\.ce), within: 1e-6))
            XCTAssertNil(disagreement(results.map(\.entropy), targets.map(\.entropy), within: 1e-6))
        }
    }

    func testAnErrorWhileWritingTargetsIsEverybodys() throws {
        struct Full: Error {}
        var failure: ProgramFailure?
        do {
            _ = try evaluator(batch: 2, limit: 0, ignored: []).run(perToken: { _ in throw Full() })
        } catch let error as ProgramFailure {
            failure = error
        }
        XCTAssertEqual(failure?.isShared, true)
        XCTAssertEqual(failure?.status, .runtimeFailure)
    }

    func testProgressRises() throws {
        var shares: [Double] = []
        _ = try evaluator(batch: 1, limit: 0, ignored: []).run(mustGiveUp: nil, progress: { shares.append($0) })
        // Rank 0 shows it; what another rank has done says nothing exact about all of them.
        guard ranks.rank == 0 else { return }
        XCTAssertEqual(shares, shares.sorted())
        XCTAssertTrue(shares.allSatisfy { $0 > 0 && $0 <= 1 }, "\(shares)")
    }
}
