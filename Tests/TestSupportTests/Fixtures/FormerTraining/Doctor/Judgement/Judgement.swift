// Judgement - types of a folder that others need, and one type that it needs of each other folder.

struct CoreJudgement {}
struct LaunchJudgement {}

struct JudgementNeeds {
    let finding: Finding
    let nodeFacts: NodeFacts
}
