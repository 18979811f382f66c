// Run - types of a folder that others need, and one type that it needs of each other folder.

struct MachineIdentity {}
struct MemoryLayoutPlan {}
struct RunDirectory {}
struct Trainer {}
struct TrainingState {}
struct TrainingStep {}

struct RunNeeds {
    let evaluator: Evaluator
    let metricsFile: MetricsFile
    let programFailure: ProgramFailure
    let runSaves: RunSaves
}
