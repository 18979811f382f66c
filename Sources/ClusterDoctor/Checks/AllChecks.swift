// AllChecks - runs every check on the facts of a job.

extension CheckResult {
    /// Runs all checks; faults come first.
    static func all(of facts: [NodeFacts]) -> [CheckResult] {
        let results =
            LaunchChecks.results(facts) + CoreChecks.results(facts) + ProcessorChecks.results(facts)
            + StorageChecks.results(facts) + LimitChecks.results(facts) + NetworkChecks.results(facts)
        return results.filter { $0.diagnosis.severity == .fault } + results.filter { $0.diagnosis.severity == .warning }
    }
}
