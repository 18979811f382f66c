// Preparation - what `prepare` is to do: text files in, one .bin/.idx pair out, or one per domain.

/// The job, as every rank knows it. All ranks make the same one, from the same arguments.
public struct Preparation: Sendable {
    /// What is asked for.
    public struct Request: Sendable {
        public var tokenizer: any Tokenizer
        /// .txt, .jsonl and .jsonl.zst files.
        public var files: [String]
        /// PREFIX.
        public var output: String
        /// Whether each `meta.pile_set_name` has an output of its own, PREFIX-NAME.
        public var splitsDomains: Bool
        /// Whether malformed lines are counted and left out; otherwise the first is an error.
        public var skipsMalformed: Bool
        /// Bytes of text in a part; nil: chosen by the size of the files.
        var chunkSize: Int?

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
        for path in request.files {
            guard seen.insert(path).inserted else {
                throw DataError(file: path, problem: "the file is given twice", remedy: "give each file once")
            }
            guard let format = TextFile.Format(path: path) else {
                throw DataError(
                    file: path, problem: "the file's ending is not known", remedy: "allowed: .txt, .jsonl, .jsonl.zst")
            }
            var problem: String?
            if case .regular(0) = FileKind.at(path) { problem = "the file is empty" }
            if request.splitsDomains, format == .text { problem = PartEncoder.noDomain }
            if let problem {
                guard request.skipsMalformed else {
                    throw DataError(file: path, problem: problem, remedy: "leave it out, or use --on-error skip")
                }
                skipped.add(SkippedCounts.Example(file: path, problem: problem))
                continue
            }
            let stamp = try FileStamp(path)
            usable.append(ChunkLayout.File(text: TextFile(path: path, format: format), size: stamp.size))
            stamps.append(PreparationManifest.File(path: path, stamp: stamp))
        }
        guard !usable.isEmpty else {
            throw DataError(
                problem: "no file holds text that can be used", remedy: "give .txt, .jsonl, .jsonl.zst files")
        }
        let size =
            request.chunkSize
            ?? ChunkLayout.chunkSize(
                forBytes: usable.reduce(0) { $0 + ChunkLayout.weight($1.text.format, size: $1.size) })
        self.request = request
        layout = ChunkLayout(files: usable, chunkSize: size, cutsTexts: request.tokenizer.splitsAnywhere)
        elementType = IndexedDatasetWriter.elementType(vocabularySize: request.tokenizer.size)
        skippedFiles = skipped
        manifest = PreparationManifest(
            tokenizer: PreparationManifest.Tokenizer(request.tokenizer), files: stamps, chunkSize: size,
            splitsDomains: request.splitsDomains)
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
                remedy: "remove \(folder) and run the same command again when it is complete")
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
