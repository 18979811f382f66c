// CheckpointFinder - finds, verifies and opens a checkpoint on all ranks.

package import Checkpointing
internal import Foundation
internal import JobRuntime
package import MessagePassing
package import Reporting

/// Finds, verifies and opens checkpoints. The ranks share the work. Collective.
package struct CheckpointFinder {
    package let communicator: Communicator
    package let console: Console

    package init(communicator: Communicator, console: Console) {
        self.communicator = communicator
        self.console = console
    }

    /// The checkpoint to continue from, or nil for a new run.
    package func find(_ mode: ResumeMode, in store: CheckpointStore) throws -> CheckpointReader? {
        switch mode {
        case .auto:
            return try startingOver(store.directory) { try newest(in: store, quarantines: true) }
        case .never:
            let existing = try communicator.textFromRankZero { try stepDirectories(store).first?.path ?? "" }
            guard existing.isEmpty else {
                throw ProgramFailure(
                    .badInput,
                    "--resume never: \(existing) exists. Move the checkpoints away, choose another "
                        + "checkpoint.directory, or leave the option out to continue.", isShared: true)
            }
            return nil
        case .path(let path):
            return try open(path)
        }
    }

    /// The mode for `--resume PATH`. It is PATH unless this run's own directory holds newer steps.
    ///
    /// Newer steps of this very command are continued, as a requeued job needs it. Newer steps of another branch are
    /// refused: the next `auto` would take its checkpoints for this branch's.
    ///
    /// PATH may be gone when a requeued job starts, because `checkpoint.keep` removes it.
    ///
    /// - Parameter origin: the PATH from which the run last started, if any (rank 0).
    package func mode(resuming path: String, in store: CheckpointStore, origin: String?) throws -> ResumeMode {
        let again = "this run was already continued from \(path): taking its newest checkpoint"
        let isGone = try communicator.textFromRankZero {
            guard origin == path, !FileManager.default.fileExists(atPath: path) else { return "" }
            return try stepDirectories(store).isEmpty ? "" : "gone"
        }
        if !isGone.isEmpty {
            console.line(again)
            return .auto
        }
        let wanted = try open(path).index.step
        let decision = try communicator.textFromRankZero {
            guard let newest = try stepDirectories(store).first, newest.step > wanted else { return "" }
            if origin == path { return "continue" }
            throw ProgramFailure(
                .badInput,
                "--resume \(path) is step \(wanted), but \(newest.path) is newer. Add --branch NAME to go back, which moves the "
                    + "newer ones aside, choose another logging.directory, or leave the option out to continue from the "
                    + "newest.")
        }
        guard decision == "continue" else { return .path(path) }
        console.line(again)
        return .auto
    }

    /// Gives errors of a checkpoint that turned out bad while it was read the status of an unusable one.
    package static func reading<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as CheckpointError where error.condemnsCheckpoint {
            throw ProgramFailure(.noUsableCheckpoint, "\(error)")
        }
    }

    /// Opens a CHECKPOINT argument: a step directory or a checkpoints directory.
    package func open(_ path: String) throws -> CheckpointReader { try startingOver(path) { try openOnce(path) } }

    package func openOnce(_ path: String) throws -> CheckpointReader {
        let candidates = try communicator.textFromRankZero {
            do {
                return try CheckpointStore.candidates(path).joined(separator: "\n")
            } catch {
                throw ProgramFailure(.noUsableCheckpoint, "\(error)")
            }
        }
        // Checkpoints of a directory can replace each other. A step directory is meant itself.
        if candidates != path, let reader = try newest(in: CheckpointStore(directory: path), quarantines: false) {
            return reader
        }
        let (reader, problem) = try verified(path)
        guard let reader else { throw ProgramFailure(.noUsableCheckpoint, problem, isShared: true) }
        return reader
    }

    /// The newest checkpoint that verifies. Newer ones are reported, and renamed if an older one verifies. If none
    /// verifies, all keep their names: the next start must not take the directory for an empty one.
    private func newest(in store: CheckpointStore, quarantines: Bool) throws -> CheckpointReader? {
        let list = try communicator.textFromRankZero {
            if quarantines { for report in try store.recover() { console.warning(report) } }
            return try stepDirectories(store).map(\.path).joined(separator: "\n")
        }
        let candidates = list.split(separator: "\n").map(String.init)
        if candidates.isEmpty {
            try refuseIfOnlyCorrupt(store)
            return nil
        }
        var bad: [String] = []
        for candidate in candidates {
            let (reader, problem) = try verified(candidate)
            if let reader {
                if quarantines {
                    for path in bad {
                        let name = try communicator.textFromRankZero { try store.quarantine(path) }
                        console.warning("renamed \(path) to \(name)")
                    }
                }
                return reader
            }
            console.warning("\(problem); trying an older checkpoint")
            bad.append(candidate)
        }
        throw ProgramFailure(
            .noUsableCheckpoint,
            "\(store.directory): none of its \(candidates.count) checkpoints verifies, and a run with checkpoints is never "
                + "started over silently. Move them away to start a new run.", isShared: true)
    }

    private func refuseIfOnlyCorrupt(_ store: CheckpointStore) throws {
        let corrupt = try communicator.textFromRankZero {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: store.directory)) ?? []
            return names.sorted().first { $0.hasPrefix("step-") && $0.contains(".corrupt") } ?? ""
        }
        guard corrupt.isEmpty else {
            throw ProgramFailure(
                .noUsableCheckpoint,
                "\(store.directory) holds only checkpoints that do not verify (\(corrupt)). Move them away to start a new "
                    + "run.", isShared: true)
        }
    }

    private func stepDirectories(_ store: CheckpointStore) throws -> [(step: Int, path: String)] {
        guard communicator.rank == 0 else { return [] }
        return try store.stepDirectories()
    }

    /// The kind of a failure to open or verify a checkpoint, as ranks tell each other.
    private enum FailureKind: UInt8 {
        /// The checkpoint may be good, but cannot be read.
        case unreadable
        /// Its bytes differ from the written ones.
        case bad
        /// A part of it is missing.
        case absent

        init(_ error: any Error) {
            guard let error = error as? CheckpointError, error.condemnsCheckpoint else {
                self = .unreadable
                return
            }
            self = error.kind == .corrupt ? .bad : .absent
        }
    }

    /// Opens one step directory on every rank. Each rank verifies a part of the shards, and rank 0 the carried files.
    ///
    /// - Returns: the reader; nil and the problem if the checkpoint itself is bad.
    /// - Throws: if a perhaps good checkpoint cannot be read, because an older one would silently lose its steps; if it
    ///   was removed.
    package func verified(_ path: String) throws -> (CheckpointReader?, String) {
        let outcome = Result {
            let reader = try CheckpointReader(directory: path)
            for shard in stride(from: communicator.rank, to: reader.index.shards.count, by: communicator.size) {
                try reader.verifyShard(shard)
            }
            if communicator.rank == 0 { try reader.verifyCarriedFiles() }
            return reader
        }
        var report: [UInt8] = []
        if case .failure(let error) = outcome {
            report = [FailureKind(error).rawValue] + Array("\(error)".utf8)
        }
        let all = try communicator.allGather(report)
        let hasFailed = all.contains { !$0.isEmpty }
        if hasFailed, try isGone(path) { throw Removed(checkpoint: path) }
        if all[0].isEmpty, let rank = all.firstIndex(where: { $0.first == FailureKind.absent.rawValue }) {
            throw ProgramFailure(
                .noUsableCheckpoint,
                "\(String(decoding: all[rank].dropFirst(), as: UTF8.self)): rank \(rank) does not see what rank 0 sees. "
                    + "Checkpoints must be on a file system that all ranks share.", isShared: true)
        }
        let reports = all.filter { !$0.isEmpty }
        if let unreadable = reports.first(where: { $0[0] == FailureKind.unreadable.rawValue }) {
            throw ProgramFailure(
                .noUsableCheckpoint, String(decoding: unreadable.dropFirst(), as: UTF8.self), isShared: true)
        }
        if let bad = reports.first { return (nil, String(decoding: bad.dropFirst(), as: UTF8.self)) }
        return (try outcome.get(), "")
    }
}
