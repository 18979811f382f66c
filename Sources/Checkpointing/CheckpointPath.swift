// CheckpointPath - from the CHECKPOINT that a user gives to one verified step directory.

/// A checkpoint that was found and verified to its last byte.
public struct ResolvedCheckpoint {
    /// Path of the step directory.
    public let path: String
    public let reader: CheckpointReader
    /// Newer checkpoints that do not verify, newest first, with what is wrong with them.
    public let skipped: [CheckpointError]
}

extension CheckpointStore {
    /// Finds the checkpoint that `path` means: a step directory, or a checkpoints directory's newest that verifies.
    ///
    /// Changes nothing on disk.
    ///
    /// - Throws: ``CheckpointError``: what is wrong with a step directory; `missing` for a directory without
    ///   checkpoints; `corrupt` for one of which none verifies; and at once for a checkpoint that may be good but
    ///   cannot be read, because falling back would silently lose its steps.
    public static func resolve(_ path: String) throws -> ResolvedCheckpoint {
        let path = Files.trimmingSlashes(path)
        guard try Files.status(path) == .directory else {
            throw CheckpointError(
                .missing, file: path,
                "there is no such directory: give a step directory or a checkpoints directory")
        }
        let entries = try Files.list(path)
        let isStep =
            StepName(Files.name(of: path)) != nil || entries.contains(IndexFile.name)
            || entries.contains(completionName)
        if isStep {
            let reader = try CheckpointReader(directory: path)
            try reader.verifyAll()
            return ResolvedCheckpoint(path: path, reader: reader, skipped: [])
        }
        let steps = try CheckpointStore(directory: path).stepDirectories()
        guard !steps.isEmpty else {
            var message = "the directory holds no checkpoint (step-NNNNNNNN)"
            if entries.contains("checkpoints") { message += "; did you mean \(path)/checkpoints?" }
            if let aside = entries.first(where: { StepName($0)?.suffix == .replaced }) {
                message += "; \(aside) was being replaced when a save died: resuming that run restores it"
            }
            throw CheckpointError(.missing, file: path, message)
        }
        var skipped: [CheckpointError] = []
        for (_, candidate) in steps {
            do {
                let reader = try CheckpointReader(directory: candidate)
                try reader.verifyAll()
                return ResolvedCheckpoint(path: candidate, reader: reader, skipped: skipped)
            } catch let error as CheckpointError where error.condemnsCheckpoint {
                skipped.append(error)
            }
        }
        throw CheckpointError(
            .corrupt, file: path,
            "none of its \(steps.count) checkpoints verifies: "
                + skipped.map(\.description).joined(separator: "; "))
    }
}
