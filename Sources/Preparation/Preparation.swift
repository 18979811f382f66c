// Preparation - the job of `prepare`: text files in, one .bin/.idx pair out, or one per domain.

public import TokenData
internal import InputFiles
public import Tokenizers

/// The job of `prepare`. Every rank makes an equal one from the command's arguments.
public struct Preparation: Sendable {
    /// The arguments of the command.
    public struct Request: Sendable {
        public var tokenizer: any Tokenizer
        /// Paths of text files, see ``DocumentSource``, and names of streams.
        public var files: [String]
        /// Copies of the streams among `files`.
        public var streams: [SpooledInput] = []
        /// Key, separator and encoding of the texts.
        public var reading = TextReading()
        /// The option `--output`: the prefix of the output files.
        public var output: String
        /// Whether each `meta.pile_set_name` has an output of its own, PREFIX-NAME.
        public var splitsDomains: Bool
        /// Whether malformed lines are counted and left out. If not, the first one is an error.
        public var skipsMalformed: Bool
        /// Nominal size of a part in bytes of text; nil derives it from the size of the files.
        var chunkSize: Int?
        /// Maximum number of domains with outputs of their own; tests set a small one.
        var mostDomains = DomainNames.most

        public init(
            tokenizer: any Tokenizer, files: [String], output: String, splitsDomains: Bool, skipsMalformed: Bool
        ) {
            self.tokenizer = tokenizer
            self.files = files
            self.output = output
            self.splitsDomains = splitsDomains
            self.skipsMalformed = skipsMalformed
        }
    }

    let request: Request
    let layout: ChunkLayout
    let elementType: IndexedDataset.ElementType
    public let manifest: PreparationManifest
    /// Whole files that were skipped.
    let skippedFiles: SkippedCounts
    /// Warnings about files that are used as they are.
    public let remarks: [String]

    /// Examines the files.
    ///
    /// - Throws: ``DataError`` for contradictory arguments and unusable files. Empty files, and texts without a domain
    ///   where domains are split, are errors only if mistakes are not skipped.
    public init(_ request: Request) throws {
        try Self.requireOutput(request.output)
        var seen: Set<String> = []
        var usable: [ChunkLayout.File] = []
        var skipped = SkippedCounts()
        var stamps: [PreparationManifest.File] = []
        var remarks: [String] = []
        for name in request.files {
            guard seen.insert(name).inserted else {
                throw DataError(file: name, problem: "the file is given twice", remedy: "give each file once")
            }
            let stream = request.streams.first { $0.name == name }
            let path = stream?.path ?? name
            guard let format = DocumentSource(path: path) else {
                throw try wrongEnding(path, allowed: "allowed: \(DocumentSource.suffixes)") {
                    "it is prepared already: a configuration's data has \($0) as a path"
                }
            }
            let file = TextFile(path: path, format: format, reading: request.reading, name: name)
            if let mistake = try Self.mistake(in: file, request) {
                guard request.skipsMalformed, !mistake.isFatal else { throw mistake.error }
                let example = SkippedCounts.Example(file: name, problem: mistake.words)
                skipped.add(example, reason: mistake.error.problem)
                continue
            }
            if let remark = try file.remark(for: request.tokenizer) { remarks.append(remark) }
            let stamp = try stream.map { FileStamp(streamOf: $0.size) } ?? FileStamp(path)
            usable.append(ChunkLayout.File(text: file, size: stamp.size))
            stamps.append(PreparationManifest.File(path: name, stamp: stamp, hash: stream?.hash))
        }
        guard !usable.isEmpty else {
            throw DataError(
                problem: "no file holds text that can be used",
                remedy: (["give \(DocumentSource.suffixes) files"] + skipped.lines).joined(separator: "\n"))
        }
        let size =
            request.chunkSize
            ?? ChunkLayout.chunkSize(
                forBytes: usable.reduce(0) { $0 + ChunkLayout.weight($1.text, size: $1.size) })
        self.request = request
        layout = ChunkLayout(files: usable, chunkSize: size, cutsTexts: request.tokenizer.splitsAnywhere)
        elementType = IndexedDatasetWriter.elementType(vocabularySize: request.tokenizer.size)
        skippedFiles = skipped
        self.remarks = remarks
        manifest = PreparationManifest(
            tokenizer: PreparationManifest.Tokenizer(request.tokenizer), files: stamps, chunkSize: size,
            splitsDomains: request.splitsDomains,
            reading: request.reading == TextReading() ? nil : request.reading)
    }

    /// A mistake of a whole file.
    private struct FileMistake {
        let error: DataError
        /// The line about the skipped file.
        let words: String
        /// Whether it is an error even if mistakes are skipped.
        let isFatal: Bool
    }

    /// The mistake of a whole file, as far as its size and its first bytes tell.
    private static func mistake(in file: TextFile, _ request: Request) throws -> FileMistake? {
        var problem: String?
        if case .regular(0) = FileKind.at(file.path) { problem = "the file is empty" }
        if request.splitsDomains, file.format.layout == .text { problem = PartEncoder.noDomain }
        if let problem {
            let error = DataError(
                file: file.name, problem: problem, remedy: "leave it out, or use --on-error skip")
            return FileMistake(error: error, words: problem, isFatal: false)
        }
        guard let content = try file.foreignContent(for: request.tokenizer) else { return nil }
        // Compressed text that cannot be decompressed is an error, wherever the damage is found.
        return FileMistake(
            error: DataError(file: file.name, problem: content.problem, remedy: content.remedy),
            words: "\(content.problem); \(content.remedy)", isFatal: file.format.isCompressed || file.format.isTable)
    }

    /// Checks that the option `--output` is a prefix.
    ///
    /// - Throws: ``DataError``.
    public static func requireOutput(_ output: String) throws {
        func failure(_ problem: String, _ remedy: String) -> DataError {
            DataError(key: "--output", file: output, problem: problem, remedy: remedy)
        }
        if output.hasSuffix(".bin") || output.hasSuffix(".idx") {
            throw failure("this is the name of one file", "give \(output.dropLast(4)), without the ending")
        }
        guard !output.isEmpty, !output.hasSuffix("/"), FileKind.at(output) != .directory else {
            throw failure("this is a directory", "give a name in it, to which .bin and .idx are added")
        }
    }

    /// Total size of all files in bytes, for progress.
    public var totalBytes: Int { layout.files.reduce(0) { $0 + $1.size } }

    /// Checks that no file has changed since it was examined.
    func requireUnchanged() throws {
        // A copy of a stream is this program's own.
        for file in manifest.files where try file.hash == nil && FileStamp(file.path) != file.stamp {
            throw DataError(
                file: file.path, problem: "the file has changed while it was prepared",
                remedy: "run the same command again when it is complete")
        }
    }

    /// The directory of the parts, which is removed at the end.
    public var folder: String { Self.folder(ofOutput: request.output) }

    /// The directory of the parts of the output `output`.
    public static func folder(ofOutput output: String) -> String { output + ".parts" }

    var manifestPath: String { folder + "/manifest.json" }
    var summaryPath: String { request.output + ".json" }

    /// The prefix of the output of a domain; of the only output for nil.
    func prefix(_ domain: String?) -> String {
        domain.map { "\(request.output)-\(DomainNames.safe($0))" } ?? request.output
    }
}
