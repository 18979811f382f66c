// EvaluatorTests - the CE of a model does not depend on who computes it, nor in which batches.

import Kernels
import LlamaModel
import MessagePassing
import Tensors
import TestSupport
import TokenData
import XCTest
import Tokenizers

@testable import Evaluation
@testable import Reporting

final class EvaluatorTests: RankTestCase {
    private let domains = [
        TokenDomain(name: "seven", weight: 1, source: source(7, seed: 1)),
        TokenDomain(name: "two", weight: 1, source: source(2, seed: 2)),
    ]

    private static func source(_ count: Int, seed: UInt64) -> MemorySource {
        MemorySource(
            count: count, sequenceLength: TinyRun.sequenceLength, vocabulary: TinyRun.model.vocabularySize, seed: seed)
    }

    /// Ids in three buckets of which no two neighbours are in one.
    private static let frequencies = FrequencyBuckets(
        counts: (0..<TinyRun.model.vocabularySize).map { [100, 10, 0][$0 % 3] + $0 }, ignoredTargets: [])

    private func evaluator(
        batch: Int, limit: Int, ignored: [Int32], forTraining: Bool = false,
        frequencies: FrequencyBuckets? = frequencies, domains: [TokenDomain]? = nil, masksDocuments: Bool = false,
        ignoresDocumentStarts: Bool = false
    ) throws -> Evaluator {
        let run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 1, microBatchSize: 1)
        let transformer = Transformer(
            TinyRun.model, parameters: .fp32(FloatSlice(run.initialParameters)), sequenceLength: TinyRun.sequenceLength,
            maximumSequences: batch, forTraining: forTraining, pool: run.pool)
        return Evaluator(
            communicator: ranks, transformer: transformer, domains: domains ?? self.domains, limit: limit,
            ignoredTargets: ignored, masksDocuments: masksDocuments, ignoresDocumentStarts: ignoresDocumentStarts,
            tokenizer: ByteTokenizer(), frequencies: frequencies)
    }

    /// Every target of every domain, one sequence at a time.
    private func expected(limit: Int, ignored: [Int32]) throws -> [[Target]] {
        let run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 1, microBatchSize: 1)
        let transformer = Transformer(
            TinyRun.model, parameters: .fp32(FloatSlice(run.initialParameters)), sequenceLength: TinyRun.sequenceLength,
            maximumSequences: 1, forTraining: false, pool: run.pool)
        return try domains.map { domain in
            let count = limit == 0 ? domain.source.sequenceCount : min(limit, domain.source.sequenceCount)
            return try (0..<count).flatMap { s in
                let tokens = try domain.source.sequence(s)
                let targets = Array(tokens.dropFirst())
                let losses = transformer.evaluate(
                    TokenBatch(
                        inputs: Array(tokens.dropLast()), targets: targets, sequenceLength: TinyRun.sequenceLength),
                    weighting: LossConfiguration(kind: .crossEntropy).tokenWeighting)
                return targets.indices.filter { !ignored.contains(targets[$0]) }.map {
                    Target(
                        token: targets[$0], ce: Double(losses.crossEntropy[$0]), entropy: Double(losses.entropy[$0]),
                        confidence: Double(losses.confidence[$0]), isCorrect: losses.isCorrect[$0] == 1)
                }
            }
        }
    }

    private struct Target {
        let token: Int32
        let ce, entropy, confidence: Double
        let isCorrect: Bool
    }

    /// All numbers of a result, to the bit.
    private func digest(_ result: EvaluationResult) -> [UInt8] {
        result.domains.flatMap { domain in
            domain.sums.values.flatMap { value in bytes(value.bitPattern) }
        }
    }

    private func bytes(_ bits: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
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
                    // Matmuls of other sizes may round differently; the sums are in double.
                    XCTAssertEqual(domain.sums.all.crossEntropySum, sum, accuracy: 1e-6 * sum, label)
                    // Every id of this vocabulary is a byte of text.
                    XCTAssertEqual(domain.sums.bytes, targets.count, label)
                }
                let digests = try ranks.allGather(digest(result))
                XCTAssertTrue(digests.allSatisfy { $0 == digests[0] }, "\(label): ranks have other sums")
            }
        }
    }

    /// Each document alone, as a sequence padded behind its end, gives the masked losses; ignored starts and their bytes
    /// count nowhere.
    func testDocumentMasks() throws {
        var source = Self.source(7, seed: 1)
        source.endIDs = TinyRun.endIDs
        let domain = TokenDomain(name: "documents", weight: 1, source: source)
        let T = TinyRun.sequenceLength
        let run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 1, microBatchSize: 1)
        let transformer = Transformer(
            TinyRun.model, parameters: .fp32(FloatSlice(run.initialParameters)), sequenceLength: T,
            maximumSequences: 1, forTraining: false, pool: run.pool)
        for ignoresStarts in [false, true] {
            var (sum, targets) = (0.0, 0)
            for ids in source.sequences {
                // Inputs of each document, and the target behind its last one.
                let ends = (0..<T).filter { TinyRun.endIDs.contains(ids[$0]) || $0 == T - 1 }
                for (start, end) in zip([0] + ends.map { $0 + 1 }, ends) {
                    let crossesBorder = TinyRun.endIDs.contains(ids[end])
                    let count = end + 1 - start - (ignoresStarts && crossesBorder ? 1 : 0)
                    var batch = TokenBatch(capacity: 1, sequenceLength: T)
                    batch.append(Array(ids[start...(end + 1)]), counting: 0..<count)
                    let losses = transformer.evaluate(batch, weighting: .uniform)
                    sum += losses.crossEntropy.array[..<count].reduce(0) { $0 + Double($1) }
                    targets += count
                }
            }
            let result = try evaluator(
                batch: 2, limit: 0, ignored: [], domains: [domain], masksDocuments: true,
                ignoresDocumentStarts: ignoresStarts
            ).run()
            XCTAssertEqual(result.domains[0].targets, targets)
            XCTAssertEqual(result.domains[0].sums.bytes, targets)
            XCTAssertEqual(result.domains[0].sums.all.crossEntropySum, sum, accuracy: 1e-6 * sum)
            XCTAssertEqual(targets < 7 * T, ignoresStarts)
            // Negative control: attention over borders gives other losses.
            let plain = try evaluator(
                batch: 2, limit: 0, ignored: [], domains: [domain], ignoresDocumentStarts: ignoresStarts
            ).run()
            XCTAssertEqual(plain.domains[0].targets, targets)
            XCTAssertNotEqual(plain.domains[0].sums.all.crossEntropySum, sum, accuracy: 1e-3 * sum)
        }
    }

    /// Ids that another tokenizer may have given stand for nobody knows how many bytes; all else is the same.
    func testBytesOfUncheckedDomainsAreNotKnown() throws {
        let known = try evaluator(batch: 2, limit: 0, ignored: []).run()
        var domains = domains
        domains[1].origin = .unrecorded("nobody knows")
        let result = try evaluator(batch: 2, limit: 0, ignored: [], domains: domains).run()
        XCTAssertEqual(result.domains[0], known.domains[0])
        XCTAssertEqual(result.domains[1].sums.all, known.domains[1].sums.all)
        XCTAssertEqual(result.domains.map(\.hasBytes), [true, false])
        XCTAssertTrue(result.bitsPerByte.isNaN && known.bitsPerByte > 0)
    }

    /// Each rank looks for the summary of prepared data; a rank that does not see it speaks for all.
    func testOriginsAreKnownWhereAllRanksKnowThem() throws {
        let all = try ranks.agreeingOnOrigins(domains)
        XCTAssertEqual(all.map(\.origin), [.own, .own])
        let last = ranks.size - 1
        var seen = domains
        seen[0].origin = .unrecorded("nobody knows")
        if ranks.rank == last { seen[1].origin = .unrecorded("there is no p.json") }
        let agreed = try ranks.agreeingOnOrigins(seen)
        let reason = last == 0 ? "there is no p.json" : "on rank \(last) there is no p.json"
        XCTAssertEqual(agreed.map(\.origin), [.unrecorded("nobody knows"), .unrecorded(reason)])
        XCTAssertEqual(agreed.map(\.name), ["seven", "two"])
        let result = try evaluator(batch: 2, limit: 0, ignored: [], domains: agreed).run()
        XCTAssertEqual(result.domains.map(\.hasBytes), [false, false])
    }

    /// Buckets and calibration by definition.
    func testBucketsHoldTheTargetsThatBelongToThem() throws {
        let expected = try expected(limit: 0, ignored: [3]).flatMap { $0 }
        let result = try evaluator(batch: 2, limit: 0, ignored: [3]).run()
        let sums = result.sums
        XCTAssertTrue(result.hasFrequencies)
        for (index, part) in sums.frequency.enumerated() {
            let targets = expected.filter { Int(Self.frequencies.bucketOfID[Int($0.token)]) == index }
            XCTAssertFalse(targets.isEmpty, part.name)
            check(part.bucket, targets, part.name)
        }
        for (index, part) in sums.entropy.enumerated() {
            check(part.bucket, expected.filter { min(Int($0.entropy), 6) == index }, part.name)
        }
        XCTAssertGreaterThan(sums.entropy.count { $0.bucket.targets > 0 }, 1)
        var error = 0.0
        for m in 0..<15 {
            let bin = expected.filter { $0.confidence > Double(m) / 15 && $0.confidence <= Double(m + 1) / 15 }
            error += abs(bin.reduce(0) { $0 + ($1.isCorrect ? 1 : 0) - $1.confidence })
        }
        XCTAssertEqual(sums.calibrationError, error / Double(expected.count), accuracy: 1e-6)
        let without = try evaluator(batch: 2, limit: 0, ignored: [3], frequencies: nil).run()
        XCTAssertFalse(without.hasFrequencies)
        XCTAssertEqual(without.sums.frequency.map(\.bucket.targets), [0, 0, 0])
    }

    private func check(_ bucket: EvaluationSums.Bucket, _ targets: [Target], _ label: String) {
        XCTAssertEqual(bucket.targets, targets.count, label)
        let sum = targets.reduce(0) { $0 + $1.ce }
        XCTAssertEqual(bucket.crossEntropySum, sum, accuracy: 1e-6 * max(sum, 1), label)
    }

    /// Every number equals what one rank finds, to the bit, also where a domain takes several exchanges. One rank is played
    /// by hand: sums of single batches, added in order.
    func testNoBitDependsOnTheRanks() throws {
        // 32 batches a rank and exchange: also with four ranks more than one exchange.
        let domains = [
            TokenDomain(name: "long", weight: 1, source: Self.source(150, seed: 3)),
            TokenDomain(name: "short", weight: 1, source: Self.source(3, seed: 4)),
        ]
        let result = try evaluator(batch: 1, limit: 0, ignored: [3], domains: domains).run()
        var calls: [Int] = []
        _ = try evaluator(batch: 1, limit: 0, ignored: [3], domains: domains).run(perToken: {
            calls += $0.map(\.targetIndex)
        })
        var alone: [EvaluationSums] = []
        for domain in domains {
            var sums = EvaluationSums()
            for s in 0..<domain.source.sequenceCount {
                let one = TokenDomain(
                    name: "one", weight: 1, source: MemorySource(sequences: [try domain.source.sequence(s)]))
                sums += try evaluator(batch: 1, limit: 0, ignored: [3], domains: [one]).run().sums
            }
            alone.append(sums)
        }
        XCTAssertEqual(result.domains.map(\.sums), alone)
        // Negative control: another text is not the same to the bit.
        let other = [TokenDomain(name: "other", weight: 1, source: Self.source(150, seed: 5))]
        XCTAssertNotEqual(
            digest(try evaluator(batch: 1, limit: 0, ignored: [3], domains: other).run()),
            digest(EvaluationResult(domains: [result.domains[0]], hasFrequencies: true)))
        guard ranks.rank == 0 else { return }
        XCTAssertEqual(calls, result.domains.flatMap { Array(0..<$0.targets) })
    }

    /// Sums of whole numbers: every rank finds all, whoever counted what.
    func testTokensAreCountedOnce() throws {
        let domains = self.domains + [TokenDomain(name: "many", weight: 1, source: Self.source(301, seed: 3))]
        var expected = [Int](repeating: 0, count: TinyRun.model.vocabularySize)
        for domain in domains {
            for s in 0..<domain.source.sequenceCount {
                for token in try domain.source.sequence(s) { expected[Int(token)] += 1 }
            }
        }
        var shares: [Double] = []
        for threads in [1, 3] {
            let counting = TokenCounting(
                communicator: ranks, pool: try ThreadPool(threadCount: threads, spins: false))
            let counts = try counting.counts(
                domains, vocabularySize: TinyRun.model.vocabularySize, progress: { shares.append($0) })
            XCTAssertEqual(counts, expected)
        }
        XCTAssertEqual(shares.last, 1)
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
            XCTAssertEqual(results.map(\.targetIndex), Array(targets.indices))
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

    /// A file that only the last rank cannot read: every rank throws the same error, and none is left waiting.
    func testAnErrorWhileReadingIsEverybodys() throws {
        struct Broken: SequenceSource {
            struct Unreadable: Error {}
            let isReadable: Bool
            let whole = EvaluatorTests.source(160, seed: 5)
            let fingerprint = "broken"
            var sequenceCount: Int { whole.sequenceCount }
            var tokenCount: Int { whole.tokenCount }

            func sequence(_ s: Int) throws -> [Int32] {
                guard isReadable else { throw Unreadable() }
                return whole.sequence(s)
            }
        }
        let isReadable = ranks.rank < ranks.size - 1
        let domains = [TokenDomain(name: "broken", weight: 1, source: Broken(isReadable: isReadable))]
        let evaluation = try failure {
            _ = try evaluator(batch: 2, limit: 0, ignored: [], domains: domains).run()
        }
        let counting = TokenCounting(communicator: ranks, pool: try ThreadPool(threadCount: 2, spins: false))
        let counts = try failure {
            _ = try counting.counts(domains, vocabularySize: TinyRun.model.vocabularySize)
        }
        for failure in [evaluation, counts] {
            XCTAssertEqual(failure?.isShared, true)
            XCTAssertEqual(failure?.status, .runtimeFailure)
            XCTAssertEqual(failure?.message.contains("Unreadable"), true)
        }
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
