// KeyRole - the roles of configuration keys in a comparison of runs.

/// The role of a configuration key in a comparison of runs.
enum KeyRole {
    /// Differs between the runs of an arm, as the seed.
    case ofTheRun
    /// Distinguishes arms, as the loss.
    case ofTheArm
    /// Must be equal in all runs, as the model. Why: otherwise the comparison is not one of losses.
    case common
    /// Changes rounding at most, as the number of threads.
    case execution

    /// The role of `key`. An unknown key distinguishes arms, so that its differences show.
    init(_ key: String) {
        switch key {
        case "training.seed", "logging.directory", "checkpoint.directory": self = .ofTheRun
        case "training.global_batch_size": self = .common
        case "training.micro_batch_size", "training.reproducible", "training.blas", "training.gradient_reduction",
            "training.activation_checkpointing", "training.threads", "training.stop_at_step", "training.time_limit",
            "training.bucket_mib", "training.maximum_skipped_steps", "training.watchdog_seconds", "evaluation.every":
            self = .execution
        default:
            switch key.prefix(while: { $0 != "." }) {
            case "model", "data", "schedule", "evaluation": self = .common
            case "checkpoint", "logging": self = .execution
            default: self = .ofTheArm
            }
        }
    }
}

extension KeyRole {
    /// Whether the value of `key` matters at each step, and not at the end only.
    ///
    /// Model and data cannot change during a run. Only the last evaluation is compared.
    static func isOfEachStep(_ key: String) -> Bool {
        switch KeyRole(key) {
        case .ofTheArm: true
        case .common: key == "training.global_batch_size" || key.hasPrefix("schedule.")
        case .ofTheRun, .execution: false
        }
    }
}
