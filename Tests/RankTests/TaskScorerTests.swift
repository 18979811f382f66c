// TaskScorerTests - log-likelihoods of tasks against PyTorch and transformers (see make_task_golden.py) and against single
// evaluations, on any number of ranks.

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

final class TaskScorerTests: RankTestCase {
    private static let model = ModelConfiguration(
        hiddenSize: 16, intermediateSize: 24, hiddenLayerCount: 2, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 257, maxPositionEmbeddings: 40, rmsNormEpsilon: 1e-5)

    private let pool = try! ThreadPool(threadCount: 2, spins: false)

    /// `initial` of the script.
    private let parameters = FloatSlice(
        model.tensorTable.entries.enumerated().flatMap { stream, entry -> [Float] in
            let u = HashedNumbers.uniform(entry.count, stream: stream)
            if entry.kind == .gain { return u.map { Float(1 + $0 / 4) } }
            let scale = (3 / Double(entry.shape[entry.shape.count - 1])).squareRoot()
            return u.map { Float($0 * scale) }
        })

    private func scorer(batch: Int) -> TaskScorer {
        TaskScorer(
            communicator: ranks, model: Self.model, parameters: parameters, batchSize: batch, pool: pool)
    }

    private func score(_ documents: [TaskDocument], batch: Int, positions: Int = 40) throws -> [DocumentOutcome] {
        let encoder = TaskEncoder(tokenizer: ByteTokenizer(), maximumLength: positions)
        let encoded = try documents.map { try encoder.encode($0) }
        var scores = try scorer(batch: batch).scores(of: encoded.flatMap(\.requests))[...]
        return encoded.map { document in
            defer { scores = scores.dropFirst(document.requests.count) }
            return DocumentOutcome(document, Array(scores.prefix(document.requests.count)))
        }
    }

    // MARK: - Golden numbers

    private struct Golden: Decodable {
        struct Result: Decodable {
            let ll: [Double]
            let truncated: Bool
            let acc: Double
            let acc_norm, acc_bytes: Double?
        }
        let lines: [String]
        let results: [Result]
        let totals: [String: [String: Double]]

        init() throws {
            let url = try XCTUnwrap(
                Bundle.module.url(forResource: "tasks", withExtension: "json", subdirectory: "Golden"))
            self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
        }

        func documents() throws -> [TaskDocument] {
            let folder = try TemporaryFolder()
            try folder.write(lines.joined(separator: "\n"), to: "tasks.jsonl")
            return try TaskFile.read([folder.path("tasks.jsonl")])
        }
    }

    /// Nats, of sums over up to 40 tokens: each CE, up to 15, is of logits with some 2e-7 relative error (found: 2.7e-6).
    private static let tolerance = 2e-5

    func testDocumentsAndTotals() throws {
        let golden = try Golden()
        let documents = try golden.documents()
        XCTAssertEqual(documents.count, golden.results.count)
        for batch in [1, 5, 64] {
            let outcomes = try score(documents, batch: batch)
            for (ours, expected) in zip(outcomes, golden.results) {
                let place = "line \(ours.document.line), batch \(batch)"
                XCTAssertEqual(ours.logLikelihoods.count, expected.ll.count, place)
                XCTAssertLessThan(maximumError(ours.logLikelihoods, expected.ll), Self.tolerance, place)
                XCTAssertEqual(ours.isTruncated, expected.truncated, place)
                for (metric, item) in zip(ours.document.query.form.metrics, ours.items) {
                    switch metric {
                    case .accuracy: XCTAssertEqual(item, expected.acc, place)
                    case .normalizedAccuracy: XCTAssertEqual(item, expected.acc_norm, place)
                    case .byteAccuracy: XCTAssertEqual(item, expected.acc_bytes, place)
                    case .perplexity: XCTAssertEqual(item, expected.ll[0], accuracy: Self.tolerance, place)
                    }
                }
            }
            let text = TaskResult.json(TaskResult.all(outcomes)).text
            let totals = try JSONDecoder().decode([String: [String: Double]].self, from: Data(text.utf8))
            XCTAssertEqual(totals.keys.sorted(), golden.totals.keys.sorted())
            for (task, expected) in golden.totals {
                let ours = try XCTUnwrap(totals[task])
                XCTAssertEqual(ours.keys.sorted(), expected.keys.sorted(), task)
                for (name, value) in expected {
                    // A perplexity is the exponential of a mean log-likelihood.
                    let accuracy = name.hasPrefix("perplexity") ? 2 * Self.tolerance * value : 1e-12
                    XCTAssertEqual(ours[name] ?? .nan, value, accuracy: accuracy, "\(task) \(name)")
                }
            }
        }
    }

    /// Negative control: what makes the harness's way special shows in the numbers that are compared.
    func testTheFixtureTellsOtherWaysApart() throws {
        let golden = try Golden()
        let documents = try golden.documents()
        func differences(_ outcomes: [DocumentOutcome]) -> Set<Int> {
            Set(
                outcomes.indices.filter {
                    maximumError(outcomes[$0].logLikelihoods, golden.results[$0].ll) > 10 * Self.tolerance
                })
        }
        let shorter = try score(documents, batch: 8, positions: 39)
        let truncated = golden.results.indices.filter { golden.results[$0].truncated }
        XCTAssertTrue(differences(shorter).isSuperset(of: truncated) && !truncated.isEmpty)
        let stripped = try score(
            documents.map { $0.withContext { $0.trimmingCharacters(in: .whitespacesAndNewlines) } }, batch: 8)
        XCTAssertFalse(differences(stripped).isEmpty)
        let begun = try score(documents.map { $0.withContext { $0.isEmpty ? "\n" : $0 } }, batch: 8)
        XCTAssertFalse(differences(begun).isEmpty)
    }

    // MARK: - Against single evaluations

    /// Random requests of all lengths, some of them twice.
    private func requests() -> [TaskRequest] {
        var generator = SeededGenerator(seed: 17)
        let lengths = generator.integers(23, below: 40).map { Int($0) + 2 }
        let different = lengths.map { length in
            TaskRequest(
                tokens: generator.integers(length, below: 257),
                continuationCount: Int(generator.integers(1, below: length - 1)[0]) + 1)
        }
        return different + [different[7], different[0], different[7]]
    }

    /// One request alone, without padding: the sum of its continuation's CE.
    private func single(_ request: TaskRequest) -> TaskScore {
        let inputs = Array(request.tokens.dropLast())
        let transformer = Transformer(
            Self.model, parameters: .fp32(parameters), sequenceLength: inputs.count, maximumSequences: 1,
            forTraining: false, pool: pool)
        let losses = transformer.evaluate(
            TokenBatch(
                inputs: inputs, targets: Array(request.tokens.dropFirst()), sequenceLength: inputs.count),
            weighting: LossConfiguration(kind: .crossEntropy).tokenWeighting)
        let crossEntropy = losses.crossEntropy.array.doubles.suffix(request.continuationCount)
        return TaskScore(
            logLikelihood: -crossEntropy.reduce(0, +),
            isGreedy: losses.isCorrect.array.suffix(request.continuationCount).allSatisfy { $0 == 1 })
    }

    func testScoresAreThoseOfSingleRequests() throws {
        let requests = requests()
        let expected = requests.map { single($0).logLikelihood }
        for batch in [1, 4, 100] {
            let ours = try scorer(batch: batch).scores(of: requests).map(\.logLikelihood)
            // Matmuls of other sizes may round differently.
            XCTAssertNil(disagreement(ours, expected, within: 1e-6), "batch \(batch)")
            // The repeated ones have the bits of the first.
            XCTAssertEqual(Array(ours.suffix(3)), [ours[7], ours[0], ours[7]])
            let shifted = requests.map { TaskRequest(tokens: $0.tokens, continuationCount: 1) }
            XCTAssertNotNil(
                disagreement(try scorer(batch: batch).scores(of: shifted).map(\.logLikelihood), expected, within: 1e-6))
        }
    }

    /// Batches computed here one after another, as a single rank does, give every bit of what the ranks share.
    func testTheNumberOfRanksDoesNotShow() throws {
        let requests = requests()
        let batch = 3
        let different = Set(requests).sorted(by: TaskRequest.isBefore)
        var bits: [TaskRequest: UInt64] = [:]
        for start in stride(from: 0, to: different.count, by: batch) {
            let part = different[start..<min(start + batch, different.count)]
            let transformer = Transformer(
                Self.model, parameters: .fp32(parameters), sequenceLength: 40, maximumSequences: batch,
                forTraining: false, pool: pool)
            func padded(_ tokens: ArraySlice<Int32>) -> [Int32] {
                tokens + [Int32](repeating: 0, count: 40 - tokens.count)
            }
            let losses = transformer.evaluate(
                TokenBatch(
                    inputs: part.flatMap { padded($0.tokens.dropLast()) },
                    targets: part.flatMap { padded($0.tokens.dropFirst()) }, sequenceLength: 40),
                weighting: .uniform)
            for (index, request) in part.enumerated() {
                let end = 40 * index + request.tokens.count - 1
                let sum = ((end - request.continuationCount)..<end).reduce(0) { $0 + Double(losses.crossEntropy[$1]) }
                bits[request] = (-sum).bitPattern
            }
        }
        let scores = try scorer(batch: batch).scores(of: requests)
        XCTAssertEqual(scores.map { Optional($0.logLikelihood.bitPattern) }, requests.map { bits[$0] })
        // Negative control: the bits are those of this order.
        XCTAssertNotEqual(scores.map { Optional($0.logLikelihood.bitPattern) }, requests.reversed().map { bits[$0] })
    }

    /// What greedy decoding writes is greedy; with its last token replaced it is not, nor with its first.
    func testGreedyContinuations() throws {
        let generator = TextGenerator(Self.model, parameters: parameters, capacity: 12, pool: pool)
        var sampler = TokenSampler(temperature: 0)
        var tokens: [Int32] = [104, 105]
        var next = tokens
        for _ in 0..<4 {
            next = [sampler.next(generator.feed(next))]
            tokens += next
        }
        var (last, first) = (tokens, tokens)
        last[5] = (tokens[5] + 1) % 257
        first[2] = (tokens[2] + 1) % 257
        let scores = try scorer(batch: 2).scores(
            of: [tokens, last, first].map { TaskRequest(tokens: $0, continuationCount: 4) })
        XCTAssertEqual(scores.map(\.isGreedy), [true, false, false])
    }

    func testProgressRises() throws {
        var shares: [Double] = []
        _ = try scorer(batch: 2).scores(of: requests()) { shares.append($0) }
        XCTAssertEqual(shares, shares.sorted())
        XCTAssertEqual(shares.last, 1)
    }

    func testNoRequestsHaveNoScores() throws {
        XCTAssertEqual(try scorer(batch: 2).scores(of: []), [])
    }
}

extension TaskDocument {
    /// The document with each context changed.
    fileprivate func withContext(_ change: (String) -> String) -> TaskDocument {
        let changed: TaskQuery =
            switch query {
            case .choices(let choices, let context, let delimiter, let label):
                .choices(choices, context: change(context), delimiter: delimiter, label: label)
            case .contexts(let contexts, let completion, let label):
                .contexts(contexts.map(change), completion: completion, label: label)
            case .completion(let completion, let context): .completion(completion, context: change(context))
            }
        return TaskDocument(task: task, id: id, file: file, line: line, query: changed)
    }
}
