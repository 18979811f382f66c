// Preparation+Folder - the folder of a preparation: its start, its restart, and its finished output.

internal import Reporting
public import TokenData
internal import InputFiles

/// The state of the output's location at the start of a preparation.
public enum PreparationStart: Sendable {
    case new
    /// Parts of an earlier start exist. Parts of files that have changed since do not count.
    case restart(parts: Int, changedFiles: [String])
    /// The output exists, is complete and was made of an equal input.
    case finished(PreparationSummary)
}

extension Preparation {
    /// File that permits to replace files of the output: they are this preparation's, or `--overwrite` was given.
    private static let replacingName = "replacing"

    private var replacingPath: String { folder + "/" + Self.replacingName }

    /// The summary of a finished output of an equal input; nil if there is none. Rank 0 only; writes nothing.
    ///
    /// - Throws: ``DataError`` if the output has another input, unless `overwrites`.
    public func finished(overwrites: Bool) throws -> PreparationSummary? {
        let summary = PreparationJSON.read(PreparationSummary.self, at: summaryPath)
        if let summary, isWhole(summary), !overwrites {
            let differences = manifest.differences(from: summary.manifest)
            if differences.isEmpty {
                try requireNothingSkipped(summary)
                return summary
            }
            if FileKind.at(replacingPath) == .missing {
                throw DataError(
                    key: "--output", file: request.output,
                    problem: "prepared from another input: \(differences.joined(separator: "; "))",
                    remedy: "choose another --output, or use --overwrite")
            }
        }
        if !overwrites { try requireFree([request.output], alsoSummary: true) }
        return nil
    }

    /// Checks that a finished output skipped nothing, if nothing may be skipped.
    private func requireNothingSkipped(_ summary: PreparationSummary) throws {
        guard !request.skipsMalformed else { return }
        var problem: String?
        if let replaced = summary.replaced, replaced.count > 0 {
            problem = "\(replaced.count) bytes that are no UTF-8 were read as U+FFFD when this was prepared"
        }
        if summary.skippedCount > 0 {
            problem = "\(summary.skippedCount) lines or files were skipped when this was prepared"
        }
        guard let problem else { return }
        throw DataError(
            key: "--on-error", file: summaryPath, problem: problem,
            remedy: "mend them and use --overwrite, or accept them with --on-error skip")
    }

    /// Whether all output files of a summary exist with their sizes.
    private func isWhole(_ summary: PreparationSummary) -> Bool {
        summary.outputs.allSatisfy {
            FileKind.at($0.prefix + ".bin") == .regular(size: $0.binBytes)
                && FileKind.at($0.prefix + ".idx") == .regular(size: $0.idxBytes)
        }
    }

    /// Checks that no existing file of another preparation would be replaced.
    func requireFree(_ prefixes: [String], alsoSummary: Bool = false) throws {
        guard FileKind.at(replacingPath) == .missing else { return }
        let files = prefixes.flatMap { [$0 + ".bin", $0 + ".idx"] } + (alsoSummary ? [summaryPath] : [])
        for file in files where FileKind.at(file) != .missing {
            throw DataError(
                key: "--output", file: file, problem: "the file exists",
                remedy: "choose another --output, or use --overwrite")
        }
    }

    /// Creates ``folder``, which holds the lock.
    public func makeFolder() throws { try Self.makeFolder(ofOutput: request.output) }

    /// Begins or continues a preparation. Afterwards ``folder`` holds the manifest. Rank 0 only, with the lock.
    ///
    /// Parts of files that changed since are removed and made again. The others stay, unless the size of parts changes.
    ///
    /// - Throws: ``DataError`` if the folder holds parts of another input, unless `overwrites`.
    public func begin(overwrites: Bool) throws -> PreparationStart {
        // Copies of streams are part of this start's input.
        let streams = Set(request.streams.map { $0.path.split(separator: "/").last.map(String.init) ?? "" })
        let names = try OutputFolder.names(folder).filter { $0 != RunFiles.lock && !streams.contains($0) }
        let earlier = PreparationJSON.read(PreparationManifest.self, at: manifestPath)
        if let earlier, let outdated = manifest.outdatedFiles(since: earlier), outdated.isEmpty || !overwrites {
            if overwrites { try OutputFolder.write("", to: replacingPath) }
            // Parts that were being written when the earlier start stopped.
            for name in names where name.hasSuffix(PartFile.unfinished) { try OutputFolder.remove(folder + "/" + name) }
            var parts = names.filter { isPart($0) && !$0.hasSuffix(PartFile.unfinished) }
            if !outdated.isEmpty {
                // Parts are removed before the manifest names the changed files: it must never describe parts of older
                // files.
                for name in parts where outdated.contains(where: { PartFile.isPart(name, ofFile: $0) }) {
                    try OutputFolder.remove(folder + "/" + name)
                }
                parts.removeAll { name in outdated.contains { PartFile.isPart(name, ofFile: $0) } }
                try OutputFolder.write(try PreparationJSON.text(manifest), to: manifestPath)
            }
            let files = zip(manifest.files, earlier.files).filter { $0 != $1 }.map { $0.0.path }
            return .restart(parts: parts.count, changedFiles: files)
        }
        let foreign = names.filter { !isOwn($0) }
        guard foreign.isEmpty else {
            throw DataError(
                key: "--output", file: folder, problem: "the directory holds something else (\(foreign[0]))",
                remedy: "choose another --output")
        }
        if let earlier, !overwrites {
            throw DataError(
                key: "--output", file: folder,
                problem: "holds the parts of another input: "
                    + manifest.differences(from: earlier).joined(separator: "; "),
                remedy: manifest.adviceForAddedFiles(since: earlier)
                    ?? "give the same input to go on with it; choose another --output; or use --overwrite to drop it")
        }
        // The manifest is removed first, so that it never stands beside parts of another input.
        try OutputFolder.remove(manifestPath)
        for name in names { try OutputFolder.remove(folder + "/" + name) }
        if overwrites { try OutputFolder.write("", to: replacingPath) }
        try OutputFolder.write(try PreparationJSON.text(manifest), to: manifestPath)
        return .new
    }

    /// Checks that this rank sees the manifest of rank 0. Every rank calls it.
    public func requireShared() throws {
        guard PreparationJSON.read(PreparationManifest.self, at: manifestPath) == manifest else {
            throw OutputError(
                manifestPath, "not what rank 0 wrote there",
                remedy: "with ranks on several nodes --output and all FILES must be in directories that they share")
        }
    }

    /// Records that existing output files are from now on this preparation's own.
    func allowReplacing() throws { try OutputFolder.write("", to: replacingPath) }

    /// Removes this program's files in ``folder``, and the folder. With the lock.
    func removeFolder() throws {
        let names = try OutputFolder.names(folder)
        try OutputFolder.remove(manifestPath)
        for name in names where isOwn(name) { try OutputFolder.remove(folder + "/" + name) }
        try OutputFolder.removeEmpty(folder)
    }

    /// Removes the folder of a finished preparation that was stopped just before the removal.
    public func removeLeftovers() throws {
        guard PreparationJSON.read(PreparationManifest.self, at: manifestPath) == manifest else { return }
        try removeFolder()
    }

    private func isPart(_ name: String) -> Bool { name.hasPrefix("part-") }

    private func isOwn(_ name: String) -> Bool {
        isPart(name) || name.hasPrefix(Self.joinedPrefix) || name.hasPrefix("manifest.json")
            || name.hasPrefix(Self.replacingName) || name.hasPrefix(Self.streamPrefix) || name == RunFiles.lock
    }

    /// Prefix of the names of copies of streams.
    private static let streamPrefix = "stream-"

    /// Path of the copy of stream `index` among the inputs of `output`, without its ending.
    public static func streamPath(_ index: Int, ofOutput output: String) -> String {
        "\(folder(ofOutput: output))/\(streamPrefix)\(index)"
    }

    /// Makes the directory of the parts of `output`, which holds copies of streams.
    public static func makeFolder(ofOutput output: String) throws {
        let folder = folder(ofOutput: output)
        if case .regular = FileKind.at(folder) { throw OutputError(folder, "is a file", remedy: "remove it") }
        try OutputFolder.make(folder)
    }

    /// Removes copies of streams, and the directory if nothing else is in it.
    public static func removeStreams(_ streams: [SpooledInput], ofOutput output: String) throws {
        for stream in streams { stream.remove() }
        let folder = folder(ofOutput: output)
        guard FileKind.at(folder) == .directory, try OutputFolder.names(folder).allSatisfy({ $0 == RunFiles.lock })
        else { return }
        try OutputFolder.remove(folder + "/" + RunFiles.lock)
        try OutputFolder.removeEmpty(folder)
    }

    /// Prefix of the outputs' names before they are renamed.
    static let joinedPrefix = "joined"
}
