// Doctor - types of a folder that others need, and one type that it needs of each other folder.

struct DoctorReport {}
struct Finding {}

struct DoctorNeeds {
    let coreJudgement: CoreJudgement
    let exitStatus: ExitStatus
    let jSONValue: JSONValue
    let memoryLayoutPlan: MemoryLayoutPlan
    let nodeFacts: NodeFacts
}
