// DomainReader - opens the domains of the configuration key `data` as sources of sequences.

internal import InputFiles
public import Tokenizers

/// Loads the domains of `configuration` for one purpose. Texts are encoded into memory; prepared pairs are opened and
/// checked.
///
/// Training domains of weight 0 are left out, and their files are not opened. Why: a run without them has an equal
/// order.
///
/// - Parameters:
///   - configuration: key `data`.
/// - vocabularySize: `model.vocab_size`, an exclusive limit of every id.
/// - purpose: selects the list of domains.
/// - tokenizer: the tokenizer of `data.tokenizer` or of a checkpoint. With nil, only prepared pairs can be read.
/// - settings: names of the settings in errors; nil means the keys of a configuration.
/// - threads: number of threads that encode text.
/// - progress: called with one line of words per domain, and every ten seconds while text is encoded.
///   - warn: called with each warning about a text that is read nevertheless.
///   - checkCancellation: called often while text is encoded; its error ends the loading.
/// - Throws: ``DataError`` naming key, file and line, the finding and the allowed values; errors of `checkCancellation`.
public func loadDomains(
    _ configuration: DataConfiguration, vocabularySize: Int, purpose: DataPurpose, tokenizer: (any Tokenizer)?,
    settings: DataSettingNames? = nil, threads: Int = 1, progress: (String) -> Void = { _ in },
    warn: (String) -> Void = { _ in }, checkCancellation: () throws -> Void = {}
) throws -> [TokenDomain] {
    let settings = settings ?? .configuration(purpose)
    try requireSettings(configuration, settings, tokenizer: tokenizer, vocabularySize: vocabularySize)
    let list = purpose == .training ? configuration.train : configuration.validation
    if list.isEmpty && purpose == .validation { return [] }
    try requireDomains(list.map(\.name), settings)
    if purpose == .training {
        // Checked before hours of reading; the seed does not matter.
        _ = try Mixture(weights: list.map(\.weight), names: list.map(\.name), seed: 0)
    }
    let reader = DomainReader(
        tokenizer: tokenizer, sequenceLength: configuration.sequenceLength, vocabularySize: vocabularySize,
        purpose: purpose, findsDocuments: configuration.needsDocuments, settings: settings, threads: threads)
    return try list.enumerated().compactMap { index, domain in
        if purpose == .training && domain.weight == 0 {
            progress("\(purpose.rawValue) domain \(domain.name): weight 0, switched off")
            return nil
        }
        let words = "\(purpose.rawValue) domain \(domain.name): \(domain.path), "
        do {
            let (source, origin) = try reader.open(
                domain, progress: { progress(words + $0) }, warn: warn, checkCancellation: checkCancellation)
            let documents = try source.documentCount.map { " in \($0) documents" } ?? ""
            progress(words + (source.sequenceCount == .max ? "endless" : "\(source.tokenCount) tokens\(documents)"))
            return TokenDomain(name: domain.name, weight: domain.weight, source: source, origin: origin)
        } catch let error as DataError {
            throw error.with(key: settings.path(index))
        }
    }
}

/// Checks the settings that depend on no file.
private func requireSettings(
    _ configuration: DataConfiguration, _ settings: DataSettingNames, tokenizer: (any Tokenizer)?, vocabularySize: Int
) throws {
    if let tokenizer, vocabularySize < tokenizer.size {
        throw DataError(
            key: settings.vocabularySize,
            problem: "\(vocabularySize) is smaller than the tokenizer \(tokenizer.name)",
            remedy: "allowed: \(tokenizer.size) or more")
    }
    guard configuration.sequenceLength > 0 else {
        throw DataError(
            key: settings.sequenceLength, problem: "\(configuration.sequenceLength) is no length",
            remedy: "allowed: 1 or more")
    }
    for (index, token) in configuration.ignoredTargets.enumerated() where token < 0 || Int(token) >= vocabularySize {
        throw DataError(
            key: "data.ignored_targets[\(index)]", problem: "\(token) is no token id",
            remedy: "allowed: 0 to \(vocabularySize - 1)")
    }
}

/// Opens the paths of a list of domains.
private struct DomainReader {
    /// Nil: only prepared pairs can be read.
    let tokenizer: (any Tokenizer)?
    let sequenceLength: Int
    let vocabularySize: Int
    /// A validation set must have an end.
    let purpose: DataPurpose
    /// Whether sources know the borders of their documents.
    let findsDocuments: Bool
    let settings: DataSettingNames
    /// How many threads encode text.
    let threads: Int

    /// Opens text files, a prepared prefix, or a synthetic domain.
    ///
    /// - Parameters:
    ///   - progress: called every ten seconds while a text is encoded.
    ///   - warn: called with each warning about a text that is read nevertheless.
    ///   - checkCancellation: called often while text is encoded; its error ends the reading.
    /// - Throws: ``DataError``; ``InputError`` if a prepared file changes meanwhile; errors of `checkCancellation`.
    func open(
        _ domain: DataConfiguration.Domain, progress: (String) -> Void, warn: (String) -> Void,
        checkCancellation: () throws -> Void
    ) throws -> (any SequenceSource, TokenOrigin) {
        let path = domain.path
        if path.hasPrefix(SyntheticSource.prefix) {
            let source = try SyntheticSource(
                path: path, tokenizer: tokenizer, sequenceLength: sequenceLength, purpose: purpose, settings: settings)
            return (source, .own)
        }
        if let tokens = try readTexts(domain, progress: progress, warn: warn, checkCancellation: checkCancellation) {
            let source = try TokenSource(
                tokens, sequenceLength: sequenceLength, file: path, name: settings.sequenceLength)
            return (source, .own)
        }
        try requirePrefix(path)
        var dataset = try IndexedDataset(prefix: path, findsDocuments: findsDocuments)
        let origin = try self.origin(of: path)
        try dataset.requireIds(below: vocabularySize, name: settings.vocabularySize)
        let source = try TokenSource(
            dataset, sequenceLength: sequenceLength, file: path + ".bin", name: settings.sequenceLength)
        return (source, origin)
    }

    /// The tokens of a domain's text files; nil for the prefix of a prepared pair.
    private func readTexts(
        _ domain: DataConfiguration.Domain, progress: (String) -> Void, warn: (String) -> Void,
        checkCancellation: () throws -> Void
    ) throws -> TokenStore? {
        var files = domain.paths
        if files.count > 1 || isList(domain.path) {
            let list = try InputList(files, readsTables: false)
            for remark in list.remarks { warn(remark) }
            files = list.files
        } else if DocumentSource(path: domain.path) == nil {
            return nil
        }
        var store = TokenStore(vocabularySize: vocabularySize)
        for path in files {
            guard let format = DocumentSource(path: path) else {
                throw try wrongEnding(path, allowed: textFormats) {
                    "give \($0) as the path of a domain of its own"
                }
            }
            guard !format.isTable else {
                throw DataError(
                    file: path, problem: "training and evaluation read no \(format.suffix) file",
                    remedy: "prepare it once: mile-dist prepare --tokenizer ... --output PREFIX \(path)")
            }
            _ = try requireTextFile(path)
            guard let tokenizer else {
                throw DataError(
                    file: path, problem: settings.missingTokenizer.problem, remedy: settings.missingTokenizer.remedy)
            }
            let file = TextFile(path: path, format: format, reading: domain.reading)
            try file.requireText(for: tokenizer)
            if let remark = try file.remark(for: tokenizer) { warn(remark) }
            try tokenize(
                file, into: &store, with: DocumentEncoder(tokenizer: tokenizer, threads: threads),
                keepsDocuments: findsDocuments, progress: progress, warn: warn, checkCancellation: checkCancellation)
        }
        return store
    }

    /// Whether a path is a directory or a pattern, and no prefix of a prepared pair.
    private func isList(_ path: String) -> Bool {
        if case .regular = FileKind.at(path + ".idx") { return false }
        return switch FileKind.at(path) {
        case .directory: true
        case .missing: InputList.isPattern(path) && FileKind.at(path + ".bin") == .missing
        default: false
        }
    }

    /// Which tokenizer gave the ids of the pair `prefix`.
    ///
    /// - Throws: ``DataError`` where that is known to be another one than ``tokenizer``, because every id would be wrong,
    ///   and where documents are known to end with another token.
    private func origin(of prefix: String) throws -> TokenOrigin {
        switch PreparedTokenizer.record(of: prefix) {
        case .unrecorded(let reason): return .unrecorded(reason)
        case .found(let prepared, let summary):
            guard let tokenizer else { return .recorded(prepared, summary: summary) }
            guard prepared.isSame(as: tokenizer) else {
                throw DataError(
                    file: summary,
                    problem: "\(prefix) was prepared with the tokenizer \(prepared.words), \(settings.tokenizer) is "
                        + PreparedTokenizer.words(tokenizer),
                    remedy: "prepare the text again with \(tokenizer.name), or \(settings.tokenizerRemedy)")
            }
            guard prepared.endToken ?? tokenizer.endToken == tokenizer.endToken else {
                throw DataError(
                    file: summary,
                    problem: "documents of \(prefix) end with the token \(prepared.endToken ?? -1), those of "
                        + "\(settings.tokenizer) with \(tokenizer.endToken)",
                    remedy: "prepare the text again with that end token, or name the one of \(prefix)")
            }
            return .own
        }
    }
}

/// Adds all documents of a file as tokens, each followed by the end token.
///
/// - Parameter keepsDocuments: whether the store remembers the borders of documents.
private func tokenize(
    _ file: TextFile, into store: inout TokenStore, with encoder: DocumentEncoder, keepsDocuments: Bool,
    progress: (String) -> Void, warn: (String) -> Void, checkCancellation: () throws -> Void
) throws {
    var lastReport = ContinuousClock.now
    var count = store.count
    try encoder.forEachDocument(
        of: file,
        progress: { bytes in
            guard lastReport.duration(to: .now) >= .seconds(10) else { return }
            lastReport = .now
            progress("\(bytes >> 20) MiB of text read, \(count) tokens so far")
        },
        invalid: { found in
            let line = found.line > 0 ? ":\(found.line)" : ""
            warn(
                "\(file.path)\(line): \(found.words(file.reading.encoding)); each is read as U+FFFD ("
                    + InvalidUTF8.remedy(file.path, file.reading.encoding) + ")")
        },
        checkCancellation: checkCancellation
    ) { ids, isEnd in
        store.append(ids)
        if isEnd {
            store.append([encoder.tokenizer.endToken])
            if keepsDocuments { store.endDocument() }
        }
        count = store.count
    }
}

/// Checks that `path` is the prefix of a prepared pair.
private func requirePrefix(_ path: String) throws {
    if case .regular = FileKind.at(path + ".idx") { return }
    func failure(_ problem: String, _ remedy: String, file: String = path) -> DataError {
        DataError(file: file, problem: problem, remedy: remedy)
    }
    if case .regular = FileKind.at(path + ".bin") {
        throw failure("there is no such file", "\(path).bin needs its index; " + bareIdsRemedy, file: path + ".idx")
    }
    switch FileKind.at(path) {
    case .missing: throw failure("there is no such file, and no \(path).idx", dataFormats)
    default:
        throw try wrongEnding(path, allowed: dataFormats) { "give \($0), without the ending" }
    }
}

private let textFormats = "allowed: \(DocumentSource.textSuffixes(joinedBy: "or")) files"

private let dataFormats =
    "allowed: a \(DocumentSource.textSuffixes(joinedBy: "or")) file, or the prefix of a .bin/.idx pair"
