// Planning - types of a folder that others need, and one type that it needs of each other folder.

struct Quantity {}

struct PlanningNeeds {
    let jSONValue: JSONValue
    let programFailure: ProgramFailure
    let stopwatch: Stopwatch
    let trainingStep: TrainingStep
}
