// Domains - from the configuration key `data` to sequences.

/// What the domains of a configuration are loaded for.
public enum DataPurpose: String, Sendable {
    case training = "train"
    case validation
}

/// Loads the domains of `configuration` for one purpose: texts are read and turned into tokens, prepared pairs are
/// mapped and checked.
///
/// - Parameters:
///   - configuration: key `data`.
///   - vocabularySize: `model.vocab_size`: every id is below it.
///   - purpose: which of the two lists.
///   - tokenizer: what `data.tokenizer` names, where it is loaded already or comes from a checkpoint.
///   - threads: how many threads encode text.
///   - progress: called with one line of words per domain, and every ten seconds while a text is encoded.
///   - warn: called with what somebody should know of a text that is read all the same.
/// - Throws: ``DataError`` naming key, file and line, what was found and what is allowed.
public func loadDomains(
    _ configuration: DataConfiguration, vocabularySize: Int, purpose: DataPurpose, tokenizer: (any Tokenizer)? = nil,
    threads: Int = 1, progress: (String) -> Void = { _ in }, warn: (String) -> Void = { _ in }
) throws -> [TokenDomain] {
    let tokenizer = try tokenizer ?? makeTokenizer(configuration.tokenizer)
    try requireSettings(configuration, tokenizer: tokenizer, vocabularySize: vocabularySize)
    let list = purpose == .training ? configuration.train : configuration.validation
    let key = "data.\(purpose.rawValue)"
    if list.isEmpty && purpose == .validation { return [] }
    try requireDomains(list.map(\.name), key: key)
    if purpose == .training {
        // Checked before hours of reading; the seed does not matter.
        _ = try Mixture(weights: list.map(\.weight), names: list.map(\.name), seed: 0)
    }
    return try list.enumerated().map { index, domain in
        let words = "\(purpose.rawValue) domain \(domain.name): \(domain.path), "
        let source = try openSource(
            path: domain.path, key: "\(key)[\(index)].path", tokenizer: tokenizer,
            sequenceLength: configuration.sequenceLength, vocabularySize: vocabularySize, purpose: purpose,
            threads: threads, progress: { progress(words + $0) }, warn: warn)
        progress(words + (source.sequenceCount == .max ? "endless" : "\(source.tokenCount) tokens"))
        return TokenDomain(name: domain.name, weight: domain.weight, source: source)
    }
}

/// Checks what does not depend on any file.
private func requireSettings(
    _ configuration: DataConfiguration, tokenizer: any Tokenizer, vocabularySize: Int
) throws {
    guard vocabularySize >= tokenizer.size else {
        throw DataError(
            key: "model.vocab_size", problem: "\(vocabularySize) is smaller than the tokenizer \(tokenizer.name)",
            remedy: "allowed: \(tokenizer.size) or more")
    }
    guard configuration.sequenceLength > 0 else {
        throw DataError(
            key: "data.sequence_length", problem: "\(configuration.sequenceLength) is no length",
            remedy: "allowed: 1 or more")
    }
    for (index, token) in configuration.ignoredTargets.enumerated() where token < 0 || Int(token) >= vocabularySize {
        throw DataError(
            key: "data.ignored_targets[\(index)]", problem: "\(token) is no token id",
            remedy: "allowed: 0 to \(vocabularySize - 1)")
    }
}

/// Opens one path of a configuration: a text file, a prepared prefix, or a synthetic domain.
///
/// - Parameters:
///   - path: as in the configuration.
///   - key: what errors name, for example `data.train[1].path`.
///   - purpose: a validation set must have an end.
///   - threads: how many threads encode text.
///   - progress: called every ten seconds while a text is encoded.
///   - warn: called with what somebody should know of a text that is read all the same.
/// - Throws: ``DataError``; ``InputError`` if a prepared file changes meanwhile.
public func openSource(
    path: String, key: String, tokenizer: any Tokenizer, sequenceLength: Int, vocabularySize: Int,
    purpose: DataPurpose, threads: Int = 1, progress: (String) -> Void = { _ in },
    warn: (String) -> Void = { _ in }
) throws -> any SequenceSource {
    do {
        if path.hasPrefix(SyntheticSource.prefix) {
            return try SyntheticSource(
                path: path, tokenizer: tokenizer, sequenceLength: sequenceLength, purpose: purpose)
        }
        if let format = TextFile.Format(path: path) {
            let file = TextFile(path: path, format: format)
            try file.requireText(for: tokenizer)
            if let remark = try file.remark(for: tokenizer) { warn(remark) }
            let tokens = try tokenize(
                file, with: DocumentEncoder(tokenizer: tokenizer, threads: threads), vocabularySize: vocabularySize,
                progress: progress, warn: warn)
            return try TokenSource(tokens, sequenceLength: sequenceLength, file: path)
        }
        try requirePrefix(path)
        var dataset = try IndexedDataset(prefix: path)
        try dataset.requireIds(below: vocabularySize)
        return try TokenSource(dataset, sequenceLength: sequenceLength, file: path + ".bin")
    } catch let error as DataError {
        throw error.with(key: key)
    }
}

/// All documents of a file as tokens, each followed by the end token.
private func tokenize(
    _ file: TextFile, with encoder: DocumentEncoder, vocabularySize: Int, progress: (String) -> Void,
    warn: (String) -> Void
) throws -> TokenStore {
    var store = TokenStore(vocabularySize: vocabularySize)
    var spoken = ContinuousClock.now
    try encoder.forEachDocument(
        of: file,
        progress: { bytes in
            guard spoken.duration(to: .now) >= .seconds(10) else { return }
            spoken = .now
            progress("\(bytes >> 20) MiB of text read, \(store.count) tokens so far")
        },
        invalid: { found in
            warn(
                "\(file.path):\(found.line): \(found.words); each is read as U+FFFD ("
                    + InvalidUTF8.remedy(file.path) + ")")
        }
    ) { ids, isEnd in
        store.append(ids)
        if isEnd { store.append([encoder.tokenizer.endToken]) }
    }
    return store
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
    case .directory:
        throw failure(
            "this is a directory",
            textPatterns(in: path).map {
                "give one of its files (\($0)), or the PREFIX that \"mile-dist prepare --output PREFIX\" makes of them"
            } ?? dataFormats)
    default:
        throw try wrongEnding(path, allowed: dataFormats) { "give \($0), without the ending" }
    }
}

private let dataFormats = "allowed: a .txt, .jsonl or .jsonl.zst file, or the prefix of a .bin/.idx pair"
