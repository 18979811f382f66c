// RunRecord+TrainingData - finds the fingerprint of a run's training data in its checkpoints.

internal import Checkpointing
internal import Configuration
internal import Reporting
internal import TokenData

extension RunRecord {
    /// Fingerprint of the training data in the newest readable checkpoint of a run; nil if there is none.
    ///
    /// The run directory is searched first, then `checkpoint.directory`.
    static func dataFingerprint(directory: String, configuration: RunConfiguration) -> DataFingerprint? {
        newest(in: directory + "/checkpoints") { _ in true }
            // --branch moves checkpoints into a folder beside the metrics.
            ?? newest(in: directory) { _ in true }
            // The configured directory may belong to another run by now.
            ?? newest(in: configuration.checkpoint.directory) {
                $0.logging.directory == configuration.logging.directory
                    && $0.training.seed == configuration.training.seed && $0.loss == configuration.loss
            }
    }

    private static func newest(in place: String, where isOfTheRun: (RunConfiguration) -> Bool) -> DataFingerprint? {
        for step in (try? CheckpointStore(directory: place).stepDirectories()) ?? [] {
            // A damaged checkpoint is passed over: an older one has the same fingerprint.
            guard let index = try? CheckpointReader(directory: step.path).index, !index.isImported,
                let run = try? RunConfiguration.fromJSON(index.configuration, file: step.path), isOfTheRun(run),
                let data = try? DataFingerprint(json: index.dataFingerprint)
            else { continue }
            return data
        }
        return nil
    }
}
