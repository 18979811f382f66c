// CheckpointStore+Candidates - the step directories that a CHECKPOINT argument means.

extension CheckpointStore {
    /// The step directories that `path` means, newest first: `path` itself, or the step directories in it.
    ///
    /// Nothing in them is verified.
    ///
    /// - Throws: ``CheckpointError``: `missing` where there are none, with a suggestion.
    public static func candidates(_ path: String) throws -> [String] {
        let path = Files.trimmingSlashes(path)
        guard try Files.status(path) == .directory else {
            throw CheckpointError(
                .missing, file: path,
                "there is no such directory: give a step directory or a checkpoints directory")
        }
        let entries = try Files.list(path)
        if StepName(Files.name(of: path)) != nil || entries.contains(IndexFile.name)
            || entries.contains(completionName)
        {
            return [path]
        }
        let steps = try CheckpointStore(directory: path).stepDirectories()
        guard steps.isEmpty else { return steps.map(\.path) }
        var message = "the directory holds no checkpoint (step-NNNNNNNN)"
        if entries.contains("checkpoints") { message += "; did you mean \(path)/checkpoints?" }
        if let aside = entries.first(where: { StepName($0)?.suffix == .replaced }) {
            message += "; \(aside) was being replaced when a save died: resuming that run restores it"
        }
        throw CheckpointError(.missing, file: path, message)
    }
}
