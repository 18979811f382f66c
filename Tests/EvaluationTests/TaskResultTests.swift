// TaskResultTests - from log-likelihoods to acc, acc_norm, acc_bytes and perplexity, by closed forms.

import Foundation
import Testing

@testable import Evaluation
@testable import Reporting

struct TaskResultTests {
    private func outcome(
        _ query: TaskQuery, _ logLikelihoods: [Double], greedy: Bool = false, task: String = "t",
        truncated: Bool = false
    ) -> DocumentOutcome {
        DocumentOutcome(
            EncodedDocument(
                document: TaskDocument(task: task, id: .string("i"), file: "f", line: 3, query: query), requests: [],
                isTruncated: truncated),
            logLikelihoods.map { TaskScore(logLikelihood: $0, isGreedy: greedy) })
    }

    private func choices(_ choices: [String], label: Int) -> TaskQuery {
        .choices(choices, context: "c", delimiter: " ", label: label)
    }

    @Test func eachLengthHasItsOwnBestChoice() {
        // -10, -12, -13 as they are; -5, -2, -6.5 per character (2, 6, 2); -5, -2, -1.625 per byte (2, 6, 8).
        let texts = ["ab", "abcdef", "\u{1F600}\u{1F600}"]
        let logLikelihoods: [Double] = [-10, -12, -13]
        for (label, items) in [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]].enumerated() {
            #expect(outcome(choices(texts, label: label), logLikelihoods).items == items)
        }
    }

    /// Characters are counted as Python does, without the delimiter.
    @Test func lengthsAreCodePointsOfTheChoiceAlone() {
        // A letter with a combining accent has two: -5.9/2 beats -3/1, which -5.9/1 would not.
        #expect(outcome(choices(["e\u{301}", "x"], label: 0), [-5.9, -3]).items == [0, 1, 1])
        // -5/2 beats -3/1; with a blank in front -3/2 would beat -5/3.
        #expect(outcome(choices(["ab", "x"], label: 0), [-5, -3]).items == [0, 1, 1])
    }

    @Test func aTieGoesToTheFirst() {
        #expect(outcome(choices(["ab", "cd"], label: 0), [-3, -3]).items == [1, 1, 1])
        #expect(outcome(choices(["ab", "cd"], label: 1), [-3, -3]).items == [0, 0, 0])
        #expect(outcome(choices(["a", "bc", "de"], label: 1), [-9, -3, -3]).items == [1, 1, 1])
        #expect(outcome(.contexts(["a", "b"], completion: "x", label: 0), [-3, -3]).items == [1])
        #expect(outcome(.contexts(["a", "b"], completion: "x", label: 1), [-3, -3]).items == [0])
    }

    @Test func standardErrorOfAMean() throws {
        // Three of four right: sample variance 4/3 * 3/4 * 1/4 = 1/4, so 0.5 / sqrt(4).
        let result = TaskResult([0, 0, 0, 1].map { outcome(choices(["a", "b"], label: $0), [-1, -2]) })
        #expect(result.values.map(\.metric) == [.accuracy, .normalizedAccuracy, .byteAccuracy])
        for value in result.values {
            #expect(value.value == 0.75)
            #expect(abs((value.standardError ?? .nan) - 0.25) < 1e-15)
        }
        #expect(result.documentCount == 4 && result.truncatedCount == 0)
    }

    @Test func perplexityIsThatOfTheMeanLogLikelihood() {
        // Mean -ln 4, deviation ln 2 * sqrt(2), so the standard error of the mean is ln 2.
        let last = TaskQuery.completion(" word", context: "c")
        let result = TaskResult([
            outcome(last, [-log(2)], greedy: true), outcome(last, [-log(8)], greedy: false, truncated: true),
        ])
        #expect(result.values.map(\.metric) == [.accuracy, .perplexity])
        #expect(result.values[0].value == 0.5)
        let errors: [Double] = result.values.map { $0.standardError ?? .nan }
        #expect(abs(errors[0] - 0.5) < 1e-15)
        #expect(abs(result.values[1].value - 4) < 1e-14)
        #expect(abs(errors[1] - 4 * log(2)) < 1e-14)
        #expect(result.truncatedCount == 1)
    }

    @Test func tasksAreSeparateAndInTheirOrder() {
        let last = TaskQuery.completion("x", context: "c")
        let results = TaskResult.all([
            outcome(last, [-1], greedy: true, task: "b"), outcome(choices(["x", "y"], label: 1), [-2, -1], task: "a"),
            outcome(last, [-3], task: "b"),
        ])
        #expect(results.map(\.task) == ["b", "a"])
        #expect(results.map(\.documentCount) == [2, 1])
        #expect(results.map(\.values[0].value) == [0.5, 1])
    }

    @Test func json() {
        let results = TaskResult.all([
            outcome(.completion("x", context: "c"), [0], greedy: true),
            outcome(.contexts(["a", "b"], completion: "x", label: 1), [-2, -1], task: "w", truncated: true),
        ])
        // A single document has no standard error.
        #expect(
            TaskResult.json(results).text == """
                {"t": {"documents": 1, "truncated": 0, "acc": 1.0, "acc_stderr": null, "perplexity": 1.0, \
                "perplexity_stderr": null}, "w": {"documents": 1, "truncated": 1, "acc": 1.0, "acc_stderr": null}}
                """)
        #expect(
            outcome(choices(["x", "y"], label: 1), [-1.5, -2]).json.text == """
                {"task": "t", "id": "i", "file": "f", "line": 3, "ll": [-1.5, -2.0], "acc": 0, "acc_norm": 0, \
                "acc_bytes": 0}
                """)
        #expect(
            outcome(.completion("x", context: "c"), [-1.5], greedy: true).json.text == """
                {"task": "t", "id": "i", "file": "f", "line": 3, "ll": [-1.5], "acc": 1}
                """)
    }

    @Test func linesForPeople() {
        let lines = TaskResult.lines(
            TaskResult.all(
                [0, 0, 0, 1].map { outcome(choices(["a", "b"], label: $0), [-1, -2], truncated: $0 == 1) }))
        #expect(lines[0].split(separator: " ") == ["task", "documents", "metric", "value", "stderr"])
        #expect(lines[1].split(separator: " ") == ["t", "4", "acc", "0.7500", "0.2500"])
        #expect(lines[2].split(separator: " ") == ["acc_norm", "0.7500", "0.2500"])
        #expect(lines.count == 5 && lines[4].hasPrefix("t: contexts that were cut") && lines[4].hasSuffix(": 1"))
        #expect(TaskResult.lines([]) == [])
    }
}
