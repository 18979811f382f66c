// Output - types of a folder that others need, and one type that it needs of each other folder.

struct Console {}
struct JSONValue {}
struct MetricsFile {}
struct SystemError {}

struct OutputNeeds {
    let programFailure: ProgramFailure
    let runDirectory: RunDirectory
}
