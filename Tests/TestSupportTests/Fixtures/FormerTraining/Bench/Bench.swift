// Bench - types of a folder that others need, and one type that it needs of each other folder.

struct Ceilings {}
struct Stopwatch {}

struct BenchNeeds {
    let jSONValue: JSONValue
    let programFailure: ProgramFailure
    let quantity: Quantity
    let trainer: Trainer
}
