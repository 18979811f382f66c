// Trainer+Record - the record of a start in the run directory.

package import Checkpointing
internal import Configuration
internal import Evaluation
internal import Foundation
package import JobRuntime
internal import MessagePassing
internal import Reporting

extension Trainer {
    /// Writes the resolved configuration, and a row of `starts.jsonl`, before the first thing that the start computes.
    ///
    /// Rank 0 only. A start that computes nothing leaves no trace: the files tell how the model came about.
    ///
    /// - Parameters:
    ///   - checkpoint: the checkpoint that the run continues from; nil for a new run.
    ///   - weights: the initial weights of a new run; nil where the seed decides them.
    package func record(
        in directory: RunDirectory, _ checkpoint: CheckpointReader?, _ weights: InitialWeights?
    ) throws {
        var record = StartRecord(
            fromStep: 0, origin: .new, branch: options.branch, ranks: communicator.size,
            time: ISO8601DateFormatter().string(from: Date()), configuration: configuration)
        var earlier: [String] = []
        if let checkpoint {
            record.path = checkpoint.directory
            record.fromStep = checkpoint.index.step
            if checkpoint.index.isImported {
                record.origin = .imported
                record.parameters = try CheckpointFinder.reading { try checkpoint.parameterHash() }
            } else {
                record.origin = .checkpoint
                let history = history(of: checkpoint, in: directory)
                record.isHistoryKnown = history != nil
                earlier = history ?? []
            }
        } else if let weights {
            record.origin = .weights
            record.path = weights.source.directory
            record.parameters = try CheckpointFinder.reading { try weights.source.parameterHash() }
        }
        try directory.write(configuration: configuration.yaml)
        if case .path(let path) = options.resume { try directory.write(origin: path) }
        try StartsFile(directory: directory.path).append(earlier + [record.line])
    }

    /// Rows of another run directory that tell how `checkpoint` came about, to be copied into this one; empty where the rows
    /// of this directory do; nil where none do.
    private func history(of checkpoint: CheckpointReader, in directory: RunDirectory) -> [String]? {
        guard let writer = writer(of: checkpoint) else { return nil }
        if rows(in: directory.path, about: checkpoint, by: writer) != nil { return [] }
        // A checkpoint lies in its run directory's checkpoints, or with a copy of the rows where --branch moved it.
        let parent = URL(fileURLWithPath: checkpoint.directory).deletingLastPathComponent()
        for place in [parent.path, parent.deletingLastPathComponent().path, writer.logging.directory] {
            guard let rows = rows(in: place, about: checkpoint, by: writer) else { continue }
            let step = checkpoint.index.step
            return rows.filter { $0.record.origin.isBeginning || $0.record.fromStep < step }.map(\.text)
        }
        return nil
    }

    /// Whether a run directory holds the metrics of another story than that of a checkpoint from elsewhere.
    func tellsAnotherStory(_ directory: RunDirectory, than checkpoint: CheckpointReader, _ store: CheckpointStore)
        -> Bool
    {
        guard !store.holds(checkpoint.directory), let writer = writer(of: checkpoint),
            let own = try? StartsFile(directory: directory.path).rows(), let last = own.last?.record
        else { return false }
        // Stopped before its first save, a run is started again from the same checkpoint.
        if last.path == checkpoint.directory && last.fromStep == checkpoint.index.step { return false }
        return rows(in: directory.path, about: checkpoint, by: writer) == nil
    }

    /// The configuration of the start that wrote `checkpoint`; nil for an imported one.
    private func writer(of checkpoint: CheckpointReader) -> RunConfiguration? {
        try? RunConfiguration.fromJSON(checkpoint.index.configuration, file: checkpoint.directory)
    }

    /// The rows in a run directory, if one of them is of the start that wrote `checkpoint`.
    private func rows(
        in place: String, about checkpoint: CheckpointReader, by writer: RunConfiguration
    ) -> [StartsFile.Row]? {
        let rows: [StartsFile.Row]?
        do {
            rows = try StartsFile(directory: place).rows()
        } catch {
            // The checkpoint can be continued all the same.
            console.warning("how \(checkpoint.directory) came about cannot be told: \(ProgramFailure(error).message)")
            return nil
        }
        let isOfTheCheckpoint = rows?.contains {
            $0.record.fromStep <= checkpoint.index.step && $0.record.configuration == writer
        }
        return isOfTheCheckpoint == true ? rows : nil
    }
}
