// CheckpointSaver - saves in the background: all ranks write their shards, rank 0 completes (design section 8).

internal import Checkpointing
internal import Dispatch
internal import Glibc
internal import Kernels
internal import MessagePassing
internal import Reporting
internal import Sharding
internal import Tensors

/// Saves what the ranks own while they train on. Every method that throws is collective.
///
///     idle -- start --> writing -- all have written --> completing -- rank 0 is done --> idle
///                          |  some rank failed              |  rank 0 failed
///                          +----------> idle <--------------+
///
/// A save leaves a state only in ``poll()``, where all ranks learn of it together, so all of them are in the same state
/// between two calls. Files are written on one background thread; messages are exchanged on the main thread.
final class CheckpointSaver {
    /// Writes one rank's shard into the temporary directory; runs in the background.
    typealias ShardWriter = @Sendable (_ temporary: String, _ snapshot: Snapshot) throws -> ShardRecord

    private struct Save: Sendable {
        let index: CheckpointIndex
        let temporary: String
        let begun: ContinuousClock.Instant
    }

    private struct Completion: Sendable {
        let path: String
        let seconds: Double
        let problems: [String]
    }

    private enum State {
        case idle
        /// The task returns the encoded record of this rank's shard.
        case writing(Save, BackgroundTask<[UInt8]>)
        /// The task is rank 0's.
        case completing(Save, BackgroundTask<Completion>?)
    }

    private let communicator: Communicator
    private let store: CheckpointStore
    private let optimizer: ShardedOptimizer
    private let pool: ThreadPool
    private let keep: Int
    private let keepEvery: Int
    private let carriedFiles: [CarriedFile]
    private let snapshot: Snapshot
    private let write: ShardWriter
    private let beforePublishing: (@Sendable () throws -> Void)?
    private let queue = DispatchQueue(label: "mile-dist.saving")
    private var state = State.idle
    /// Seconds that the save in flight has kept the main thread.
    private var stalled = 0.0

    /// Takes the memory of the snapshot.
    ///
    /// - Parameters:
    ///   - optimizer: of this rank; the owned parameters and state are saved.
    ///   - keep: newest checkpoints to keep; 0: all.
    ///   - keepEvery: steps whose multiples stay for good; 0: none.
    ///   - carriedFiles: files that each checkpoint keeps; rank 0's count.
    ///   - write: writes a shard; tests put failures here.
    ///   - beforePublishing: brings to the disk, on rank 0 and in the background, what has to be there before a
    ///     checkpoint that follows it; its failure is reported with the save, which it does not stop.
    init(
        communicator: Communicator, store: CheckpointStore, optimizer: ShardedOptimizer, pool: ThreadPool, keep: Int,
        keepEvery: Int, carriedFiles: [CarriedFile] = [], write: ShardWriter? = nil,
        beforePublishing: (@Sendable () throws -> Void)? = nil
    ) {
        self.communicator = communicator
        self.store = store
        self.optimizer = optimizer
        self.pool = pool
        self.keep = keep
        self.keepEvery = keepEvery
        self.carriedFiles = carriedFiles
        self.beforePublishing = beforePublishing
        snapshot = Snapshot(
            optimizer.partition, rank: communicator.rank, stateTensors: optimizer.state.map(\.name))
        let (rank, size) = (communicator.rank, communicator.size)
        self.write =
            write ?? { temporary, snapshot in
                try CheckpointSaver.writeShard(rank, of: size, in: temporary, from: snapshot)
            }
    }

    /// The ordinary writer: writes, syncs, reads back and compares.
    static func writeShard(
        _ shard: Int, of count: Int, in temporary: String, from snapshot: Snapshot
    ) throws -> ShardRecord {
        try CheckpointStore.writeShard(
            in: temporary, shard: shard, of: count, runs: snapshot.runs, parameters: [snapshot.parameters],
            state: snapshot.state)
    }

    /// Whether a save has been started and has not ended; the same on every rank.
    var isInFlight: Bool {
        if case .idle = state { false } else { true }
    }

    /// Step and age in seconds of the save in flight.
    var inFlight: (step: Int, seconds: Double)? {
        switch state {
        case .idle: nil
        case .writing(let save, _), .completing(let save, _): (save.index.step, save.begun.secondsAgo)
        }
    }

    /// Starts a save: returns once the shard has been copied, and training may change it.
    ///
    /// Traps while another save is in flight: there is one snapshot.
    ///
    /// - Parameter index: the index of the checkpoint, without shards.
    /// - Returns: nil, or why the save could not begin.
    func start(_ index: CheckpointIndex) throws -> SaveFailure? {
        precondition(!isInFlight, "a save is started while another one is in flight")
        let begun = ContinuousClock.now
        var opening: SaveMessage?
        if communicator.rank == 0 {
            do {
                opening = .path(try store.begin(step: index.step))
            } catch {
                opening = .failure(SaveFailure(error, at: place))
            }
        }
        switch try shared(opening) {
        case .failure(let failure): return failure
        case .path(let temporary):
            snapshot.take(optimizer, pool: pool)
            let task = BackgroundTask(on: queue) { [write, snapshot] in
                defer { snapshot.release() }
                return try write(temporary, snapshot).encoded()
            }
            state = .writing(Save(index: index, temporary: temporary, begun: begun), task)
            stalled = begun.secondsAgo
            return nil
        }
    }

    /// Finds out, with one small reduction, how far all ranks are, and goes on where they are ready.
    ///
    /// - Returns: the end of the save; nil while it is in flight.
    func poll() throws -> SaveOutcome? {
        switch state {
        case .idle: preconditionFailure("no save is in flight")
        case .writing(let save, let task): return try pollShards(save, task)
        case .completing(let save, let task): return try pollCompletion(save, task)
        }
    }

    /// Polls until the save in flight has ended.
    ///
    /// Ranks wait by polling together, not each for its own file: then none sits in a reduction for as long as another
    /// one's file system takes, which a deadline would mistake for a rank that hangs.
    func wait() throws -> SaveOutcome {
        let begin = ContinuousClock.now
        var pause: UInt32 = 100
        while true {
            if let outcome = try poll() {
                guard case .saved(var saved) = outcome else { return outcome }
                saved.stallSeconds += begin.secondsAgo
                return .saved(saved)
            }
            // A signal may cut the pause short, which does no harm.
            usleep(pause)
            pause = min(2 * pause, 10_000)
        }
    }

    private func pollShards(_ save: Save, _ task: BackgroundTask<[UInt8]>) throws -> SaveOutcome? {
        let result = task.result
        var failure: SaveFailure?
        if case .failure(let error) = result { failure = SaveFailure(error, at: place) }
        let counts = try communicator.sum([result == nil ? 0 : 1, failure == nil ? 0 : 1])
        // Also after a failure all are waited for: the directory can be removed only when nobody writes in it.
        guard counts[0] == communicator.size else { return nil }
        if counts[1] > 0 {
            let own = failure.map { SaveMessage.failure($0).bytes } ?? []
            let reports = try communicator.gather(own, root: 0)
            return try end(save, reports.map { .failure(Self.summary(of: $0)) }, nil)
        }
        guard case .success(let record) = result else { preconditionFailure("all shards are written but this one") }
        let records = try communicator.gather(record, root: 0)
        state = .completing(save, records.map { complete(save, records: $0) })
        return nil
    }

    private func pollCompletion(_ save: Save, _ task: BackgroundTask<Completion>?) throws -> SaveOutcome? {
        let result = task?.result
        guard try communicator.sum([result == nil ? 0 : 1])[0] > 0 else { return nil }
        switch result {
        // Another rank than 0, which is told.
        case nil: return try end(save, nil, nil)
        case .success(let completion): return try end(save, .path(completion.path), completion)
        case .failure(let error): return try end(save, .failure(SaveFailure(error, at: place)), nil)
        }
    }

    /// Rank 0: checks all shards, publishes the checkpoint and removes older ones beyond the kept number.
    private func complete(_ save: Save, records: [[UInt8]]) -> BackgroundTask<Completion> {
        BackgroundTask(on: queue) { [store, keep, keepEvery, carriedFiles, beforePublishing] in
            var index = save.index
            index.shards = try records.map { try ShardRecord(decoding: $0) }
            // Of these neither is a reason to call the save failed.
            var problems: [String] = []
            do { try beforePublishing?() } catch { problems.append("metrics are not safe on the disk: \(error)") }
            let path = try store.complete(save.temporary, index: index, carriedFiles: carriedFiles)
            do {
                _ = try store.applyRetention(keep: keep, keepEvery: keepEvery, verified: path)
            } catch {
                problems.append("old checkpoints were not all removed: \(error)")
            }
            return Completion(path: path, seconds: save.begun.secondsAgo, problems: problems)
        }
    }

    /// Tells all ranks how the save ended. What a failed one has left is removed; that it could not be is said too.
    ///
    /// - Parameter message: rank 0's; nil on the others.
    private func end(_ save: Save, _ message: SaveMessage?, _ completion: Completion?) throws -> SaveOutcome {
        var message = message
        if case .failure(var failure) = message {
            do {
                try store.discard(save.temporary)
            } catch {
                failure.message += "; the unfinished checkpoint could not be removed: \(error)"
            }
            message = .failure(failure)
        }
        let outcome = try shared(message)
        state = .idle
        switch outcome {
        case .failure(let failure): return .failed(step: save.index.step, failure)
        case .path(let path):
            return .saved(
                SavedCheckpoint(
                    step: save.index.step, path: path, stallSeconds: stalled,
                    writeSeconds: completion?.seconds ?? save.begun.secondsAgo,
                    problems: completion?.problems ?? []))
        }
    }

    /// Gives all ranks the message of rank 0.
    private func shared(_ message: SaveMessage?) throws -> SaveMessage {
        SaveMessage(bytes: try communicator.broadcast(message?.bytes, root: 0))
    }

    /// One failure for all that ranks reported: the first one's words. Ranks that succeeded report nothing.
    private static func summary(of reports: [[UInt8]]) -> SaveFailure {
        let failures = reports.filter { !$0.isEmpty }.compactMap { report in
            if case .failure(let failure) = SaveMessage(bytes: report) { failure } else { nil }
        }
        guard let first = failures.first else { preconditionFailure("a save failed on no rank") }
        let more = failures.count - 1
        return SaveFailure(
            message: first.message + (more > 0 ? "; and \(more) more rank\(more == 1 ? "" : "s") failed" : ""),
            // Where rank 0 of several fails too, it may be the one that does not see the directory: somebody has removed it.
            isNotShared: (reports.count == 1 || reports.first?.isEmpty == true)
                && failures.contains(where: \.isNotShared))
    }

    private var place: String { "rank \(communicator.rank) on \(communicator.host)" }
}
