// TokenizerTrainCommand - `mile-dist tokenizer train`: a SentencePiece model from text files.

internal import Foundation
public import JobRuntime
internal import MessagePassing
public import Reporting
internal import SentencePieceText
internal import TokenData

/// `mile-dist tokenizer train FILES... --output PREFIX`
public struct TokenizerTrainCommand: Sendable {
    /// `.txt`, `.jsonl` or `.jsonl.zst` files.
    public var files: [String]
    /// The model is written to `<output>.model`, or to this where it ends like that.
    public var output: String
    public var vocabularySize: Int
    /// `bpe` or `unigram`.
    public var modelType: String
    public var characterCoverage: Double
    public var byteFallback: Bool
    public var splitDigits: Bool
    /// SentencePiece's name of a rule, for example `identity`.
    public var normalization: String
    /// Lines to learn from at most; 0: all.
    public var lines: Int
    public var seed: UInt64
    public var threads: Int
    /// Whether lines with mistakes are counted and left out; otherwise the first ends the command.
    public var skipsMalformed: Bool
    /// Whether the library's own words are shown.
    public var isVerbose: Bool

    public init(
        files: [String], output: String, vocabularySize: Int, modelType: String, characterCoverage: Double,
        byteFallback: Bool, splitDigits: Bool, normalization: String, lines: Int, seed: UInt64 = 0, threads: Int = 0,
        skipsMalformed: Bool = true, isVerbose: Bool = false
    ) {
        self.files = files
        self.output = output
        self.vocabularySize = vocabularySize
        self.modelType = modelType
        self.characterCoverage = characterCoverage
        self.byteFallback = byteFallback
        self.splitDigits = splitDigits
        self.normalization = normalization
        self.lines = lines
        self.seed = seed
        self.threads = threads
        self.skipsMalformed = skipsMalformed
        self.isVerbose = isVerbose
    }

    public func run(_ session: Session) throws -> ExitStatus {
        // One rank reads and writes; an error is everybody's.
        try session.communicator.agreed {
            if session.communicator.rank == 0 { try train(session.console) }
        }
        return .done
    }

    private func train(_ console: Console) throws {
        let settings = try settings()
        let suffix = SentencePieceTokenizer.suffix
        let path = output.hasSuffix(suffix) ? output : output + suffix
        // What runs were trained with cannot be made again from other text: it is never replaced.
        guard !FileManager.default.fileExists(atPath: path) else {
            throw ProgramFailure(.badInput, "--output: \(path) exists; remove it, or choose another name.")
        }
        // Before hours of work.
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw ProgramFailure(.badInput, "--output: \(folder) is no folder that can be written to.")
        }
        let sample = try readSample(console)
        console.line(
            "\(sample.lineCount) lines, \(Self.megabytes(sample)) of text; training a \(modelType) model of "
                + "\(vocabularySize) pieces on \(sample.sentences.count) of them ...")
        if sample.skipped.count > 0 { console.warning(sample.skipped.lines.joined(separator: "\n")) }
        let bytes: [UInt8]
        do {
            bytes = try SentencePieceTrainer.train(on: sample.sentences, settings)
        } catch {
            throw ProgramFailure(
                error.kind == .outOfMemory ? .runtimeFailure : .badInput,
                "\(error.message)\n  (--vocab-size, --character-coverage and more text are what can be changed)")
        }
        // What is written can be used, or an error says why not.
        let model = try SentencePieceTokenizer(modelBytes: bytes, name: path, origin: path)
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be written: \(FileErrors.reason(error))")
        }
        console.line("\(path): \(model.size) pieces, end token \(model.endToken)")
        console.line("a configuration needs data.tokenizer: \(path) and model.vocab_size: \(model.size) or more")
    }

    private func readSample(_ console: Console) throws -> SentenceSample {
        var sample = SentenceSample(limit: lines, seed: seed, skipsMalformed: skipsMalformed)
        var spoken = ContinuousClock.now
        for file in files {
            try sample.add(path: file) { sample in
                guard spoken.duration(to: .now) >= .seconds(10) else { return }
                spoken = .now
                console.progress("\(file): \(Self.megabytes(sample)) of text read so far")
            }
        }
        console.endLiveLine()
        guard !sample.sentences.isEmpty else {
            let problem = "\(files.joined(separator: ", ")): there is no line of text to learn from."
            throw ProgramFailure(.badInput, ([problem] + sample.skipped.lines).joined(separator: "\n"))
        }
        return sample
    }

    private static func megabytes(_ sample: SentenceSample) -> String {
        String(format: "%.1f MB", Double(sample.byteCount) / 1e6)
    }

    private func settings() throws -> SentencePieceTraining {
        guard let method = SentencePieceTraining.Method(rawValue: modelType) else {
            let allowed = SentencePieceTraining.Method.allCases.map(\.rawValue).joined(separator: ", ")
            throw ProgramFailure(.badInput, "--model-type: \"\(modelType)\" found; allowed: \(allowed).")
        }
        guard SentencePieceTraining.normalizations.contains(normalization) else {
            let allowed = SentencePieceTraining.normalizations.joined(separator: ", ")
            throw ProgramFailure(.badInput, "--normalization: \"\(normalization)\" found; allowed: \(allowed).")
        }
        let coverages = SentencePieceTraining.characterCoverages
        guard coverages.contains(characterCoverage) else {
            throw ProgramFailure(
                .badInput,
                "--character-coverage: \(characterCoverage) found; allowed: \(coverages.lowerBound) to "
                    + "\(coverages.upperBound).")
        }
        // <unk>, <s>, </s>, the bytes, and at least one piece.
        let smallest = byteFallback ? 260 : 4
        guard vocabularySize >= smallest else {
            throw ProgramFailure(.badInput, "--vocab-size: \(vocabularySize) found; allowed: \(smallest) or more.")
        }
        let count = threads > 0 ? threads : Cores.available().count
        return SentencePieceTraining(
            method: method, vocabularySize: vocabularySize, characterCoverage: characterCoverage,
            hasByteFallback: byteFallback, splitsDigits: splitDigits, normalization: normalization,
            threadCount: min(count, SentencePieceTraining.threadCounts.upperBound), isVerbose: isVerbose)
    }
}
