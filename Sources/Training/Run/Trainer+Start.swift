// Trainer+Start - the work before the first step: data, checks, directory, checkpoint, initial state.

package import Checkpointing
internal import Configuration
internal import Evaluation
internal import Foundation
internal import JobRuntime
package import Kernels
internal import LinearAlgebra
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Planning
internal import Reporting
internal import Sharding
internal import Tensors
internal import TokenData
internal import Tokenizers

extension Trainer {
    func loadData() throws -> RunData {
        let data = configuration.data
        let threads = try process.threadPlan(requested: configuration.training.threads).threads
        // A text for training and validation has the same warnings twice.
        var said: Set<String> = []
        let loaded = try communicator.agreed {
            let progress = { (line: String) in if !self.options.isQuiet { self.console.line(line) } }
            let vocabulary = configuration.model.vocabularySize
            let tokenizer = try configuredTokenizer(data.tokenizer, endToken: data.endToken)
            func domains(_ purpose: DataPurpose) throws -> [TokenDomain] {
                try loadDomains(
                    data, vocabularySize: vocabulary, purpose: purpose, tokenizer: tokenizer, threads: threads,
                    progress: progress, warn: { if said.insert($0).inserted { console.warning($0) } },
                    checkCancellation: { if StopRequest.signalNumber != 0 { throw Self.stopAtStart } })
            }
            let loaded = RunData(
                tokenizer: tokenizer,
                training: try TrainingStream(
                    domains: try domains(.training), sequenceLength: data.sequenceLength,
                    seed: configuration.training.seed, tokenizerName: tokenizer?.kind ?? noTokenizerName),
                validation: try domains(.validation))
            try TokenDomain.requireOneTokenizer(loaded.training.domains + loaded.validation, key: "data")
            return loaded
        }
        let all = try communicator.agreeingOnOrigins(loaded.training.domains + loaded.validation)
        if let note = TokenDomain.uncheckedNote(all) { console.warning(note) }
        // Only bytes of validation data are counted.
        return RunData(
            tokenizer: loaded.tokenizer, training: loaded.training,
            validation: Array(all.suffix(loaded.validation.count)))
    }

    /// Checks that depend on the number of ranks, which the configuration does not know.
    func requireWork() throws {
        let training = configuration.training
        let layout = StepLayout(configuration, ranks: communicator.size)
        try layout.requireWholeAccumulationSteps()
        let idle = (0..<communicator.size).filter { layout.microBatches(rank: $0).isEmpty }
        if !idle.isEmpty {
            console.warning(
                "\(idle.count) of \(communicator.size) ranks have no sequence to compute: training.global_batch_size is "
                    + "\(training.globalBatchSize)")
        }
    }

    /// Ranks that compute with other processors or libraries give other bits than the rest, and often run at another speed;
    /// another build of the program may do anything else. Where bits are promised both are errors. Collective.
    func compareMachines() throws {
        // One rank is compared with nobody, and its start is not kept waiting for the hash.
        guard communicator.size > 1 else { return }
        try compare("\(MachineIdentity.processor), \(MachineIdentity.libraries)", of: "the ranks' machines differ")
        let hash = try communicator.agreed { try MachineIdentity.programHash() }
        try compare(
            "mile-dist \(VersionText.version), SHA-256 \(hash.prefix(16))",
            of: "the ranks run different builds of the program",
            remedy: ". Install one build on all nodes")
    }

    /// Warns, or throws where bits are promised, when a rank has another `text` than rank 0.
    private func compare(_ text: String, of difference: String, remedy: String = "") throws {
        let all = try communicator.allGather(Array("\(communicator.host): \(text)".utf8))
            .map { String(decoding: $0, as: UTF8.self) }
        let kinds = all.map { $0.drop { $0 != ":" } }
        guard let other = kinds.firstIndex(where: { $0 != kinds[0] }) else { return }
        let message = "\(difference): rank 0 on \(all[0]); rank \(other) on \(all[other])\(remedy)"
        guard configuration.training.reproducible else { return console.warning(message) }
        throw ProgramFailure(
            .badInput,
            message
                + ". training.reproducible needs one kind of processor and one build of the program on all ranks.",
            isShared: true)
    }

    /// Says so where threads have not a core each; collective.
    func warnAboutCores() throws {
        let plan = try process.threadPlan(requested: configuration.training.threads)
        let crowded = try communicator.sum([plan.spins ? 0 : 1])[0]
        guard crowded > 0 else { return }
        console.warning(
            "\(crowded) of \(communicator.size) ranks run on nodes with more threads than cores for them: a step takes as "
                + "long as the slowest thread, and threads that wait give up their core instead of polling. Start fewer "
                + "ranks per node, lower training.threads, or bind ranks to cores of their own; mile-dist doctor says "
                + "where")
    }

    /// Says so where bf16 only saves memory and messages; collective.
    func describePrecision(_ pool: ThreadPool) throws {
        guard configuration.training.precision == .bf16 else { return }
        let lacking = try communicator.sum([BLASBackends.hasBFloat16GEMM ? 0 : 1])[0]
        if lacking > 0 {
            console.warning(
                "training.precision bf16: the processors of \(lacking) of \(communicator.size) ranks have no bf16 products; these "
                    + "ranks compute them in fp32 from widened operands, which saves memory and messages, but hardly time"
            )
        } else if pool.backends.upcastsBFloat16 && !options.isQuiet {
            console.line(
                "bf16 products: in fp32 from widened operands, which is faster here than the processor's own (training.blas auto)"
            )
        }
    }

    package func describe(_ data: RunData, _ pool: ThreadPool) {
        guard !options.isQuiet else { return }
        let layout = MemoryPlan(configuration, ranks: communicator.size, ranksOnNode: communicator.nodeSize)
        console.line(layout.summary(threads: pool.threadCount))
        if options.isDryRun { for line in layout.details(threads: pool.threadCount) { console.line(line) } }
    }

    /// Prints the run's sequences by domain up to its last step, from `step` and the sequence `position` on.
    func describeMixture(_ data: RunData, after step: Int, position: Int) {
        guard !options.isQuiet else { return }
        let mixture = MixtureReport(data.training)
        let steps = configuration.schedule.totalSteps
        let sequences = MixtureReport.sequences(
            steps: steps, batch: configuration.training.globalBatchSize, after: step, position: position)
        for line in mixture.plan(steps: steps, sequences: sequences) { console.line(line) }
        for warning in mixture.warnings(steps: steps, sequences: sequences) { console.warning(warning) }
    }

    /// How often every id occurs in the training data, unless the checkpoint knows it; collective.
    func countTokens(_ data: RunData, _ state: TrainingState, _ pool: ThreadPool) throws {
        guard state.tokenCounts.isEmpty else { return }
        var shown = OccasionalProgress(console)
        let counts = try TokenCounting(communicator: communicator, pool: pool).counts(
            data.training.domains, vocabularySize: configuration.model.vocabularySize,
            mustGiveUp: { StopRequest.signalNumber != 0 },
            progress: { shown.show("counting the training tokens", share: $0) })
        guard let counts else { throw Self.stopAtStart }
        state.tokenCounts = counts
    }

    /// How a run ends that was asked to stop before its first step.
    private static let stopAtStart = ProgramFailure(
        .stoppedEarly, "stopped early, before the first step: nothing is lost; run the same command again",
        isShared: true)

    /// Ends a start-up that a signal on any rank asks to stop. Collective.
    func stopIfAsked() throws {
        if try communicator.isTrueOnAny(StopRequest.signalNumber != 0) { throw Self.stopAtStart }
    }

    func prepare(_ store: CheckpointStore) throws {
        do {
            try store.prepare()
        } catch {
            throw ProgramFailure(.badInput, "checkpoint.directory: \(error)")
        }
    }

    /// The run directory, locked; on rank 0 only.
    func openDirectory() throws -> RunDirectory? {
        guard communicator.rank == 0 else { return nil }
        return try RunDirectory(path: configuration.logging.directory, host: communicator.host)
    }

    /// The checkpoint to continue from, or nil for a new run.
    func findCheckpoint(_ directory: RunDirectory?, _ store: CheckpointStore) throws -> CheckpointReader? {
        let finder = CheckpointFinder(communicator: communicator, console: console)
        if options.isSelfTest {
            try startOver(directory, store)
            return try finder.find(.never, in: store)
        }
        guard case .path(let path) = options.resume else { return try finder.find(options.resume, in: store) }
        let mode =
            try options.branch == nil
            ? finder.mode(resuming: path, in: store, origin: directory?.origin)
            : finder.mode(resuming: path, as: branch(directory, store))
        return try finder.find(mode, in: store)
    }

    /// The branch of `--branch`; on rank 0 only.
    private func branch(_ directory: RunDirectory?, _ store: CheckpointStore) -> Branch? {
        guard let name = options.branch, let directory else { return nil }
        return Branch(name: name, store: store, directory: directory)
    }

    /// Removes the checkpoints and metrics of an earlier self-test job, nothing else.
    func startOver(_ directory: RunDirectory?, _ store: CheckpointStore) throws {
        try communicator.agreed {
            guard let directory else { return }
            try store.recover()
            let checkpoints = try store.stepDirectories()
            // Overrides may point elsewhere: there, whatever does not say that it is the self-test job's stays.
            if configuration.logging.directory != Self.selfTestDirectory {
                for checkpoint in checkpoints { try requireSelfTest(checkpoint.path) }
            }
            for checkpoint in checkpoints { try FileManager.default.removeItem(atPath: checkpoint.path) }
            try directory.removeMetrics()
        }
    }

    private static let selfTestDirectory = "runs/" + RunConfiguration.selfTestJob.name

    private func requireSelfTest(_ path: String) throws {
        let index = try? CheckpointReader(directory: path).index
        let run = try index.map { try RunConfiguration.fromJSON($0.configuration, file: path) }
        guard run?.name == RunConfiguration.selfTestJob.name else {
            throw ProgramFailure(
                .badInput,
                "\(path) is not the embedded job's, which starts over and would remove it. Give a CONFIG to continue that "
                    + "run, or choose another logging.directory.")
        }
    }

    /// The fingerprint of the training data, which every rank forms of the files that it sees.
    func agreedFingerprint(_ stream: TrainingStream) throws -> String {
        let own = try communicator.agreed { try stream.fingerprint }
        let all = try communicator.allGather(Array(own.utf8))
        if let other = all.firstIndex(where: { $0 != all[0] }) {
            throw ProgramFailure(
                .badInput,
                "data.train: rank \(other) reads other text than rank 0 from the same paths. All ranks need the same files.",
                isShared: true)
        }
        return String(decoding: all[0], as: UTF8.self)
    }

    /// Refuses a run that its node has no memory for, instead of leaving that to the kernel some steps later.
    func requireMemory(_ pool: ThreadPool) throws {
        let plan = MemoryPlan(configuration, ranks: communicator.size, ranksOnNode: communicator.nodeSize)
        let ofRank = plan.parts(threads: pool.threadCount).total
        let needed = ofRank * communicator.nodeSize
        try communicator.agreed {
            try AddressSpace.current.require(
                ThreadPool.addressSpaceBytes + ofRank + AddressSpace.reserveBytes, for: "this run")
            guard let available = MachineMemory.availableBytes, needed > available else { return }
            throw ProgramFailure(
                .badInput,
                "this run needs \(GroupedNumber.mebibytes(needed)) for the \(communicator.nodeSize) ranks of a node, which "
                    + "has \(GroupedNumber.mebibytes(available)) available. Use fewer ranks per node, more nodes, or a "
                    + "smaller training.micro_batch_size; --dry-run shows what takes the memory.")
        }
    }

    /// - Returns: whether anything was changed that may be changed.
    func requireSameRun(
        _ checkpoint: CheckpointReader, _ data: RunData, _ fingerprint: String, gemmIdentity: String
    ) throws -> Bool {
        let changes = try communicator.agreed {
            let changes = try checkpoint.index.requireSameRun(
                as: configuration, tokenizer: data.tokenizer, fingerprint: fingerprint)
            try checkpoint.index.tokenizer.requireOrigin(of: data.training.domains + data.validation, key: "data")
            return changes
        }
        if let note = checkpoint.index.tokenizer.assumption(of: data.tokenizer) { console.warning(note) }
        for change in changes { console.line("changed since the checkpoint: \(change)") }
        warnAboutIdentity(checkpoint.index, gemmIdentity: gemmIdentity)
        return !changes.isEmpty
    }

    /// Says so where a continued run will not have the bits of one that was never stopped.
    private func warnAboutIdentity(_ index: CheckpointIndex, gemmIdentity: String) {
        guard configuration.training.reproducible, !index.isImported else { return }
        let before = [index.processor, index.blas]
        let now = [MachineIdentity.processor, gemmIdentity]
        guard before != now else { return }
        console.warning(
            "training.reproducible: the checkpoint was written with \(before.joined(separator: ", ")), this run computes "
                + "with \(now.joined(separator: ", ")): from here on its bits are not those of an undisturbed run")
    }

    /// - Returns: the tokenizer that the run's own checkpoints hold.
    @discardableResult
    package func fill(
        _ state: TrainingState, from checkpoint: CheckpointReader?, _ weights: InitialWeights?, _ data: RunData,
        pool: ThreadPool
    ) throws -> CheckpointIndex.Tokenizer {
        if let checkpoint {
            try communicator.agreed {
                try CheckpointFinder.reading { try state.load(checkpoint, rank: communicator.rank) }
            }
            if options.initializeFrom != nil { console.line("--initialize-from is for a new run and is not used") }
            console.line("continuing from \(checkpoint.directory), step \(state.progress.step)")
        } else if let source = weights?.source {
            try communicator.agreed {
                try CheckpointFinder.reading {
                    try state.setParameters { try source.read(.parameter, range: 0..<state.table.count, into: $0) }
                }
            }
            console.line("new run from the weights of \(source.directory)")
        } else {
            state.setParameters {
                configuration.model.initialize($0, seed: configuration.training.seed, pool: pool)
            }
        }
        let origin = checkpoint ?? weights?.source
        let tokenizer = CheckpointIndex.Tokenizer(data.tokenizer, origin: origin?.index.tokenizer)
        if let origin {
            state.withheldTokens = origin.index.rolesWithheld(with: data.tokenizer)
            state.carriedFiles = try carriedFiles(of: origin, tokenizer)
        }
        return tokenizer
    }

    /// The files that a run carries on from the checkpoint it starts from; none on other ranks than 0. Collective.
    ///
    /// - Parameter tokenizer: the one of the run's own checkpoints.
    private func carriedFiles(
        of origin: CheckpointReader, _ tokenizer: CheckpointIndex.Tokenizer
    ) throws -> [CarriedFile] {
        try communicator.agreed {
            guard communicator.rank == 0 else { return [] }
            let files = try CheckpointFinder.reading { try origin.carriedFiles() }
            guard origin.index.tokenizer.name == CheckpointIndex.Tokenizer.noneName else { return files }
            let (kept, dropped) = CarriedFile.split(files, by: tokenizer)
            if !dropped.isEmpty {
                console.warning(
                    "data.tokenizer: \(tokenizer.name) is none of the model's own tokenizer files, which this run does not "
                        + "carry on: \(dropped.joined(separator: ", "))")
            }
            return kept
        }
    }

    /// Moves rows aside that must not stand before the next ones, then opens the metrics; rank 0 only.
    func openRun(
        _ directory: RunDirectory, _ checkpoint: CheckpointReader?, _ store: CheckpointStore
    ) throws -> MetricsSinks {
        if let checkpoint, let branch = branch(directory, store), try !branch.isBegun() {
            console.line(try branch.begin(after: checkpoint.index.step))
        }
        let isAnother = checkpoint.map { tellsAnotherStory(directory, than: $0, store) } ?? true
        if isAnother, let names = try directory.setAsideMetrics() {
            console.line("earlier metrics moved to \(names)")
        }
        return try MetricsSinks(
            configuration.logging.sinks, in: directory, after: checkpoint?.index.step ?? 0, warn: console.warning)
    }
}
