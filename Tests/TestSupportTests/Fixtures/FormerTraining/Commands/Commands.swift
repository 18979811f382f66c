// Commands - types of a folder that others need, and one type that it needs of each other folder.

struct DoctorCommand {}
struct LoadedModel {}
struct TokenResult {}

struct CommandsNeeds {
    let ceilings: Ceilings
    let comparisonTable: ComparisonTable
    let console: Console
    let doctorReport: DoctorReport
    let frequencyBuckets: FrequencyBuckets
    let launchJudgement: LaunchJudgement
    let memoryLayoutPlan: MemoryLayoutPlan
    let nodeFacts: NodeFacts
    let programFailure: ProgramFailure
    let quantity: Quantity
    let taskResult: TaskResult
}
