// Evaluation - types of a folder that others need, and one type that it needs of each other folder.

struct Evaluator {}
struct FrequencyBuckets {}

struct EvaluationNeeds {
    let jSONValue: JSONValue
    let programFailure: ProgramFailure
    let tokenResult: TokenResult
}
