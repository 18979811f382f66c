// CheckpointSaver - all ranks write their shards, rank 0 completes and cleans up (design section 8).

internal import Checkpointing
internal import Configuration
internal import LlamaModel
internal import MessagePassing
internal import Sharding
internal import TokenData

/// Saves the state of a run; collective.
struct CheckpointSaver {
    let communicator: Communicator
    let console: Console
    let store: CheckpointStore
    let state: TrainingState
    let tokenizer: any Tokenizer
    let fingerprint: String

    /// Writes, verifies and publishes `step-N`, then removes what `checkpoint.keep` no longer keeps.
    ///
    /// - Returns: the path of the new step directory.
    func save() throws -> String {
        let progress = state.progress
        let configuration = state.configuration
        let temporary = try communicator.textFromRankZero { try store.begin(step: progress.step) }
        let record = try communicator.agreed {
            try CheckpointStore.writeShard(
                in: temporary, shard: communicator.rank, of: communicator.size,
                runs: state.optimizer.partition.runs(rank: communicator.rank),
                parameters: state.optimizer.ownedParameters,
                firstMoment: state.optimizer.firstMoment, secondMoment: state.optimizer.secondMoment
            ).encoded()
        }
        let records = try communicator.gather(record, root: 0)
        return try communicator.textFromRankZero {
            let shards = try (records ?? []).map { try ShardRecord(decoding: $0) }
            let index = CheckpointIndex(
                step: progress.step, position: progress.position, tokens: progress.tokens,
                optimizerSteps: progress.updates, configuration: configuration.json,
                seed: configuration.training.seed, model: configuration.model,
                tokenizer: CheckpointIndex.Tokenizer(name: tokenizer.name, bytes: tokenizer.modelBytes),
                dataFingerprint: fingerprint, processor: MachineIdentity.processor, blas: state.productIdentity,
                ranksWritten: communicator.size, shards: shards)
            let path = try store.complete(temporary, index: index)
            do {
                _ = try store.applyRetention(
                    keep: configuration.checkpoint.keep, keepEvery: configuration.checkpoint.keepEvery, verified: path)
            } catch {
                // The save is done; an old checkpoint that cannot be removed is no reason to end a run.
                console.warning("old checkpoints were not all removed: \(error)")
            }
            return path
        }
    }
}
