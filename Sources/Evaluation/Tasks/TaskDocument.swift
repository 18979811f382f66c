// TaskDocument - one document of a log-likelihood task, and what is measured on documents of its form.

internal import Reporting

/// What a document asks of the model, in the terms of lm-evaluation-harness: texts are its `doc_to_text`,
/// `doc_to_choice` and `doc_to_target`.
enum TaskQuery: Equatable, Sendable {
    /// Multiple choice: `delimiter` and a choice continue the context; the likelier the better.
    case choices([String], context: String, delimiter: String, label: Int)
    /// Partial evaluation, as of Winogrande: one completion behind several contexts.
    case contexts([String], completion: String, label: Int)
    /// Last word, as of LAMBADA: greedy decoding of the context must give the completion.
    case completion(String, context: String)

    var form: TaskForm {
        switch self {
        case .choices: .choices
        case .contexts: .contexts
        case .completion: .completion
        }
    }

    /// Contexts and continuations whose log-likelihoods are wanted.
    var pairs: [(context: String, continuation: String)] {
        switch self {
        case .choices(let choices, let context, let delimiter, _): choices.map { (context, delimiter + $0) }
        case .contexts(let contexts, let completion, _): contexts.map { ($0, completion) }
        case .completion(let completion, let context): [(context, completion)]
        }
    }
}

/// The forms of a document. Each is recognised by the key that it is called after.
enum TaskForm: String, CaseIterable, Sendable {
    case choices
    case contexts
    case completion

    /// The keys of a line; all but `id` and `delimiter` are required.
    var keys: [String] {
        switch self {
        case .choices: ["task", "id", "context", "choices", "label", "delimiter"]
        case .contexts: ["task", "id", "contexts", "completion", "label"]
        case .completion: ["task", "id", "context", "completion"]
        }
    }

    /// What is reported. The harness's Winogrande has no `acc_norm` either: there the continuation is always the same.
    var metrics: [TaskMetric] {
        switch self {
        case .choices: [.accuracy, .normalizedAccuracy, .byteAccuracy]
        case .contexts: [.accuracy]
        case .completion: [.accuracy, .perplexity]
        }
    }
}

/// One line of a task file.
struct TaskDocument: Equatable, Sendable {
    let task: String
    /// A string or an integer, for the reader of `--per-document`.
    let id: JSONValue?
    let file: String
    /// Counted from 1.
    let line: Int
    let query: TaskQuery

    /// `FILE:LINE`, for messages.
    var place: String { "\(file):\(line)" }
}
