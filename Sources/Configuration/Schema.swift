// Schema - every key of the configuration, in the order of the written file.

internal import Kernels
internal import LlamaModel
internal import Optimization
internal import TokenData
internal import Tokenizers

/// Every key of a run's configuration (design section 4). Defaults come from the initialisers of the structs.
enum Schema {
    /// Tokens of the `bytes` tokenizer: 256 bytes and the end of a document.
    static let bytesVocabulary = 257

    // Upper limits are far beyond any real run. They keep every product of sizes within Int.
    private static let million = 1 << 20
    private static let steps = 1 << 30

    static let fields: [Field<RunConfiguration>] =
        model + data + loss + optimizer + schedule + training + evaluation + checkpoint + logging

    /// A configuration of defaults. Required keys are unset, and directories are empty.
    static let defaults = RunConfiguration(
        unresolved: "",
        model: .unset,
        data: DataConfiguration(train: []))

    /// The section `model`: a field for each key of a model.
    private static let model: [Field<RunConfiguration>] = ModelConfiguration.keys.map { key in
        var field: Field<ModelConfiguration> =
            switch key.kind {
            case .size(let property, let allowed): .integer(key.name, property.path, allowed, key.help)
            case .number(let property): .number(key.name, property.path, .positive, key.help)
            case .flag(let property): .boolean(key.name, property.path, key.help)
            case .word(let property): .word(key.name, property.words, get: property.get, set: property.set, key.help)
            }
        if key.isRequired { field = field.required }
        if let words = key.defaultInWords { field = field.standard(words) }
        return field.fixed.inSection("model", \.model)
    }

    private static let allowedTokenizers =
        "bytes, none, or the path of a SentencePiece model, which ends in .model, of a tokenizer.json, which ends in .json, or "
        + "of a directory with tokenizer.model or tokenizer.json"

    /// The part of `data.tokenizer` that a resumed run may not change.
    private static func kind(ofTokenizer setting: String) -> String {
        if ["bytes", noTokenizerName].contains(setting) { return setting }
        return setting.hasSuffix(JSONTokenizer.suffix) ? JSONTokenizer.suffix : SentencePieceTokenizer.suffix
    }

    private static let domainName = Field<DataConfiguration.Domain>.text(
        "name", \.name, allowed: "text that is not empty",
        refuse: { $0.isEmpty ? Refusal(reason: "which names nothing", allowed: "text that is not empty") : nil },
        "The domain's name in metrics; each name once in a list.")

    private static let domainPath = Field<DataConfiguration.Domain>.texts(
        "path", \.paths, allowed: "a path, or a list of paths",
        refuse: { $0.isEmpty ? Refusal(reason: "which is no path", allowed: "a path") : nil },
        "A \(DocumentSource.textSuffixes(joinedBy: "or")) file, a directory or a pattern of such files, or a list of these; the "
            + "prefix of a prepared .bin/.idx pair; or synthetic:train (for validation synthetic:validation). Relative to "
            + "the working directory.")

    /// How the text files of a domain are read.
    private static let domainReading: [Field<DataConfiguration.Domain>] = [
        Field.text(
            "text_key", \.reading.textKey, allowed: "text that is not empty",
            refuse: { $0.isEmpty ? Refusal(reason: "which names nothing", allowed: "text that is not empty") : nil },
            "Key of the text in JSON lines; a.b is key b of the object a, unless a key is named a.b."
        ).omittedByDefault,
        Field.text(
            "document_separator", \.reading.separatorText, allowsControls: true,
            "Text between the documents of a .txt file; empty: a file is one document."
        ).omittedByDefault,
        Field.choice("encoding", \.reading.encoding, "Encoding of .txt files and JSON lines.").omittedByDefault,
    ]

    private static let data: [Field<RunConfiguration>] = [
        .text(
            "data.tokenizer", \.data.tokenizer, allowed: allowedTokenizers,
            // Checkpoints name the file, because the directory may be gone when they are read.
            convert: tokenizerFile,
            refuse: {
                $0 == "bytes" || $0 == noTokenizerName || $0.hasSuffix(SentencePieceTokenizer.suffix)
                    || $0.hasSuffix(JSONTokenizer.suffix)
                    ? nil : Refusal(reason: "which is no tokenizer", allowed: allowedTokenizers)
            },
            "How text becomes tokens. bytes: the bytes, and 256 ends a document. Otherwise the path of a SentencePiece model, or "
                + "of Hugging Face's tokenizer.json, relative to the working directory: its ids, and its end token (eos) ends a "
                + "document. Of a directory, tokenizer.model is taken, or else tokenizer.json. none: a tokenizer that this program does not read gave the ids; all data are prepared."
        )
        // The model file may move. The checkpoint holds the model, and a resume compares the two.
        .fixed(by: { .text(kind(ofTokenizer: $0.data.tokenizer)) }),
        .text(
            "data.end_token", \.data.endToken, allowed: "text or id of a token", allowsIntegers: true,
            "For a tokenizer.json: the token that ends a document, by its text or its id. Empty: eos_token of "
                + "tokenizer_config.json beside it, or eos_token_id of generation_config.json."),
        .objects(
            "data.train", \.data.train, standard: DataConfiguration.Domain(name: "", path: ""),
            fields: [
                domainName.required.fixed, domainPath.required,
                Field.number(
                    "weight", \.weight, .notNegative,
                    "Share of the training sequences, relative to the other domains'; 0: not read at all, as if left out."
                ).fixed,
            ] + domainReading,
            isIdentifying: { $0.weight > 0 }, "The text to train on, one mapping for each domain."
        ).required,
        .objects(
            "data.validation", \.data.validation, standard: DataConfiguration.Domain(name: "", path: ""),
            fields: [domainName.required, domainPath.required] + domainReading,
            "The text to evaluate on, one mapping for each domain."),
        .integer("data.sequence_length", \.data.sequenceLength, 1...million, "Targets of a sequence.").fixed,
        .integers(
            "data.ignored_targets", \.data.ignoredTargets, 0...Int32.max,
            "Token ids that carry no loss as targets; below model.vocab_size."
        ).fixed,
        .boolean(
            "data.document_mask", \.data.documentMask,
            "Attention and positions stay inside a document. Borders are those of the text's documents, or of the .idx. "
                + "The end token belongs to the document that it ends. Validation and eval do the same."
        ).fixed,
        .boolean(
            "data.mask_document_starts", \.data.maskDocumentStarts,
            "No loss falls on a target across a border: the first token of a document, whose input belongs to another one."
        ).fixed,
    ]

    private static let loss: [Field<RunConfiguration>] = [
        .choice("loss.kind", \.loss.kind, "What weighs a token: its entropy, its probability, or nothing."),
        .number("loss.gamma", \.loss.gamma, .notNegative, "Exponent of the weight; 0 is plain cross-entropy."),
        .number("loss.sigma", \.loss.sigma, .notNegative, "Added to the entropy before the exponent (mile)."),
        .choice(
            "loss.normalization", \.loss.normalization,
            "global: the sum of weights of the whole step. reference: as the authors' published trainer."),
        .integer(
            "loss.reference_ranks", \.loss.referenceRanks, 0...million,
            "Ranks that the authors' trainer would have had (reference); 0: the MPI ranks."),
        .number(
            "loss.probability_floor", \.loss.probabilityFloor, .belowOne,
            "Smaller probabilities count as this in the entropy; the authors' is 1.0e-8; 0: exact entropy."),
    ]

    private static let optimizer: [Field<RunConfiguration>] = [
        .choice("optimizer.kind", \.optimizer.kind, "The update rule. " + OptimizerConfiguration.help(\.kind)).fixed,
        .number(
            "optimizer.learning_rate", \.optimizer.learningRate, .notNegative, "The highest rate of the schedule."),
        .number("optimizer.beta1", \.optimizer.beta1, .belowOne, OptimizerConfiguration.help(\.beta1)),
        .number("optimizer.beta2", \.optimizer.beta2, .belowOne, OptimizerConfiguration.help(\.beta2)),
        .number("optimizer.epsilon", \.optimizer.epsilon, .positive, OptimizerConfiguration.help(\.epsilon)),
        .number(
            "optimizer.weight_decay", \.optimizer.weightDecay, .notNegative,
            "Decoupled decay of all tensors but norm gains and biases."),
        .number(
            "optimizer.gradient_clip", \.optimizer.gradientClip, .notNegative,
            "Largest norm of the whole gradient; 0: no clipping."),
    ]

    private static let schedule: [Field<RunConfiguration>] = [
        .choice(
            "schedule.kind", \.schedule.kind,
            "Decay of the learning rate after the warm-up; wsd (warmup-stable-decay): none until the last decay_steps."),
        .integer(
            "schedule.warmup_steps", \.schedule.warmupSteps, 0...steps,
            "Steps of linear warm-up; at most schedule.total_steps."),
        .integer("schedule.total_steps", \.schedule.totalSteps, 1...steps, "Optimizer steps of the run."),
        .number(
            "schedule.minimum_ratio", \.schedule.minimumRatio, .share,
            "Share of optimizer.learning_rate that cosine, linear and wsd would reach one step after schedule.total_steps, as in "
                + "PyTorch's and Hugging Face's schedulers; constant does not use it."),
        .integer(
            "schedule.decay_steps", \.schedule.decaySteps, 0...steps,
            "Steps of the decay of wsd, the last ones of the run; 0: the rate stays. Step total_steps - decay_steps + 1 is the "
                + "last one with the full rate; minimum_ratio would be reached one step after schedule.total_steps. Only for wsd; "
                + "with warmup_steps at most schedule.total_steps."),
        .choice(
            "schedule.decay_shape", \.schedule.decayShape,
            "How wsd falls, where x is the share of the decay that has passed: linear 1 - x, cosine (1 + cos(pi x)) / 2, "
                + "sqrt 1 - sqrt(x). Only for wsd."),
    ]

    private static let training: [Field<RunConfiguration>] = [
        .integer(
            "training.global_batch_size", \.training.globalBatchSize, 1...million,
            "Sequences of an optimizer step, over all ranks."),
        .integer(
            "training.micro_batch_size", \.training.microBatchSize, 1...million,
            "Most sequences that a rank computes at a time."),
        .integer(
            "training.seed", \.training.seed, 0...UInt64(Int.max), "Decides initial values and the order of the data."
        ).fixed,
        .choice(
            "training.precision", \.training.precision,
            "Format of what the products read; sums, gradients, moments and saved parameters are fp32."),
        .boolean(
            "training.reproducible", \.training.reproducible,
            "Bit-identical results for any number of ranks and threads on one kind of processor."),
        .choice(
            "training.blas", \.training.blas,
            "Library of fp32 products; auto: the fastest way here, which also computes those of bf16 where it gains."),
        .choice(
            "training.gradient_reduction", \.training.gradientReduction,
            "Whether each rank receives its part of the summed gradient or all of it."),
        .choice(
            "training.activation_checkpointing", \.training.activationCheckpointing,
            "layer: keep only the layers' inputs and compute the layers again in the backward pass, to save memory."),
        .integer("training.threads", \.training.threads, 0...4096, "Threads of a rank; 0: the cores bound to it."),
        .integer(
            "training.stop_at_step", \.training.stopAtStep, 0...steps,
            "Evaluate, save and end after this step, the schedule unchanged; 0: schedule.total_steps."),
        .text(
            "training.time_limit", \.training.timeLimit, allowed: TimeLimit.allowed,
            refuse: {
                $0.isEmpty || TimeLimit.seconds($0) != nil
                    ? nil : Refusal(reason: "which is no duration", allowed: TimeLimit.allowed)
            },
            "Save and end with status 75 after this time."),
        .integer(
            "training.bucket_mib", \.training.bucketMiB, 0...million,
            "Size of a gradient bucket in MiB; 0: chosen by the program."),
        .integer(
            "training.maximum_skipped_steps", \.training.maximumSkippedSteps, 0...steps,
            "Consecutive steps that a run may skip: numbers that are not finite, and spikes."),
        .number(
            "training.spike_z_score", \.training.spikeZScore, .notNegative,
            "Skip steps whose loss is this many standard deviations above the mean of the last 128; 0: never."),
        .integer(
            "training.watchdog_seconds", \.training.watchdogSeconds, 0...steps,
            "End a run whose ranks wait longer than this for others, naming the late ones; must exceed the longest step "
                + "and evaluation. A single rank waits for nobody. 0: off."),
    ]

    private static let evaluation: [Field<RunConfiguration>] = [
        .integer(
            "evaluation.every", \.evaluation.every, 1...steps, "Steps between evaluations; one follows the last step."),
        .integer(
            "evaluation.sequences", \.evaluation.sequences, 0...Int(Int32.max),
            "Sequences of each validation domain, from its start; 0: all."),
    ]

    private static let checkpoint: [Field<RunConfiguration>] = [
        .text("checkpoint.directory", \.checkpoint.directory, "Default: checkpoints in logging.directory."),
        .integer(
            "checkpoint.every", \.checkpoint.every, 1...steps, "Steps between checkpoints; one follows the last step."),
        .integer("checkpoint.keep", \.checkpoint.keep, 1...steps, "Newest checkpoints that are kept."),
        .integer(
            "checkpoint.keep_every", \.checkpoint.keepEvery, 0...steps,
            "For each multiple of this step the first checkpoint at or after it is kept for good; 0: none."),
        .boolean("checkpoint.initial", \.checkpoint.initial, "Whether step 0 is written too."),
    ]

    private static let logging: [Field<RunConfiguration>] = [
        .text("logging.directory", \.logging.directory, "The run directory. Default: runs/NAME of the configuration."),
        .integer(
            "logging.every", \.logging.every, 1...steps, "Steps between progress lines; metrics.jsonl has every step."),
        .boolean(
            "logging.profile", \.logging.profile,
            "Phases of every step in metrics.jsonl, and the first 100 steps of all ranks in trace.json (Chrome's format)."
        ),
        .choices(
            "logging.sinks", \.logging.sinks,
            refuse: {
                $0.contains(.jsonl)
                    ? nil
                    : Refusal(
                        reason: "which lacks jsonl",
                        allowed: "a list with jsonl, which a resume reads, as in [jsonl, csv]")
            },
            "Files that receive the rows of the metrics. jsonl, always one of them: metrics.jsonl with every row. "
                + "csv: metrics.csv, a table of the numbers of training rows."),
    ]
}
