// GoldenEvaluationTests - an evaluation against PyTorch and transformers (see make_evaluation_golden.py), on any ranks.

import Foundation
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

final class GoldenEvaluationTests: RankTestCase {
    private static let model = ModelConfiguration(
        hiddenSize: 16, intermediateSize: 24, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 29, maxPositionEmbeddings: 8, rmsNormEpsilon: 1e-5, ropeTheta: 500_000,
        tieWordEmbeddings: true)

    private let pool = try! ThreadPool(threadCount: 2, spins: false)

    /// `skewed` of the script, as sequences.
    private func source(_ sequences: Int, stream: Int) -> MemorySource {
        let length = Self.model.maxPositionEmbeddings + 1
        let tokens = HashedNumbers.uniform(sequences * length, stream: stream).map { u -> Int32 in
            let v = (u + 1) / 2
            return Int32(v * v * v * Double(Self.model.vocabularySize))
        }
        return MemorySource(sequences: (0..<sequences).map { Array(tokens[($0 * length)..<(($0 + 1) * length)]) })
    }

    /// `initial` of the script, the embedding doubled.
    private func parameters() -> FloatSlice {
        let entries = Self.model.tensorTable.entries.enumerated()
        return FloatSlice(
            entries.flatMap { stream, entry -> [Float] in
                let u = HashedNumbers.uniform(entry.count, stream: stream)
                if entry.kind == .gain { return u.map { Float(1 + $0 / 4) } }
                let scale = (3 / Double(entry.shape[entry.shape.count - 1])).squareRoot()
                return u.map { Float($0 * scale) * (entry.name.contains("embed_tokens") ? 2 : 1) }
            })
    }

    private func counts() throws -> [Int] {
        let training = [TokenDomain(name: "training", weight: 1, source: source(12, stream: 700))]
        return try TokenCounting(communicator: ranks, pool: pool).counts(
            training, vocabularySize: Self.model.vocabularySize)
    }

    private func evaluate(counts: [Int], ignored: [Int32], batch: Int) throws -> EvaluationResult {
        let transformer = Transformer(
            Self.model, parameters: .fp32(parameters()), sequenceLength: Self.model.maxPositionEmbeddings,
            maximumSequences: batch, forTraining: false, pool: pool)
        let domains = [("prose", 7), ("code", 4), ("dialogue", 9)].enumerated().map { index, domain in
            TokenDomain(name: domain.0, weight: 1, source: source(domain.1, stream: 701 + index))
        }
        return try Evaluator(
            communicator: ranks, transformer: transformer, domains: domains, limit: 0, ignoredTargets: ignored,
            tokenizer: ByteTokenizer(), frequencies: FrequencyBuckets(counts: counts, ignoredTargets: ignored)
        ).run()
    }

    private struct Golden: Decodable {
        struct Part: Decodable, Equatable {
            let tokens: Int
            let ce: Double?
        }
        struct Worst: Decodable {
            let name: String
            let ce: Double
        }
        struct Result: Decodable {
            let tokens: Int
            let ce, perplexity, uniform_mean, calibration_error, bits_per_byte: Double
            let worst: Worst
            let domains, frequency, entropy: [String: Part]

            var parts: [String: Part] {
                let all = [("domain", domains), ("frequency", frequency), ("entropy", entropy)]
                return Dictionary(
                    uniqueKeysWithValues: all.flatMap { kind, parts in parts.map { ("\(kind) \($0)", $1) } })
            }
            var numbers: [String: Double] {
                [
                    "ce": ce, "uniform_mean": uniform_mean, "calibration_error": calibration_error,
                    "bits_per_byte": bits_per_byte, "worst": worst.ce, "log perplexity": log(perplexity),
                ]
            }
        }
        let counts: [Int]
        let result: Result

        init() throws {
            let url = try XCTUnwrap(
                Bundle.module.url(forResource: "evaluation", withExtension: "json", subdirectory: "Golden"))
            self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        }
    }

    /// Our numbers as `eval --json` prints them.
    private func printed(_ result: EvaluationResult) throws -> Golden.Result {
        try JSONDecoder().decode(Golden.Result.self, from: Data(result.json.text.utf8))
    }

    /// Nats, of means of up to 6 and single ones of up to 15: logits of up to 20 with some 2e-7 relative error each.
    private static let tolerance = 1e-5

    func testDomainsBucketsAndCalibration() throws {
        let golden = try Golden()
        let counts = try counts()
        let ours = try printed(evaluate(counts: counts, ignored: [5], batch: 3))
        XCTAssertEqual(counts, golden.counts)
        XCTAssertEqual(ours.tokens, golden.result.tokens)
        XCTAssertEqual(ours.worst.name, golden.result.worst.name)
        XCTAssertEqual(ours.parts.keys.sorted(), golden.result.parts.keys.sorted())
        for (name, expected) in golden.result.parts {
            let part = try XCTUnwrap(ours.parts[name])
            XCTAssertEqual(part.tokens, expected.tokens, name)
            XCTAssertEqual(part.ce == nil, expected.ce == nil, name)
            XCTAssertEqual(part.ce ?? 0, expected.ce ?? 0, accuracy: Self.tolerance, name)
        }
        for (name, expected) in golden.result.numbers {
            XCTAssertEqual(ours.numbers[name] ?? .nan, expected, accuracy: Self.tolerance, name)
        }
    }

    /// Negative control: other counts and other targets show in the numbers that are compared.
    func testTheFixtureTellsOtherSettingsApart() throws {
        let golden = try Golden()
        let reversed = try printed(evaluate(counts: golden.counts.reversed(), ignored: [5], batch: 3))
        let all = try printed(evaluate(counts: golden.counts, ignored: [], batch: 3))
        for name in ["high", "medium", "low"] {
            let difference = (reversed.frequency[name]?.ce ?? 0) - (golden.result.frequency[name]?.ce ?? 0)
            XCTAssertGreaterThan(abs(difference), 10 * Self.tolerance, name)
        }
        XCTAssertNotEqual(all.tokens, golden.result.tokens)
        for name in ["ce", "calibration_error"] {
            let difference = (all.numbers[name] ?? .nan) - (golden.result.numbers[name] ?? .nan)
            XCTAssertGreaterThan(abs(difference), 10 * Self.tolerance, name)
        }
    }
}
