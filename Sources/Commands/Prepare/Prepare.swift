// Prepare - `mile-dist prepare`: turns text files into prepared data, on all ranks and threads.

internal import ArgumentParser
internal import Foundation
internal import JobRuntime
internal import MessagePassing
internal import Preparation
internal import Reporting
internal import TokenData
internal import Tokenizers
internal import InputFiles

/// `mile-dist prepare --tokenizer T --output PREFIX FILES...`
struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turn text into token files: Megatron's .bin and .idx, which train without tokenizing again.",
        discussion: """
            A .txt file is one document, or several with --document-separator; each line of a .jsonl, .json or .ndjson \
            file is one: an object with a string "text" (--text-key), and perhaps "meta": {"pile_set_name": "..."}. \
            Each may end in \(DocumentSource.compressionEndings) too. A row of a .parquet file is one, read by python3 \
            with pyarrow; MILE_PYTHON names another Python. Each document is followed by the tokenizer's end token. Ids \
            take two bytes if there are fewer than 65,500, otherwise four. The result is the same for any number of \
            ranks and threads.

            FILES are files, directories (all texts in them and below), patterns in quotes, pipes, and - for standard \
            input, which rank 0 has. Pipes and standard input are kept in PREFIX.parts until they are prepared.

            A line that is no such object, or not UTF-8, is counted and listed at the end (--on-error skip), or ends \
            the command (fail). A .txt file is taken as it is, with bytes byte by byte; other tokenizers read each \
            byte that is no UTF-8 as U+FFFD, which is counted and listed, or ends the command. PREFIX.json holds all \
            counts.

            Stopped, killed or ended by a mistake in a file, the same command goes on with the parts in PREFIX.parts \
            that are done; those of files that were mended are made again. With ranks on several nodes, FILES and \
            PREFIX must be in directories that all see.

            Examples:
              mile-dist prepare --tokenizer bytes --output data/books books.txt more-books.jsonl.zst
              mile-dist prepare --tokenizer llama-3/tokenizer.json --output data/books books.txt
              mpirun -n 16 mile-dist prepare --tokenizer llama.model --output data/pile pile/*.jsonl.zst --split-domains
              mile-dist prepare --tokenizer bytes --output data/code code.jsonl --on-error fail --threads 8
              mile-dist prepare --tokenizer bytes --output data/web crawl/ 'extra/*.parquet' --text-key content
              mile-dist prepare --tokenizer bytes --output data/old old.txt --encoding latin-1
              zcat dump-*.gz | mile-dist prepare --tokenizer bytes --output data/dump -

            A configuration reads the result as data.train: [{name: books, path: data/books, weight: 1}].
            """)

    @Option(
        help: ArgumentHelp(
            "bytes, or the path of a SentencePiece model, a tokenizer.json, or a directory with one.",
            valueName: "tokenizer"))
    var tokenizer: String

    @OptionGroup var end: EndTokenOption

    @Option(help: ArgumentHelp("What .bin and .idx are added to.", valueName: "prefix"))
    var output: String

    @Argument(
        help: ArgumentHelp(
            "\(DocumentSource.suffixes(joinedBy: "or")) files, directories, patterns, or -.", valueName: "files"))
    var files: [String]

    @Flag(help: "A pair for each meta.pile_set_name: PREFIX-NAME.bin and .idx.")
    var splitDomains = false

    @OptionGroup var malformed: MalformedLineOption

    @OptionGroup var texts: TextInputOptions

    @Flag(help: "Replace an output, or parts, of another input.")
    var overwrite = false

    @OptionGroup var threads: ThreadsPerRankOption

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("prepare needs at least one file.") }
    }

    func run() throws {
        launchOnAllRanks(loss: .isTold) { process in try run(process) }
    }

    private func run(_ process: ProcessContext) throws -> ExitStatus {
        let communicator = process.communicator
        StopRequest.listen()
        var earlyLock: FileLock?
        defer { withExtendedLifetime(earlyLock) {} }
        guard let inputs = try shareInputs(process, &earlyLock) else {
            process.console.line("stopped by a signal while standard input or a pipe was read; nothing is done")
            return .stoppedEarly
        }
        let (preparation, finished) = try removingStreams(inputs.streams, communicator) {
            let preparation = try communicator.agreed { try makePreparation(inputs) }
            let finished = try communicator.agreed {
                communicator.rank == 0 ? try preparation.finished(overwrites: overwrite) : nil
            }
            return (preparation, finished)
        }
        if try communicator.isTrueOnAny(finished != nil) {
            try communicator.agreed {
                guard communicator.rank == 0 else { return }
                try preparation.removeLeftovers()
                if !inputs.streams.isEmpty { try Preparation.removeStreams(inputs.streams, ofOutput: output) }
            }
            process.console.line("\(output) is complete already, from the same files: nothing to do")
            return .done
        }
        let lock = try communicator.agreed { communicator.rank == 0 ? try begin(preparation, earlyLock, process) : nil }
        for remark in inputs.remarks + preparation.remarks { process.console.warning(remark) }
        // The lock is held until the parts are joined and removed.
        defer { withExtendedLifetime(lock) {} }
        try communicator.agreed { try preparation.requireShared() }

        let run = PreparationRun(preparation, rank: communicator.rank, rankCount: communicator.size)
        let plan = try process.threadPlan(requested: threads.count)
        run.start(threads: plan.threads)
        let isStopped = try waitForAll(run, preparation, process)
        try requireNoFailure(run, communicator)
        let parts = try communicator.sum([run.progress.parts, run.progress.reusedParts])
        if isStopped {
            process.console.line("stopped by a signal with \(parts[0]) parts done; the same command goes on with them")
            return .stoppedEarly
        }
        let counts = try communicator.sum(
            run.chunkCounts(rank: communicator.rank, rankCount: communicator.size))
        try communicator.agreed {
            guard communicator.rank == 0 else { return }
            var progress = OccasionalProgress(process.console)
            let summary = try preparation.join(chunkCounts: counts) { progress.show("joining the parts", share: $0) }
            PrepareReport(summary: summary, reusedParts: parts[1]).print(to: process.console)
        }
        return .done
    }

    /// The files of the command and copies of its streams, equal on all ranks.
    private struct Inputs: Codable {
        var files: [String] = []
        var remarks: [String] = []
        var streams: [SpooledInput] = []
        var isStopped = false
    }

    /// Lists the files and copies the streams on rank 0, which alone has standard input.
    ///
    /// - Parameter lock: gets the lock of rank 0 if a stream is copied.
    /// - Returns: nil if a signal stopped the copying.
    private func shareInputs(_ process: ProcessContext, _ lock: inout FileLock?) throws -> Inputs? {
        let bytes = try process.communicator.fromRankZero {
            let list = try InputList(files)
            var inputs = Inputs(files: list.files, remarks: list.remarks)
            if inputs.files.contains(where: SpooledInput.isStream) {
                // Checked before a stream is used up.
                try Preparation.requireOutput(output)
                _ = try namedTokenizer()
                try Preparation.makeFolder(ofOutput: output)
                lock = try takeLock(process)
                let copies = try copyStreams(among: inputs.files, process)
                inputs.streams = copies ?? []
                inputs.isStopped = copies == nil
            }
            return Array(try JSONEncoder().encode(inputs))
        }
        let inputs = try JSONDecoder().decode(Inputs.self, from: Data(bytes))
        return inputs.isStopped ? nil : inputs
    }

    /// Copies the streams among `files`. After a signal or an error no empty folder stays.
    private func copyStreams(among files: [String], _ process: ProcessContext) throws -> [SpooledInput]? {
        do {
            let copies = try texts.copyStreams(
                among: files, process.console, isStopped: { StopRequest.signalNumber != 0 }
            ) { Preparation.streamPath($0, ofOutput: output) }
            if copies == nil { try Preparation.removeStreams([], ofOutput: output) }
            return copies
        } catch {
            // The first error tells more than one of the removal.
            try? Preparation.removeStreams([], ofOutput: output)
            throw error
        }
    }

    /// Calls `body`. After an error the copies of streams are of no use, because nothing was made of them.
    private func removingStreams<Value>(
        _ streams: [SpooledInput], _ communicator: Communicator, _ body: () throws -> Value
    ) throws -> Value {
        do { return try body() } catch {
            // The first error tells more than one of the removal.
            if communicator.rank == 0, !streams.isEmpty {
                try? Preparation.removeStreams(streams, ofOutput: output)
            }
            throw error
        }
    }

    private func makePreparation(_ inputs: Inputs) throws -> Preparation {
        var request = Preparation.Request(
            tokenizer: try namedTokenizer(), files: inputs.files, output: output, splitsDomains: splitDomains,
            skipsMalformed: malformed.skips)
        request.streams = inputs.streams
        request.reading = texts.reading
        return try Preparation(request)
    }

    private func namedTokenizer() throws -> any Tokenizers.Tokenizer {
        do {
            return try makeTokenizer(tokenizer, endToken: end.endToken, endKey: EndTokenOption.name)
        } catch var error as DataError {
            // The error names the configuration's key; this command has an option for it.
            if error.key == "data.tokenizer" { error.key = "--tokenizer" }
            throw error
        }
    }

    /// Takes the lock, and starts or continues the preparation. On rank 0 only.
    ///
    /// - Parameter earlyLock: the lock, if it was taken before.
    private func begin(
        _ preparation: Preparation, _ earlyLock: FileLock?, _ process: ProcessContext
    ) throws -> FileLock {
        try preparation.makeFolder()
        let lock = try earlyLock ?? takeLock(process)
        if case .restart(let parts, let changed) = try preparation.begin(overwrites: overwrite) {
            if parts > 0 { process.console.line("\(preparation.folder): going on, \(parts) parts are there already") }
            if let first = changed.first {
                let others = changed.count > 1 ? " and \(changed.count - 1) other files" : ""
                let which = parts > 0 ? "parts of it" : "all parts"
                process.console.line("\(first)\(others) changed since then: \(which) are made again")
            }
        }
        return lock
    }

    private func takeLock(_ process: ProcessContext) throws -> FileLock {
        try FileLock(
            Preparation.folder(ofOutput: output) + "/" + RunFiles.lock, host: process.communicator.host,
            key: "--output")
    }

    /// Waits for the threads of all ranks, and shows the progress.
    ///
    /// - Returns: whether a signal stopped them.
    private func waitForAll(_ run: PreparationRun, _ preparation: Preparation, _ process: ProcessContext) throws -> Bool
    {
        let communicator = process.communicator
        var progress = PrepareProgress(process.console, totalBytes: preparation.totalBytes)
        // Seconds between two looks, equal on all ranks. Short at first, for small files.
        var pause = 0.005
        while true {
            let begin = ContinuousClock.now
            let hasEnded = run.wait(seconds: pause)
            // An idle rank sleeps. Why: polling would take cores from the other ranks.
            if hasEnded { Thread.sleep(forTimeInterval: max(0, pause - begin.secondsAgo)) }
            let own = run.progress
            let isAsked = StopRequest.signalNumber != 0
            let sums = try communicator.sum([
                hasEnded ? 1 : 0, isAsked ? 1 : 0, own.bytes, own.newBytes, own.newTokens,
            ])
            let first = try communicator.minimum(run.failure?.order ?? .max)
            run.stop(at: sums[1] > 0 ? -1 : first)
            progress.show(bytes: sums[2], newBytes: sums[3], newTokens: sums[4])
            if sums[0] == communicator.size { return sums[1] > 0 }
            pause = min(2 * pause, 0.25)
        }
    }

    /// Throws the first error of all ranks, in the order of the input, on all ranks.
    private func requireNoFailure(_ run: PreparationRun, _ communicator: Communicator) throws {
        let failure = run.failure
        let first = try communicator.minimum(failure?.order ?? .max)
        guard first < .max else { return }
        let owner = try communicator.minimum(failure?.order == first ? communicator.rank : .max)
        let own = failure.map { ProgramFailure($0.error) }
        let report = own.map { [UInt8($0.status.rawValue)] + Array($0.message.utf8) }
        let message = try communicator.broadcast(report, root: owner)
        throw ProgramFailure(
            ExitStatus(rawValue: Int32(message[0])) ?? .runtimeFailure,
            String(decoding: message.dropFirst(), as: UTF8.self), isShared: true)
    }
}
