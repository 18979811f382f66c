// Facts - types of a folder that others need, and one type that it needs of each other folder.

struct FactReader {}
struct NodeFacts {}

struct FactsNeeds {
    let launcherVariables: LauncherVariables
    let machineIdentity: MachineIdentity
    let systemError: SystemError
}
