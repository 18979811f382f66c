// TokenizerTrain - `mile-dist tokenizer train`: trains a SentencePiece model or a tokenizer.json on text files.

internal import ArgumentParser
internal import Foundation
internal import JobRuntime
internal import MessagePassing
internal import Reporting
internal import SentencePieceText
internal import TokenData
internal import TokenizerJSON
internal import Tokenizers

/// `mile-dist tokenizer train FILES... --output PREFIX`
struct TokenizerTrain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a SentencePiece model, or a tokenizer.json, on text files.",
        discussion: """
            Every line of the texts is a sentence to learn from; lines above 4192 bytes are cut at blanks. The \
            defaults are those of LLaMA's tokenizer: pairs are merged, texts stay as they are, digits are single \
            pieces, characters without a piece are spelled in bytes. The sentences are held in memory, twice while \
            training starts.

            FILES are files, directories, patterns in quotes, pipes, and - for standard input, as for prepare. Pipes \
            and standard input are kept beside the output until they are read. Parquet needs python3 with pyarrow.

            --kind byte-bpe makes a tokenizer.json instead: words are cut as Llama 3 cuts them, and their bytes are \
            merged. Of the options for the kind of model, it has --vocab-size alone.

            A line of a .jsonl file that is no object with a string "text", and a line of any file that is not UTF-8, \
            is counted and listed (--on-error skip), or ends the command (fail).

            Examples:
              mile-dist tokenizer train books.txt --vocab-size 8000 --output books
              mile-dist tokenizer train pile-*.jsonl.zst --lines 5000000 --output pile
              mile-dist tokenizer train texts/ 'code/*.parquet' --text-key content --output code
              zcat crawl-*.gz | mile-dist tokenizer train - --output crawl
              mile-dist tokenizer train books.txt --kind byte-bpe --vocab-size 16000 --output books
              mile-dist tokenizer train books.txt --model-type unigram --normalization nmt_nfkc --output unigram
            """)

    @Argument(
        help: ArgumentHelp(
            "\(DocumentSource.suffixes(joinedBy: "or")) files, directories, patterns, or -.", valueName: "files"))
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "The model becomes PREFIX.model (byte-bpe: PREFIX.json), or PREFIX where that ends so.", valueName: "prefix"
        ))
    var output: String

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case sentencepiece
        case byteBPE = "byte-bpe"
    }

    @Option(help: "What is made: a SentencePiece model, or a tokenizer.json of byte-level BPE.")
    var kind = Kind.sentencepiece

    @Option(help: "Number of pieces: special ones, bytes, and what is learned.")
    var vocabSize = 32000

    @Option(help: "How texts are cut: bpe (merge pairs, as LLaMA) or unigram (likeliest pieces).")
    var modelType = "bpe"

    @Option(help: "Share of the characters of the text that get a piece; the rarest do not.")
    var characterCoverage = 0.99995

    @Flag(inversion: .prefixedNo, help: "Whether characters without a piece are spelled in bytes; otherwise unknown.")
    var byteFallback = true

    @Flag(inversion: .prefixedNo, help: "Whether each digit is a piece of its own.")
    var splitDigits = true

    @Option(help: "How characters are replaced before cutting: identity, nfkc, nmt_nfkc, nfkc_cf or nmt_nfkc_cf.")
    var normalization = "identity"

    @Option(help: "Lines to learn from, chosen evenly from all; 0: all.")
    var lines = 2_000_000

    @Option(help: "Seed of the choice.")
    var seed: UInt64 = 0

    @OptionGroup var threads: ThreadsOption

    @OptionGroup var malformed: MalformedLineOption

    @OptionGroup var texts: TextInputOptions

    @Flag(help: "Show what the library says while it trains.")
    var verbose = false

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("train needs at least one file.") }
        guard lines >= 0 else { throw ValidationError("--lines: \(lines) found; allowed: 0 or more.") }
    }

    func run() throws {
        launch(.one, loss: .isTold) { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        // Rank 0 reads and writes. `agreed` throws its error on all ranks.
        try process.communicator.agreed {
            if process.communicator.rank == 0 { try train(process.console) }
        }
        return .done
    }

    private func train(_ console: Console) throws {
        let settings = try kind == .sentencepiece ? settings() : nil
        if kind == .byteBPE { try requireByteBPE() }
        let suffix = kind == .byteBPE ? JSONTokenizer.suffix : SentencePieceTokenizer.suffix
        let path = output.hasSuffix(suffix) ? output : output + suffix
        // A tokenizer is never replaced: runs that were trained with it could not go on.
        guard !FileManager.default.fileExists(atPath: path) else {
            throw ProgramFailure(.badInput, "--output: \(path) exists; remove it, or choose another name.")
        }
        // Checked first, because the training may take hours.
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else {
            throw ProgramFailure(.badInput, "--output: \(folder) is no folder that can be written to.")
        }
        let inputs = try InputList(files)
        for remark in inputs.remarks { console.warning(remark) }
        let copies = try texts.copyStreams(among: inputs.files, console, isStopped: { false }) {
            "\(path).stream-\($0)"
        }
        let sample = try readSample(inputs.files, copies ?? [], console)
        let type = kind == .byteBPE ? kind.rawValue : modelType
        console.line(
            "\(sample.lineCount) lines, \(Self.megabytes(sample)) of text; training a \(type) model of \(vocabSize) pieces on "
                + "\(sample.sentences.count) of them ...")
        if sample.skipped.count > 0 { console.warning(sample.skipped.lines.joined(separator: "\n")) }
        let bytes = try settings.map { try train(sample, $0) } ?? trainByteBPE(sample)
        // The model is loaded before it is written. An unusable model is an error.
        let model: any Tokenizers.Tokenizer =
            if kind == .byteBPE {
                try JSONTokenizer(modelBytes: bytes, name: path, origin: path, endToken: nil)
            } else {
                try SentencePieceTokenizer(modelBytes: bytes, name: path, origin: path)
            }
        // A byte-level tokenizer that is trained here has its end token behind all others.
        let endToken = kind == .byteBPE ? Int32(model.size - 1) : model.endToken
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be written: \(FileErrors.reason(error))")
        }
        console.line("\(path): \(model.size) pieces, end token \(endToken)")
        let end = kind == .byteBPE ? ", data.end_token: \(JSONValue.quoted(BytePairTrainer.endText))" : ""
        console.line("a configuration needs data.tokenizer: \(path)\(end) and model.vocab_size: \(model.size) or more")
    }

    private func train(_ sample: SentenceSample, _ settings: SentencePieceTraining) throws -> [UInt8] {
        do {
            return try SentencePieceTrainer.train(on: sample.sentences, settings)
        } catch {
            throw ProgramFailure(
                error.kind == .outOfMemory ? .runtimeFailure : .badInput,
                "\(error.message)\n  (--vocab-size, --character-coverage and more text are what can be changed)")
        }
    }

    /// The bytes of a tokenizer.json. Lines end with a line feed, as they did in their texts.
    private func trainByteBPE(_ sample: SentenceSample) throws -> [UInt8] {
        guard !sample.sentences.isEmpty else {
            throw ProgramFailure(.badInput, "the files hold no line to learn from; give files with text.")
        }
        do throws(TokenizerFileError) {
            var trainer = try BytePairTrainer()
            let sentences = sample.sentences
            try trainer.add(count: sentences.count, threads: threadCount) { sentences[$0] + [UInt8(ascii: "\n")] }
            return trainer.file(vocabularySize: vocabSize)
        } catch {
            throw ProgramFailure(.badInput, error.description)
        }
    }

    /// Checks the options of a byte-level model.
    private func requireByteBPE() throws {
        guard vocabSize >= BytePairTrainer.smallestVocabulary else {
            throw ProgramFailure(
                .badInput,
                "--vocab-size: \(vocabSize) found; allowed: \(BytePairTrainer.smallestVocabulary) or more.")
        }
        let isPlain =
            modelType == "bpe" && characterCoverage == 0.99995 && byteFallback && splitDigits
            && normalization == "identity"
        guard isPlain else {
            throw ProgramFailure(
                .badInput,
                "--kind byte-bpe: --model-type, --character-coverage, --byte-fallback, --split-digits and --normalization "
                    + "are for sentencepiece; leave them out.")
        }
    }

    /// Reads the files, and removes the copies of streams.
    private func readSample(
        _ files: [String], _ copies: [SpooledInput], _ console: Console
    ) throws -> SentenceSample {
        defer { for copy in copies { copy.remove() } }
        var sample = SentenceSample(limit: lines, seed: seed, skipsMalformed: malformed.skips)
        var lastProgress = ContinuousClock.now
        for file in files {
            let copy = copies.first { $0.name == file }
            try sample.add(path: copy?.path ?? file, reading: texts.reading, name: file) { sample in
                guard lastProgress.duration(to: .now) >= .seconds(10) else { return }
                lastProgress = .now
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

    private var threadCount: Int { threads.count > 0 ? threads.count : Cores.available().count }

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
        guard vocabSize >= smallest else {
            throw ProgramFailure(.badInput, "--vocab-size: \(vocabSize) found; allowed: \(smallest) or more.")
        }
        return SentencePieceTraining(
            method: method, vocabularySize: vocabSize, characterCoverage: characterCoverage,
            hasByteFallback: byteFallback, splitsDigits: splitDigits, normalization: normalization,
            threadCount: min(threadCount, SentencePieceTraining.threadCounts.upperBound), isVerbose: verbose)
    }
}
