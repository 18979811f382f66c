// RunFiles - names of the files in a run directory.

/// Names of the files that a run writes into `logging.directory`.
package enum RunFiles {
    /// One JSON row per step, evaluation and save.
    package static let metrics = "metrics.jsonl"
    /// The resolved configuration.
    package static let configuration = "configuration.yaml"
    /// Held by the job that runs.
    package static let lock = "lock"
    /// The PATH that `--resume` last continued the run from.
    package static let origin = "resumed-from"
    /// One row per start of the run.
    package static let starts = "starts.jsonl"
}
