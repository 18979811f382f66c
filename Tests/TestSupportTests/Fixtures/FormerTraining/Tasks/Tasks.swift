// Tasks - types of a folder that others need, and one type that it needs of each other folder.

struct TaskResult {}

struct TasksNeeds {
    let jSONValue: JSONValue
    let loadedModel: LoadedModel
    let programFailure: ProgramFailure
    let runDirectory: RunDirectory
}
