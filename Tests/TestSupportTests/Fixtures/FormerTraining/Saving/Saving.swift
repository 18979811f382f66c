// Saving - types of a folder that others need, and one type that it needs of each other folder.

struct RunSaves {}

struct SavingNeeds {
    let console: Console
    let programFailure: ProgramFailure
    let trainingState: TrainingState
}
