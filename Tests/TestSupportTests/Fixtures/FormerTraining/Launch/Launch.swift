// Launch - types of a folder that others need, and one type that it needs of each other folder.

struct ExitStatus {}
struct LauncherVariables {}
struct ProgramFailure {}

struct LaunchNeeds {
    let ceilings: Ceilings
    let console: Console
    let doctorCommand: DoctorCommand
    let factReader: FactReader
    let finding: Finding
    let launchJudgement: LaunchJudgement
    let machineIdentity: MachineIdentity
}
