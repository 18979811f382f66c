// CheckpointStore - saving: temporary directory, shards, index, completion, rename.

internal import Foundation
public import Tensors

/// A directory of checkpoints.
///
/// A save has three steps, which the trainer distributes over MPI ranks. Rank 0 calls ``begin(step:)``. Each rank calls
/// ``writeShard(in:shard:of:runs:parameters:state:)``. Rank 0 gathers the records and calls
/// ``complete(_:index:carriedFiles:)``. Only the holder of the run's lock may change the directory.
///
/// Names in the directory:
/// - `step-00001000`: complete; a directory gets this name last
/// - `step-00001000.partial`: being written, or left by a save that died
/// - `step-00001000.replaced`: the old checkpoint while a step is saved again; ``recover()`` finishes or undoes the
///   save
/// - `step-00001000.removed`: being removed
/// - `step-00001000.corrupt`, `step-00001000.corrupt-2`, ...: found to be bad and kept for diagnosis
public struct CheckpointStore: Sendable {
    /// Path of the directory; it need not exist before the first save.
    public let directory: String

    static let completionName = "COMPLETE"

    public init(directory: String) {
        self.directory = Files.trimmingSlashes(directory)
    }

    /// Rank 0, at start: makes the directory and checks that this user may write in it.
    ///
    /// Why: a run should fail at its start, not at its first save.
    ///
    /// - Throws: ``CheckpointError`` naming the directory, or a file in its place.
    public func prepare() throws {
        try Files.makeDirectories(directory)
        try Files.requireWritable(directory)
    }

    /// Whether `checkpoint` is a step directory of this store.
    public func holds(_ checkpoint: String) -> Bool {
        let parent = URL(fileURLWithPath: checkpoint).resolvingSymlinksInPath().deletingLastPathComponent()
        return parent.path == URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
    }

    /// Rank 0: makes the empty temporary directory for a save of `step`, and clears what a dead save left.
    ///
    /// - Returns: the path of the temporary directory.
    /// - Throws: ``CheckpointError``, for example when the directory is not writable.
    public func begin(step: Int) throws -> String {
        precondition(step >= 0, "step \(step) is negative")
        try Files.makeDirectories(directory)
        try recover()
        let temporary = path(StepName(step: step, suffix: .partial))
        // Leftovers of other steps may stay for now; this one's must go, or they would be part of the checkpoint.
        if try Files.status(temporary) != .absent { try Files.removeDirectory(temporary) }
        try Files.makeDirectories(temporary)
        return temporary
    }

    /// Every rank: writes `shard-00002-of-00004.h5`, makes it durable, reads it back, compares it with memory and
    /// hashes it.
    ///
    /// - Parameters:
    ///   - temporary: the directory that ``begin(step:)`` returned to rank 0.
    ///   - shard: this rank's number.
    ///   - count: number of shards.
    ///   - runs: ascending, disjoint, non-empty ranges of the flat space; none for an idle rank.
    ///   - parameters: the runs' elements, in pieces that follow one another.
    ///   - state: the optimizer's state tensors, each with the runs' elements, one run after another.
    /// - Returns: the shard's record for the index.
    /// - Throws: ``CheckpointError``; `notShared` when the temporary directory does not exist here, `diskFull` when no
    ///   space is left.
    public static func writeShard(
        in temporary: String, shard: Int, of count: Int, runs: [Range<Int>], parameters: [FloatSlice],
        state: [StateTensor]
    ) throws -> ShardRecord {
        precondition(shard >= 0 && shard < count, "shard \(shard) of \(count) does not exist")
        var end = 0
        for run in runs {
            precondition(run.lowerBound >= end && !run.isEmpty, "the run \(run) does not ascend")
            end = run.upperBound
        }
        let owned = runs.reduce(0) { $0 + $1.count }
        precondition(
            parameters.reduce(0) { $0 + $1.count } == owned && state.allSatisfy { $0.values.count == owned },
            "parameters and optimizer state are not of \(owned) elements")

        guard try Files.status(temporary) == .directory else {
            guard shard > 0 else {
                throw CheckpointError(
                    .missing, file: temporary,
                    "somebody has removed this directory while the checkpoint was being written")
            }
            throw CheckpointError(
                .notShared, file: temporary,
                "rank 0 made this directory, but shard \(shard)'s rank does not see it: checkpoint.directory must be"
                    + " on a file system that all nodes share")
        }
        let name = ShardRecord.fileName(shard: shard, of: count)
        let path = temporary + "/" + name
        let sources: [(role: TensorRole, pieces: [FloatSlice])] =
            [(.parameter, parameters)] + state.map { (.state($0.name), [$0.values]) }
        try ShardFile.write(to: path, runs: runs, sources: sources)
        try Files.sync(path)
        try ShardFile.compare(path, runs: runs, sources: sources)
        guard case .file(let byteCount) = try Files.status(path) else {
            throw CheckpointError(.io, file: path, "the shard was written but is no file any more")
        }
        return ShardRecord(fileName: name, byteCount: byteCount, sha256: try Hash.file(path), runs: runs)
    }

    /// Rank 0: turns the temporary directory into `step-N`.
    ///
    /// Checks that rank 0 sees every shard with its size and hash. Checks that the shards cover the flat space exactly
    /// once. Then writes the carried files and the index, reads them back, writes `COMPLETE`, syncs everything and
    /// renames.
    ///
    /// An older checkpoint of the step is moved aside first. It is removed after the new one has its name and verifies.
    /// A crash in between leaves a state that ``recover()`` resolves.
    ///
    /// - Parameters:
    ///   - temporary: the directory that ``begin(step:)`` returned.
    ///   - index: with the shards. The records of carried files are set here.
    ///   - carriedFiles: files to keep beside the shards.
    /// - Returns: the path of the new step directory, whose every byte has been verified.
    /// - Throws: ``CheckpointError``; `notShared` when rank 0 does not see a shard as its rank wrote it.
    public func complete(
        _ temporary: String, index: CheckpointIndex, carriedFiles: [CarriedFile] = []
    ) throws -> String {
        guard let name = StepName(Files.name(of: temporary)), name.suffix == .partial, name.step == index.step else {
            preconditionFailure("\(temporary) is not the temporary directory of step \(index.step)")
        }
        var index = index
        index.carriedFiles = carriedFiles.map(\.record)
        _ = try index.validated(file: temporary + "/" + IndexFile.name)
        try Self.checkVisible(index.shards, in: temporary)
        try Self.write(carriedFiles, in: temporary)
        try Self.writeIndex(index, in: temporary)
        try Files.sync(temporary)

        let final = path(StepName(step: index.step))
        let aside = path(StepName(step: index.step, suffix: .replaced))
        let replaces = try Files.status(final) != .absent
        if replaces { try Files.rename(final, to: aside) }
        do {
            try Files.rename(temporary, to: final)
            try Files.sync(directory)
            _ = try CheckpointReader(directory: final)
        } catch {
            if replaces, try Files.status(final) == .absent { try Files.rename(aside, to: final) }
            throw error
        }
        if replaces {
            try Files.removeDirectory(aside)
            try Files.sync(directory)
        }
        return final
    }

    /// Rank 0: removes the temporary directory of a save that failed. Why: the save may have filled the disk.
    ///
    /// - Throws: ``CheckpointError`` when a part of it stays; the next ``begin(step:)`` tries again.
    public func discard(_ temporary: String) throws {
        precondition(
            StepName(Files.name(of: temporary))?.suffix == .partial, "\(temporary) is not a temporary directory")
        if try Files.status(temporary) != .absent { try Files.removeDirectory(temporary) }
    }

    private static func checkVisible(_ shards: [ShardRecord], in temporary: String) throws(CheckpointError) {
        // Listing first makes NFS ask the server instead of its cache for files that other nodes made.
        let visible = Set(try Files.list(temporary))
        for (number, shard) in shards.enumerated() {
            let path = temporary + "/" + shard.fileName
            let remedy =
                "checkpoint.directory is not shared between ranks, or shows them different content: put it on a file"
                + " system that all nodes share"
            guard visible.contains(shard.fileName), case .file(let byteCount) = try Files.status(path) else {
                throw CheckpointError(
                    .notShared, file: path, "rank 0 does not see what shard \(number)'s rank wrote; \(remedy)")
            }
            guard byteCount == shard.byteCount else {
                throw CheckpointError(
                    .notShared, file: path,
                    "rank 0 sees \(byteCount) bytes where shard \(number)'s rank wrote \(shard.byteCount); \(remedy)")
            }
            guard try Hash.file(path) == shard.sha256 else {
                throw CheckpointError(
                    .notShared, file: path,
                    "rank 0 sees other bytes than shard \(number)'s rank wrote; \(remedy)")
            }
        }
    }

    private static func writeIndex(_ index: CheckpointIndex, in temporary: String) throws(CheckpointError) {
        let path = temporary + "/" + IndexFile.name
        try IndexFile.write(index, to: path)
        try Files.sync(path)
        guard try IndexFile.read(path).index == index else { throw .readBackDiffers(path) }
        let completion = Hash.bytes(try Files.read(path, limit: .max)) + "\n"
        try Files.write(Array(completion.utf8), to: temporary + "/" + completionName)
    }

    func path(_ name: StepName) -> String { directory + "/" + name.text }
}
