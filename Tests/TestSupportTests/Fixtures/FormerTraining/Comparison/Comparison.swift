// Comparison - types of a folder that others need, and one type that it needs of each other folder.

struct ComparisonTable {}

struct ComparisonNeeds {
    let jSONValue: JSONValue
    let programFailure: ProgramFailure
    let runDirectory: RunDirectory
}
