// TaskResult - acc, acc_norm and perplexity from log-likelihoods, as lm-evaluation-harness computes them.

internal import Foundation
package import Reporting

/// A reported number of a task, under the harness's name.
enum TaskMetric: String, Sendable {
    /// Share of documents whose likeliest choice is the right one. For last words: share of documents that greedy
    /// decoding completes.
    case accuracy = "acc"
    /// Accuracy with log-likelihoods divided by the choices' number of characters.
    case normalizedAccuracy = "acc_norm"
    /// Accuracy with log-likelihoods divided by the choices' number of UTF-8 bytes.
    case byteAccuracy = "acc_bytes"
    /// `exp(-mean log-likelihood)` over documents, not over tokens.
    case perplexity
}

/// The scores of one document.
package struct DocumentOutcome: Sendable {
    let document: TaskDocument
    /// Log-likelihoods in nats, in the order of the choices.
    let logLikelihoods: [Double]
    /// Terms of the metrics' means, in the order of the form's metrics: 1 or 0 for an accuracy, the log-likelihood for
    /// a perplexity.
    let items: [Double]
    let isTruncated: Bool

    /// The outcome of a document with one score for each of its requests (the harness's `process_results`).
    init(_ encoded: EncodedDocument, _ scores: [TaskScore]) {
        document = encoded.document
        isTruncated = encoded.isTruncated
        let logLikelihoods = scores.map(\.logLikelihood)
        self.logLikelihoods = logLikelihoods
        func item(_ isRight: Bool) -> Double { isRight ? 1 : 0 }
        switch encoded.document.query {
        case .choices(let choices, _, _, let label):
            // The delimiter does not count as part of a choice.
            func best(_ length: (String) -> Int) -> Int {
                argmax(zip(logLikelihoods, choices).map { $0 / Double(length($1)) })
            }
            items = [
                item(argmax(logLikelihoods) == label), item(best { $0.unicodeScalars.count } == label),
                item(best { $0.utf8.count } == label),
            ]
        case .contexts(_, _, let label):
            items = [item(argmax(logLikelihoods) == label)]
        case .completion:
            items = [item(scores[0].isGreedy), logLikelihoods[0]]
        }
    }

    /// The line of the file of `--per-document`.
    var json: JSONValue {
        var pairs: [(key: String, value: JSONValue)] = [("task", .string(document.task))]
        if let id = document.id { pairs.append(("id", id)) }
        pairs += [
            ("file", .string(document.file)), ("line", .integer(document.line)),
            ("ll", .array(logLikelihoods.map { .number($0) })),
        ]
        for (metric, item) in zip(document.query.form.metrics, items) where metric != .perplexity {
            pairs.append((metric.rawValue, .integer(Int(item))))
        }
        return .object(pairs)
    }
}

/// The numbers of one task.
package struct TaskResult: Sendable {
    package struct Value: Equatable, Sendable {
        let metric: TaskMetric
        package let value: Double
        /// Standard error of the mean; nil for a single document.
        package let standardError: Double?
    }

    package let task: String
    let documentCount: Int
    /// Number of documents whose context lost tokens at its start.
    let truncatedCount: Int
    package let values: [Value]

    /// The results of all tasks, in order of the tasks' first documents.
    package static func all(_ outcomes: [DocumentOutcome]) -> [TaskResult] {
        let groups = Dictionary(grouping: outcomes, by: \.document.task)
        var names: Set<String> = []
        return outcomes.compactMap { outcome in
            let name = outcome.document.task
            return names.insert(name).inserted ? groups[name].map { TaskResult($0) } : nil
        }
    }

    /// - Parameter outcomes: the outcomes of one task; at least one.
    init(_ outcomes: [DocumentOutcome]) {
        let first = outcomes[0].document
        task = first.task
        documentCount = outcomes.count
        truncatedCount = outcomes.count(where: \.isTruncated)
        values = first.query.form.metrics.enumerated().map { index, metric in
            let (mean, standardError) = Self.mean(outcomes.map { $0.items[index] })
            guard metric == .perplexity else {
                return Value(metric: metric, value: mean, standardError: standardError)
            }
            // By the delta method: d exp(-m) = exp(-m) dm. The harness draws bootstrap samples.
            return Value(metric: metric, value: exp(-mean), standardError: standardError.map { exp(-mean) * $0 })
        }
    }

    /// The mean and its standard error: the sample's standard deviation (divisor n - 1) over sqrt(n).
    private static func mean(_ items: [Double]) -> (mean: Double, standardError: Double?) {
        let n = Double(items.count)
        let mean = items.reduce(0, +) / n
        guard items.count > 1 else { return (mean, nil) }
        let squares = items.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (mean, (squares / (n - 1)).squareRoot() / n.squareRoot())
    }

    /// The object `{NAME: {documents, truncated, acc, acc_stderr, ...}}`. A missing standard error is null.
    package static func json(_ results: [TaskResult]) -> JSONValue {
        .object(
            results.map { result in
                let numbers = result.values.flatMap { value -> [(key: String, value: JSONValue)] in
                    [
                        (value.metric.rawValue, .number(value.value)),
                        (value.metric.rawValue + "_stderr", value.standardError.map { .number($0) } ?? .null),
                    ]
                }
                let counts = [
                    ("documents", JSONValue.integer(result.documentCount)),
                    ("truncated", .integer(result.truncatedCount)),
                ]
                return (result.task, .object(counts + numbers))
            })
    }

    /// The table of results for people.
    package static func lines(_ results: [TaskResult]) -> [String] {
        guard !results.isEmpty else { return [] }
        let rows = results.flatMap { result in
            result.values.enumerated().map { index, value in
                [
                    index == 0 ? result.task : "", index == 0 ? "\(result.documentCount)" : "", value.metric.rawValue,
                    String(format: "%.4f", value.value),
                    value.standardError.map { String(format: "%.4f", $0) } ?? "-",
                ]
            }
        }
        let truncated = results.filter { $0.truncatedCount > 0 }.map { result in
            "\(result.task): contexts that were cut at their start to fit the model's positions: \(result.truncatedCount)"
        }
        return TextTable.lines([["task", "documents", "metric", "value", "stderr"]] + rows) + truncated
    }
}

/// Index of the largest value; the first of equal values, as in `numpy.argmax`.
private func argmax(_ values: [Double]) -> Int {
    precondition(!values.isEmpty, "nothing has no largest value")
    return values.indices.dropFirst().reduce(0) { values[$1] > values[$0] ? $1 : $0 }
}
