// CheckpointFinder+Removal - checkpoints that another run removes while they are read.

package import Checkpointing
internal import Foundation
internal import JobRuntime
internal import MessagePassing
internal import Reporting

extension CheckpointFinder {
    /// A checkpoint that was there at first, and is not there any more; thrown by all ranks alike.
    struct Removed: Error {
        let checkpoint: String
    }

    /// Each start finds a newer checkpoint than the last, so that many a run saves so often.
    private static let mostStarts = 20

    /// Opens a CHECKPOINT argument and runs `body` with it, which fails on all ranks alike.
    ///
    /// A run may remove the checkpoint meanwhile (`checkpoint.keep`). Then the newest one that is there takes its place, from the
    /// start; a step directory that was asked for by its name is an error. Collective.
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

    /// Runs `body`, which looks for checkpoints in `path`, anew as long as one that it has found is removed meanwhile.
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

    /// Whether a checkpoint is not there any more, as rank 0 sees it. Collective.
    func isGone(_ checkpoint: String) throws -> Bool {
        try communicator.isTrueOnAny(
            communicator.rank == 0 && !FileManager.default.fileExists(atPath: checkpoint))
    }
}
