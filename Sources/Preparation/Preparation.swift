// Preparation - what `prepare` is to do: text files in, one .bin/.idx pair out, or one per domain.

internal import TokenData
internal import InputFiles
public import Tokenizers

/// The job, as every rank knows it. All ranks make the same one, from the same arguments.
public struct Preparation: Sendable {
    /// What is asked for.
    public struct Request: Sendable {
        public var tokenizer: any Tokenizer
        /// Files of text, see ``DocumentSource``.
        public var files: [String]
        /// PREFIX.
        public var output: String
        /// Whether each `meta.pile_set_name` has an output of its own, PREFIX-NAME.
        public var splitsDomains: Bool
        /// Whether malformed lines are counted and left out; otherwise the first is an error.
        public var skipsMalformed: Bool
        /// Bytes of text in a part; nil: chosen by the size of the files.
        var chunkSize: Int?
        /// Most domains with outputs of their own; tests set a small number.
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
    /// Whole files that hold nothing that can be used.
    let skippedFiles: SkippedCounts
    /// What somebody should know of files that are used as they are.
    public let remarks: [String]

    /// Looks at the files.
    ///
    /// - Throws: ``DataError`` for arguments that cannot be followed, and for a file that cannot be used; for an empty
    ///   one, or a text that has no domain to go to, only if nothing is to be skipped.
    public init(_ request: Request) throws {
        try Self.requireOutput(request.output)
        var seen: Set<String> = []
        var usable: [ChunkLayout.File] = []
        var skipped = SkippedCounts()
        var stamps: [PreparationManifest.File] = []
        var remarks: [String] = []
        for path in request.files {
            guard seen.insert(path).inserted else {
                throw DataError(file: path, problem: "the file is given twice", remedy: "give each file once")
            }
            guard let format = DocumentSource(path: path) else {
                throw try wrongEnding(path, allowed: "allowed: \(DocumentSource.suffixes)") {
                    "it is prepared already: a configuration's data has \($0) as a path"
                }
            }
            let file = TextFile(path: path, format: format)
            if let mistake = try Self.mistake(in: file, request) {
                guard request.skipsMalformed, !mistake.isFatal else { throw mistake.error }
                let example = SkippedCounts.Example(file: path, problem: mistake.words)
                skipped.add(example, reason: mistake.error.problem)
                continue
            }
            if let remark = try file.remark(for: request.tokenizer) { remarks.append(remark) }
            let stamp = try FileStamp(path)
            usable.append(ChunkLayout.File(text: file, size: stamp.size))
            stamps.append(PreparationManifest.File(path: path, stamp: stamp))
        }
        guard !usable.isEmpty else {
            throw DataError(
                problem: "no file holds text that can be used",
                remedy: (["give \(DocumentSource.suffixes) files"] + skipped.lines).joined(separator: "\n"))
        }
        let size =
            request.chunkSize
            ?? ChunkLayout.chunkSize(
                forBytes: usable.reduce(0) { $0 + ChunkLayout.weight($1.text.format, size: $1.size) })
        self.request = request
        layout = ChunkLayout(files: usable, chunkSize: size, cutsTexts: request.tokenizer.splitsAnywhere)
        elementType = IndexedDatasetWriter.elementType(vocabularySize: request.tokenizer.size)
        skippedFiles = skipped
        self.remarks = remarks
        manifest = PreparationManifest(
            tokenizer: PreparationManifest.Tokenizer(request.tokenizer), files: stamps, chunkSize: size,
            splitsDomains: request.splitsDomains)
    }

    /// What is wrong with a whole file.
    private struct FileMistake {
        let error: DataError
        /// What is listed where the file is skipped.
        let words: String
        /// Whether it is an error also where mistakes are skipped.
        let isFatal: Bool
    }

    /// What is wrong with a whole file, as far as its size and its first bytes tell.
    private static func mistake(in file: TextFile, _ request: Request) throws -> FileMistake? {
        var problem: String?
        if case .regular(0) = FileKind.at(file.path) { problem = "the file is empty" }
        if request.splitsDomains, file.format.layout == .text { problem = PartEncoder.noDomain }
        if let problem {
            let error = DataError(
                file: file.path, problem: problem, remedy: "leave it out, or use --on-error skip")
            return FileMistake(error: error, words: problem, isFatal: false)
        }
        guard let content = try file.foreignContent(for: request.tokenizer) else { return nil }
        // Text that cannot be decompressed are an error, wherever in the file that is found.
        return FileMistake(
            error: DataError(file: file.path, problem: content.problem, remedy: content.remedy),
            words: "\(content.problem); \(content.remedy)", isFatal: file.format.isCompressed)
    }

    private static func requireOutput(_ output: String) throws {
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

    /// Bytes of all files, to tell how far the work is.
    public var totalBytes: Int { layout.files.reduce(0) { $0 + $1.size } }

    /// Checks that the files are still what they were.
    func requireUnchanged() throws {
        for file in manifest.files where try FileStamp(file.path) != file.stamp {
            throw DataError(
                file: file.path, problem: "the file has changed while it was prepared",
                remedy: "run the same command again when it is complete")
        }
    }

    /// The directory of the parts, which goes away with the end.
    public var folder: String { request.output + ".parts" }

    var manifestPath: String { folder + "/manifest.json" }
    var summaryPath: String { request.output + ".json" }

    /// The prefix of the output of a domain, or of all.
    func prefix(_ domain: String?) -> String {
        domain.map { "\(request.output)-\(DomainNames.safe($0))" } ?? request.output
    }
}
