// CheckpointFinder+Removal - handles checkpoints that another run removes while they are read.

package import Checkpointing
internal import Foundation
internal import JobRuntime
internal import MessagePassing
internal import Reporting

extension CheckpointFinder {
    /// A checkpoint that was removed while it was read. All ranks throw it.
    struct Removed: Error {
        let checkpoint: String
    }

    /// Maximum number of starts. Each start finds a newer checkpoint, because the other run has saved again.
    private static let mostStarts = 20

    /// Opens a CHECKPOINT argument and runs `body` with it. An error of `body` must occur on all ranks. Collective.
    ///
    /// A run may meanwhile remove the checkpoint (`checkpoint.keep`). Then `body` starts again with the newest
    /// checkpoint. A removed step directory that the argument names is an error.
    package func withCheckpoint<Value>(_ path: String, _ body: (CheckpointReader) throws -> Value) throws -> Value {
        try startingOver(path) {
            let reader = try openOnce(path)
            do {
                return try body(reader)
            } catch {
                let isShared = communicator.size == 1 || (error as? ProgramFailure)?.isShared == true
                guard isShared, try isGone(reader.directory) else { throw error }
                throw Removed(checkpoint: reader.directory)
            }
        }
    }

    /// Runs `body`, which searches checkpoints in `path`, and repeats it if its checkpoint was removed meanwhile.
    func startingOver<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        let wanted = CheckpointStore(directory: path).directory
        for _ in 0..<Self.mostStarts {
            do {
                return try body()
            } catch let removed as Removed {
                guard CheckpointStore(directory: removed.checkpoint).directory != wanted else {
                    throw ProgramFailure(
                        .noUsableCheckpoint,
                        "\(wanted) was removed while it was read: a run keeps its newest checkpoints only (checkpoint.keep). Give "
                            + "the checkpoints directory to get the newest, or copy the checkpoint first.",
                        isShared: true)
                }
                console.warning("\(removed.checkpoint) was removed while it was read; taking the newest that is there")
            }
        }
        throw ProgramFailure(
            .noUsableCheckpoint,
            "\(wanted): its checkpoints are removed faster than they can be read. Raise checkpoint.keep of the run that writes "
                + "there, or copy a checkpoint first.", isShared: true)
    }

    /// Whether rank 0 sees that a checkpoint is gone. Collective.
    func isGone(_ checkpoint: String) throws -> Bool {
        try communicator.isTrueOnAny(
            communicator.rank == 0 && !FileManager.default.fileExists(atPath: checkpoint))
    }
}
