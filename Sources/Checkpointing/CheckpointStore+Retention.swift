// CheckpointStore+Retention - finding, recovering, moving aside and removing checkpoints.

extension CheckpointStore {
    /// The directories with a final name, newest step first; none when the store does not exist. They are not verified.
    public func stepDirectories() throws -> [(step: Int, path: String)] {
        try names { $0.suffix == .none }
            .sorted { $0.step > $1.step }
            .map { ($0.step, path($0)) }
    }

    /// Rank 0, at start and before a save: resolves the state that a crash left.
    ///
    /// An unfinished save or removal is cleared away. Where a step was being saved again, the new checkpoint stays if
    /// it has its final name and verifies. Otherwise the old one comes back.
    ///
    /// - Returns: a sentence for each action.
    @discardableResult
    public func recover() throws -> [String] {
        var actions: [String] = []
        for name in try names(where: { $0.suffix == .replaced }) {
            let aside = path(name)
            let final = path(StepName(step: name.step))
            if try Files.status(final) != .absent {
                do {
                    try CheckpointReader(directory: final).verifyAll()
                    try remove(aside)
                    actions.append("removed \(aside): its replacement \(final) verifies")
                    continue
                } catch let error as CheckpointError where error.condemnsCheckpoint {
                    let moved = try quarantine(final)
                    actions.append("moved \(final) to \(moved): \(error)")
                }
            }
            try Files.rename(aside, to: final)
            actions.append("restored \(final): its replacement was not finished")
        }
        for name in try names(where: { $0.suffix == .partial || $0.suffix == .removed }) {
            do {
                try Files.removeDirectory(path(name))
                actions.append(
                    "removed \(path(name)): \(name.suffix == .partial ? "a save" : "a removal") did not finish")
            } catch {
                // A file that somebody still reads can keep a directory on NFS. The next recovery tries again.
                actions.append("\(path(name)) could not be removed yet: \(error)")
            }
        }
        if !actions.isEmpty { try Files.sync(directory) }
        return actions
    }

    /// Renames a bad step directory to `step-N.corrupt`, or `step-N.corrupt-2` and so on where that exists.
    ///
    /// - Returns: the new path.
    public func quarantine(_ path: String) throws -> String {
        guard let name = StepName(Files.name(of: path)), name.suffix == .none else {
            preconditionFailure("\(path) is not a step directory")
        }
        let old = self.path(name)
        var new = old + ".corrupt"
        var number = 2
        while try Files.status(new) != .absent {
            new = old + ".corrupt-\(number)"
            number += 1
        }
        try Files.rename(old, to: new)
        try Files.sync(directory)
        return new
    }

    /// Rank 0: moves the step directories of later steps into a folder of this directory, newest first.
    ///
    /// Why newest first: after a crash in between, the rest is the history of a run that ended earlier.
    ///
    /// - Parameters:
    ///   - step: the last step that stays.
    ///   - folder: an existing directory on the same file system.
    /// - Returns: names of all step directories in the folder.
    public func moveAside(stepsAfter step: Int, into folder: String) throws -> [String] {
        try recover()
        for later in try stepDirectories() where later.step > step {
            try Files.rename(later.path, to: "\(folder)/\(Files.name(of: later.path))")
        }
        try Files.sync(folder)
        try Files.sync(directory)
        return try CheckpointStore(directory: folder).stepDirectories().map { Files.name(of: $0.path) }
    }

    /// Removes old checkpoints.
    ///
    /// These checkpoints stay:
    /// - the newest `keep` that open as complete
    /// - for each multiple of `keepEvery` the first checkpoint at or after it
    /// - `verified`, which need not be the newest step after a return to an older one
    /// - every directory that does not open: it helps to find the cause, and does not count towards `keep`
    ///
    /// Before anything is removed, a newer checkpoint has been verified to its last byte.
    ///
    /// - Parameters:
    ///   - keep: number to keep; 0: all.
    ///   - keepEvery: steps between checkpoints that stay for good; 0: none.
    ///   - verified: a step directory that the caller has just verified completely; it is not read again.
    /// - Returns: the paths of the removed directories.
    public func applyRetention(keep: Int, keepEvery: Int, verified: String? = nil) throws -> [String] {
        precondition(keep >= 0 && keepEvery >= 0, "retention counts are negative: \(keep), \(keepEvery)")
        if keep == 0 { return [] }
        var complete: [(step: Int, path: String)] = []
        for candidate in try stepDirectories() {
            do {
                _ = try CheckpointReader(directory: candidate.path)
                complete.append(candidate)
            } catch is CheckpointError {
                // Neither counted nor removed. Loading it reports the error.
                continue
            }
        }
        let kept = complete.prefix(keep)
        let own = verified.flatMap { StepName(Files.name(of: $0)) }
        let steps = complete.map(\.step)
        let superfluous = complete.indices.dropFirst(keep).filter { index in
            !Self.staysForGood(index, of: steps, keepEvery: keepEvery)
                && StepName(Files.name(of: complete[index].path)) != own
        }.map { complete[$0] }
        if superfluous.isEmpty { return [] }
        guard try kept.contains(where: { try isSound($0.path, verified: verified) }) else { return [] }
        for candidate in superfluous { try remove(candidate.path) }
        try Files.sync(directory)
        return superfluous.map(\.path)
    }

    /// Whether a checkpoint is at a multiple of `keepEvery`, or the first one after it.
    ///
    /// Why the first after: `checkpoint.every` need not divide `checkpoint.keep_every`, and a save may have failed.
    ///
    /// - Parameter steps: the steps of all checkpoints, newest first.
    private static func staysForGood(_ index: Int, of steps: [Int], keepEvery: Int) -> Bool {
        guard keepEvery > 0 else { return false }
        let step = steps[index]
        if step % keepEvery == 0 { return true }
        let older = index + 1 < steps.count ? steps[index + 1] : 0
        return older / keepEvery < step / keepEvery
    }

    private func isSound(_ path: String, verified: String?) throws -> Bool {
        if let verified, StepName(Files.name(of: verified)) == StepName(Files.name(of: path)) { return true }
        do {
            try CheckpointReader(directory: path).verifyAll()
            return true
        } catch let error as CheckpointError where error.condemnsCheckpoint {
            return false
        }
    }

    /// Removes a checkpoint. It loses its final name first.
    ///
    /// Why: a directory with a final name is whole, even after a crash during the removal.
    private func remove(_ path: String) throws(CheckpointError) {
        guard let name = StepName(Files.name(of: path)) else { preconditionFailure("\(path) has no step") }
        let doomed = self.path(StepName(step: name.step, suffix: .removed))
        if try Files.status(doomed) != .absent { try Files.removeDirectory(doomed) }
        try Files.rename(path, to: doomed)
        try Files.removeDirectory(doomed)
    }

    /// The step names of directories that satisfy `condition`.
    private func names(where condition: (StepName) -> Bool) throws(CheckpointError) -> [StepName] {
        switch try Files.status(directory) {
        case .absent: return []
        case .directory: break
        case .file, .other:
            throw CheckpointError(
                .io, file: directory, "it is not a directory: move it away or choose another checkpoint.directory")
        }
        var found: [StepName] = []
        for text in try Files.list(directory) {
            guard let name = StepName(text), condition(name), try Files.status(path(name)) == .directory else {
                continue
            }
            found.append(name)
        }
        return found
    }
}
