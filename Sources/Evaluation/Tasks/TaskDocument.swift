// TaskDocument - one document of a log-likelihood task, its form and the form's metrics.

internal import Reporting

/// A document's question to the model, in terms of lm-evaluation-harness: its texts are `doc_to_text`, `doc_to_choice`
/// and `doc_to_target`.
enum TaskQuery: Equatable, Sendable {
    /// Multiple choice: `delimiter` and a choice continue the context, and the likeliest choice counts.
    case choices([String], context: String, delimiter: String, label: Int)
    /// Partial evaluation, as in Winogrande: one completion after several contexts.
    case contexts([String], completion: String, label: Int)
    /// Last word, as in LAMBADA: greedy decoding of the context must give the completion.
    case completion(String, context: String)

    var form: TaskForm {
        switch self {
        case .choices: .choices
        case .contexts: .contexts
        case .completion: .completion
        }
    }

    /// The pairs of context and continuation whose log-likelihoods are needed.
    var pairs: [(context: String, continuation: String)] {
        switch self {
        case .choices(let choices, let context, let delimiter, _): choices.map { (context, delimiter + $0) }
        case .contexts(let contexts, let completion, _): contexts.map { ($0, completion) }
        case .completion(let completion, let context): [(context, completion)]
        }
    }
}

/// The form of a document. A key with the form's name tells it.
enum TaskForm: String, CaseIterable, Sendable {
    case choices
    case contexts
    case completion

    /// The allowed keys of a line. All but `id` and `delimiter` are required.
    var keys: [String] {
        switch self {
        case .choices: ["task", "id", "context", "choices", "label", "delimiter"]
        case .contexts: ["task", "id", "contexts", "completion", "label"]
        case .completion: ["task", "id", "context", "completion"]
        }
    }

    /// The reported metrics. `contexts` has no `acc_norm`, as in the harness: its continuations are all equal.
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
    /// Line of the document in the file, from 1.
    let line: Int
    let query: TaskQuery

    /// `FILE:LINE`, for messages.
    var location: String { "\(file):\(line)" }
}
