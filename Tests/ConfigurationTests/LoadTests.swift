// LoadTests - defaults, and one clear message for each kind of mistake.

import Kernels
import LlamaModel
import Optimization
import TestSupport
import Testing
import TokenData

@testable import Configuration

@Suite struct LoadTests {
    /// Design section 4, key by key.
    @Test func defaults() throws {
        let run = try Sample.load()
        #expect(run.model.keyValueHeadCount == 4)
        #expect(run.model.rmsNormEpsilon == 1e-5)
        #expect(run.model.ropeTheta == 10_000)
        #expect(run.model.initializerRange == 0.01)
        #expect(!run.model.tieWordEmbeddings)
        #expect(run.model.architecture == .llama && run.model.ropeScaling == .none)
        #expect(run.model.headSize == run.model.hiddenSize / 4)
        #expect(!run.model.attentionBias && !run.model.mlpBias && run.model.ropeFactor == 1)
        #expect(run.model.slidingWindow == 0 && run.model.unrotatedLayerInterval == 0)
        #expect(run.data == DataConfiguration(train: [.init(name: "one", path: "one.txt")], sequenceLength: 64))
        #expect(run.data.tokenizer == "bytes")
        #expect(run.data.train[0].weight == 1)
        #expect(run.loss.kind == .mile)
        #expect(run.loss.gamma == 1)
        #expect(run.loss.sigma == 1)
        #expect(run.loss.normalization == .global)
        #expect(run.loss.referenceRanks == 0)
        #expect(run.loss.probabilityFloor == 0)
        #expect(run.optimizer.learningRate == 3e-4)
        #expect(run.optimizer.beta1 == 0.9)
        #expect(run.optimizer.beta2 == 0.95)
        #expect(run.optimizer.epsilon == 1e-8)
        #expect(run.optimizer.weightDecay == 0.1)
        #expect(run.optimizer.gradientClip == 1)
        #expect(run.schedule.kind == .cosine)
        #expect(run.schedule.warmupSteps == 1000)
        #expect(run.schedule.totalSteps == 100_000)
        #expect(run.schedule.minimumRatio == 0)
        #expect(run.training.globalBatchSize == 1024)
        #expect(run.training.microBatchSize == 4)
        #expect(run.training.seed == 111)
        #expect(run.training.precision == .fp32)
        #expect(!run.training.reproducible)
        #expect(run.training.blas == .auto)
        #expect(run.training.gradientReduction == .reduceScatter)
        #expect(run.training.activationCheckpointing == .none)
        #expect(run.training.threads == 0)
        #expect(run.training.stopAtStep == 0)
        #expect(run.training.timeLimit == "")
        #expect(run.training.timeLimitSeconds == nil)
        #expect(run.training.bucketMiB == 0)
        #expect(run.training.maximumSkippedSteps == 10)
        #expect(run.training.spikeZScore == 0)
        #expect(run.training.watchdogSeconds == 0)
        #expect(run.evaluation == EvaluationConfiguration(every: 1000, sequences: 256))
        #expect(run.checkpoint.directory == "runs/run/checkpoints")
        #expect(run.checkpoint.every == 1000)
        #expect(run.checkpoint.keep == 3)
        #expect(run.checkpoint.keepEvery == 0)
        #expect(!run.checkpoint.initial)
        #expect(run.logging == LoggingConfiguration(directory: "runs/run", every: 1, profile: false))
    }

    @Test func watchdog() throws {
        #expect(try Sample.load(Sample.text, "training.watchdog_seconds=60").training.watchdogSeconds == 60)
    }

    @Test func checkpointsFollowTheRunDirectory() throws {
        let run = try Sample.load(Sample.text, "logging.directory=scratch/a")
        #expect(run.checkpoint.directory == "scratch/a/checkpoints")
        let apart = try Sample.load(Sample.text, "logging.directory=scratch/a", "checkpoint.directory=elsewhere")
        #expect(apart.checkpoint.directory == "elsewhere")
    }

    /// Whole messages: they are what users see.
    @Test(arguments: [
        (
            "training:\n  micro_batch_size: four\n",
            "run.yaml:13: training.micro_batch_size: found \"four\" (string); allowed: an integer from 1 to 1048576"
        ),
        (
            "training:\n  seed: 1\n  micro_batchsize: 4\n",
            "run.yaml:14: training.micro_batchsize: found an unknown key; allowed: global_batch_size, "
                + "micro_batch_size, seed, precision, reproducible, blas, gradient_reduction, "
                + "activation_checkpointing, threads, stop_at_step, time_limit, bucket_mib, maximum_skipped_steps, "
                + "spike_z_score, watchdog_seconds; did you mean training.micro_batch_size?"
        ),
        (
            "seed: 1\n",
            "run.yaml:12: seed: found an unknown key; allowed: model, data, loss, optimizer, schedule, training, "
                + "evaluation, checkpoint, logging; did you mean training.seed?"
        ),
        (
            "qqqqqqqqqq: 1\n",
            "run.yaml:12: qqqqqqqqqq: found an unknown key; allowed: model, data, loss, optimizer, schedule, "
                + "training, evaluation, checkpoint, logging"
        ),
        (
            "loss: {gamma: -1}\n",
            "run.yaml:12: loss.gamma: found -1 (integer); allowed: a finite number of at least 0"
        ),
        (
            "loss:\n  kind: MiLe\n",
            "run.yaml:13: loss.kind: found \"MiLe\" (string); allowed: one of mile, focal, cross_entropy"
        ),
        (
            "optimizer:\n",
            "run.yaml:12: optimizer: found nothing (null); allowed: a mapping with keys among kind, learning_rate, "
                + "beta1, beta2, epsilon, weight_decay, gradient_clip"
        ),
        (
            "training: {time_limit: 90}\n",
            "run.yaml:12: training.time_limit: found 90 (integer); allowed: \"\" (no limit), seconds, minutes, hours "
                + "or days as in \"90s\", \"30m\", \"12h\", \"2d\", or Slurm's \"HH:MM:SS\" and \"D-HH:MM:SS\""
        ),
        (
            "training: {seed: 1, seed: 2}\n",
            "run.yaml:12: seed: found the key more than once in one mapping; allowed: each key once"
        ),
    ])
    func message(lines: String, expected: String) {
        #expect(Sample.message(adding: lines) == expected)
    }

    /// A value of the wrong type or out of range, for each kind of key; the message names key, value and range.
    @Test(arguments: [
        ("model.hidden_size=0", "0 (integer)", "an integer from 1 to 1048576"),
        ("model.hidden_size=-128", "-128 (integer)", "an integer from 1 to 1048576"),
        ("model.hidden_size=128.0", "128.0 (number)", "an integer from 1 to 1048576"),
        ("model.hidden_size=null", "null", "an integer from 1 to 1048576"),
        ("model.hidden_size=[128]", "a list", "an integer from 1 to 1048576"),
        ("model.hidden_size={a: 1}", "a mapping", "an integer from 1 to 1048576"),
        ("model.num_hidden_layers=99999999999999999999", "99999999999999999999 (number)", "an integer from 1 to 8192"),
        ("model.tie_word_embeddings=yes", "\"yes\" (string)", "true or false"),
        ("model.tie_word_embeddings=1", "1 (integer)", "true or false"),
        ("model.architecture=gemma", "\"gemma\" (string)", "one of llama, mistral, qwen2, qwen3, smollm3"),
        ("model.architecture=1", "1 (integer)", "one of llama, mistral, qwen2, qwen3, smollm3"),
        ("model.rope_scaling=yarn", "\"yarn\" (string)", "one of none, linear, llama3"),
        ("model.head_dim=0", "0 (integer)", "an integer from 1 to 1048576"),
        ("model.sliding_window=-1", "-1 (integer)", "an integer from 0 to 4194304"),
        ("model.rms_norm_eps=0", "0 (integer)", "a finite number above 0"),
        ("model.rope_theta=.inf", ".inf (number)", "a finite number above 0"),
        ("loss.gamma=.nan", ".nan (number)", "a finite number of at least 0"),
        ("loss.gamma=1e999", "1e999 (number)", "a finite number of at least 0"),
        ("loss.sigma=-0.5", "-0.5 (number)", "a finite number of at least 0"),
        ("loss.reference_ranks=-1", "-1 (integer)", "an integer from 0 to 1048576"),
        ("loss.probability_floor=1", "1 (integer)", "a number of at least 0 and below 1"),
        ("optimizer.beta1=1", "1 (integer)", "a number of at least 0 and below 1"),
        ("optimizer.beta2=-0.1", "-0.1 (number)", "a number of at least 0 and below 1"),
        ("optimizer.learning_rate='1e-3'", "\"1e-3\" (string)", "a finite number of at least 0"),
        ("schedule.minimum_ratio=1.5", "1.5 (number)", "a number of at least 0 and at most 1"),
        ("schedule.kind=wds", "\"wds\" (string)", "one of cosine, linear, constant, wsd"),
        ("schedule.decay_steps=-1", "-1 (integer)", "an integer from 0 to 1073741824"),
        ("schedule.decay_shape=square", "\"square\" (string)", "one of linear, cosine, sqrt"),
        ("schedule.total_steps=0", "0 (integer)", "an integer from 1 to 1073741824"),
        ("training.global_batch_size=0", "0 (integer)", "an integer from 1 to 1048576"),
        ("training.seed=-1", "-1 (integer)", "an integer from 0 to 9223372036854775807"),
        ("training.gradient_reduction=false", "false (boolean)", "one of reduce_scatter, all_reduce"),
        ("evaluation.every=0", "0 (integer)", "an integer from 1 to 1073741824"),
        ("evaluation.sequences=-1", "-1 (integer)", "an integer from 0 to 2147483647"),
        ("checkpoint.keep=0", "0 (integer)", "an integer from 1 to 1073741824"),
        ("logging.sinks=jsonl", "\"jsonl\" (string)", "a list of words among jsonl, csv, each at most once"),
        (
            "logging.sinks=[]", "an empty list, which lacks jsonl",
            "a list with jsonl, which a resume reads, as in [jsonl, csv]"
        ),
        (
            "logging.sinks=[csv]", "a list, which lacks jsonl",
            "a list with jsonl, which a resume reads, as in [jsonl, csv]"
        ),
        ("logging.directory=12", "12 (integer)", "text"),
        ("data.sequence_length=0", "0 (integer)", "an integer from 1 to 1048576"),
        ("data.ignored_targets=0", "0 (integer)", "a list of integers from 0 to 2147483647, as in [0, 2]"),
        (
            "data.train=books.txt", "\"books.txt\" (string)",
            "a list of mappings, as in [{name: ..., path: ..., weight: ...}]"
        ),
        ("data.train=[]", "an empty list", "at least one mapping, as in [{name: ..., path: ...}]"),
        ("data.train.0.weight=-1", "-1 (integer)", "a finite number of at least 0"),
        (
            "data.train=[{name: a, path: a, weight: 0}]", "domains that are all switched off by weight 0",
            "at least one weight above 0"
        ),
    ])
    func refused(override: String, found: String, allowed: String) {
        let key = String(override.prefix { $0 != "=" }).replacing(".0.", with: "[0].")
        #expect(
            Sample.message(Sample.text, overrides: [override])
                == "--set \(override): \(key): found \(found); allowed: \(allowed)")
    }

    @Test func sinksAreKnownWordsEachOnce() throws {
        #expect(try Sample.load(Sample.text, "logging.sinks=[csv, jsonl]").logging.sinks == [.csv, .jsonl])
        #expect(
            Sample.message(Sample.text, overrides: ["logging.sinks=[jsonl, csw]"])
                == "--set logging.sinks=[jsonl, csw]: logging.sinks[1]: found \"csw\" (string); allowed: one of jsonl, csv"
        )
        #expect(
            Sample.message(Sample.text, overrides: ["logging.sinks=[jsonl, jsonl]"])
                == "--set logging.sinks=[jsonl, jsonl]: logging.sinks[1]: found \"jsonl\" (string), which is there twice; "
                + "allowed: each word once")
    }

    @Test func tokenizerIsBytesOrAModel() throws {
        #expect(
            Sample.message(Sample.text, overrides: ["data.tokenizer=byte"])
                == "--set data.tokenizer=byte: data.tokenizer: found \"byte\" (string), "
                + "which is no tokenizer; allowed: bytes, none, or the path of a SentencePiece model, "
                + "which ends in .model, of a tokenizer.json, which ends in .json, or of a directory with tokenizer.model or "
                + "tokenizer.json")
        // Whether the file is there is not the configuration's to say; nor how many ids it has.
        let run = try Sample.load(Sample.text, "data.tokenizer=a/tokenizer.model", "model.vocab_size=5")
        #expect(run.data.tokenizer == "a/tokenizer.model")
        #expect(try Sample.load(Sample.text, "data.tokenizer=none", "model.vocab_size=5").data.tokenizer == "none")
        let json = try Sample.load(Sample.text, "data.tokenizer=a/x.json", "model.vocab_size=5")
        #expect(json.data.tokenizer == "a/x.json" && json.data.endToken.isEmpty)
    }

    /// A directory stands for the file in it. A name with an ending is never one, nor are bytes and none.
    @Test func tokenizerMayBeADirectory() throws {
        let folder = try TemporaryFolder()
        try folder.write("{}", to: "some/tokenizer.json")
        try folder.write("{}", to: "some.model/tokenizer.json")
        try folder.makeFolder("empty")
        func tokenizer(_ name: String) throws -> String {
            let path = folder.path(name)
            return try Sample.load(Sample.text, "data.tokenizer=\(path)", "model.vocab_size=5").data.tokenizer
                .replacing(folder.path, with: "")
        }
        #expect(try tokenizer("some") == "/some/tokenizer.json")
        #expect(try tokenizer("some/") == "/some/tokenizer.json")
        #expect(try tokenizer("some.model") == "/some.model")
        let message = Sample.message(Sample.text, overrides: ["data.tokenizer=\(folder.path("empty"))"])
        #expect(message.contains("which is no tokenizer") && message.contains("a directory with"), "\(message)")
    }

    /// An id is a text here, so that it may stand with or without quotes.
    @Test func endTokenIsATextOrAnId() throws {
        for (value, expected) in [
            ("<|end|>", "<|end|>"), ("2", "2"), ("\"2\"", "2"), ("128001", "128001"), ("\"\"", ""),
        ] {
            #expect(try Sample.load(Sample.text, "data.end_token=\(value)").data.endToken == expected)
        }
        for value in ["true", "[2]", "1.5"] {
            let message = Sample.message(Sample.text, overrides: ["data.end_token=\(value)"])
            #expect(message.hasSuffix("allowed: text or id of a token"), "\(message)")
        }
        // It is written as a text, and read back.
        let run = try Sample.load(Sample.text, "data.end_token=2")
        #expect(try Sample.load(run.yaml).data.endToken == "2")
    }

    /// Keys that are right alone and wrong together; the message stands at the line of the key to change.
    @Test(arguments: [
        (
            ["model.num_attention_heads=3"], "model.num_attention_heads",
            "3, which does not divide model.hidden_size 128"
        ),
        (
            ["model.num_attention_heads=128"], "model.num_attention_heads",
            "128, which makes heads of size 1; rotary embeddings turn pairs of features"
        ),
        (
            ["model.num_key_value_heads=3"], "model.num_key_value_heads",
            "3, which does not divide model.num_attention_heads 4"
        ),
        (
            ["model.num_key_value_heads=8"], "model.num_key_value_heads",
            "8, which does not divide model.num_attention_heads 4"
        ),
        (["model.vocab_size=256"], "model.vocab_size", "256, which the tokenizer bytes exceeds"),
        (["data.sequence_length=65"], "data.sequence_length", "65, more than model.max_position_embeddings 64"),
        (
            ["model.architecture=mistral", "model.sliding_window=63"], "data.sequence_length",
            "64, more than model.sliding_window 63"
        ),
        (["model.sliding_window=64"], "model.sliding_window", "64 with architecture llama, which has none"),
        (["model.head_dim=7"], "model.head_dim", "7; rotary embeddings turn pairs of features"),
        (
            ["model.architecture=qwen2", "model.attention_bias=true"], "model.attention_bias",
            "true with architecture qwen2, which has no such key"
        ),
        (["model.rope_factor=8"], "model.rope_factor", "8.0 with rope_scaling none"),
        (
            ["data.ignored_targets=[0, 257]"], "data.ignored_targets[1]",
            "257, which is no token of a vocabulary of this size"
        ),
        (["schedule.warmup_steps=100001"], "schedule.warmup_steps", "100001, more than schedule.total_steps 100000"),
        (
            ["schedule.kind=wsd", "schedule.decay_steps=99001"], "schedule.decay_steps",
            "99001, more than schedule.total_steps 100000 - schedule.warmup_steps 1000"
        ),
        (
            ["schedule.kind=wsd", "schedule.warmup_steps=100001", "schedule.decay_steps=1"], "schedule.warmup_steps",
            "100001, more than schedule.total_steps 100000"
        ),
        (
            ["schedule.decay_steps=1"], "schedule.decay_steps",
            "1 with schedule.kind cosine, which has no such decay"
        ),
        (
            ["schedule.kind=constant", "schedule.decay_shape=sqrt"], "schedule.decay_shape",
            "sqrt with schedule.kind constant, which has no such decay"
        ),
        (["training.stop_at_step=100001"], "training.stop_at_step", "100001, more than schedule.total_steps 100000"),
        (
            ["data.train=[{name: a, path: b}, {name: a, path: c}]"], "data.train[1].name", "\"a\" a second time"
        ),
        (
            ["data.validation=[{name: a, path: b}, {name: a, path: c}]"], "data.validation[1].name",
            "\"a\" a second time"
        ),
        (
            ["loss.normalization=reference", "loss.reference_ranks=3", "training.micro_batch_size=5"],
            "training.global_batch_size",
            "1024, which training.micro_batch_size 5 * loss.reference_ranks 3 does not divide"
        ),
    ])
    func contradiction(overrides: [String], key: String, found: String) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.load(text: Sample.text, file: "run.yaml", name: "run", overrides: overrides)
        }
        #expect(error?.issues.count == 1)
        #expect(error?.key == key)
        #expect(error?.found == found)
    }

    /// The limits themselves are allowed.
    @Test(arguments: [
        ["data.sequence_length=64"], ["schedule.warmup_steps=100000"], ["training.stop_at_step=100000"],
        ["model.num_attention_heads=64"], ["model.num_key_value_heads=1"], ["training.micro_batch_size=4096"],
        ["loss.normalization=reference", "loss.reference_ranks=0"],
        ["loss.normalization=reference", "loss.reference_ranks=64", "training.micro_batch_size=16"],
        ["loss.gamma=0"], ["optimizer.gradient_clip=0"], ["schedule.minimum_ratio=1"], ["schedule.kind=wsd"],
        ["schedule.kind=wsd", "schedule.decay_steps=99000", "schedule.decay_shape=sqrt"],
        ["data.ignored_targets=[256]"],
        ["training.blas=openblas"], ["training.blas=onednn"], ["training.precision=bf16"],
        ["training.activation_checkpointing=layer"], ["training.spike_z_score=0.0"],
        ["data.train=[{name: a, path: b}]", "data.validation=[{name: a, path: b}]"],
    ])
    func accepted(overrides: [String]) {
        #expect(Sample.message(Sample.text, overrides: overrides) == "")
    }

    @Test func contradictionNamesTheLine() {
        let text = Sample.text.replacing("num_attention_heads: 4", with: "num_attention_heads: 3")
        #expect(Sample.message(text).hasPrefix("run.yaml:5: model.num_attention_heads: found 3, which"))
    }

    @Test(arguments: [
        ("", "run.yaml: found an empty configuration; allowed: a mapping with the keys model, data and others"),
        (
            "# nothing\n\n",
            "run.yaml: found an empty configuration; allowed: a mapping with the keys model, data and others"
        ),
        (
            "- 1\n",
            "run.yaml:1: found a list; allowed: a mapping with keys among model, data, loss, optimizer, schedule, "
                + "training, evaluation, checkpoint, logging"
        ),
        (
            "model: {hidden_size: 1\ndata: 3\n",
            "run.yaml:2: found text that is not YAML: did not find expected ',' or '}'; allowed: one YAML document"
        ),
        (
            "model:\n\t- 1\n",
            "run.yaml:2: found text that is not YAML: found character that cannot start any token; "
                + "allowed: one YAML document"
        ),
        (
            "a: 1\nb: \u{1}\n",
            "run.yaml:2: found text that is not YAML: control characters are not allowed; allowed: printable UTF-8"
        ),
        (
            "a: 1\n---\nb: 1\n",
            "run.yaml:2: found text that is not YAML: but found another document; allowed: one YAML document"
        ),
        ("[1]: 2\n", "run.yaml:1: found a list or mapping as a key; allowed: text as a key"),
    ])
    func notAConfiguration(text: String, expected: String) {
        #expect(Sample.message(text) == expected)
    }

    @Test func missingKeysAreNamedAtTheirSection() throws {
        let text = Sample.text.replacing("  hidden_size: 128\n", with: "").replacing("name: one, ", with: "")
        #expect(
            Sample.message(text) == """
                run.yaml:1: model.hidden_size: found no such key; allowed: an integer from 1 to 1048576
                run.yaml:9: data.train[0].name: found no such key; allowed: text that is not empty
                """)
        #expect(Sample.message("data: {train: [{name: a, path: b}]}\n").split(separator: "\n").count == 6)
    }

    /// All mistakes at once, in the order of the text and then of the overrides, whatever the order of the keys.
    @Test func allMistakesInOrder() {
        let text = "training: {seed: x, threads: -1}\nloss: {gamma: x, nonsense: 1}\n" + Sample.text
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.load(
                text: text, file: "run.yaml", name: "run", overrides: ["training.blas=x", "loss.sigma=x"])
        }
        #expect(
            error?.issues.map(\.key) == [
                "training.seed", "training.threads", "loss.gamma", "loss.nonsense", "training.blas", "loss.sigma",
            ])
        #expect(error?.issues.map(\.line) == [1, 1, 2, 2, nil, nil])
        #expect(error?.issues.map(\.file).last == "--set loss.sigma=x")
    }

    @Test func dottedKeysAreNoPaths() {
        #expect(
            Sample.message(adding: "training.seed: 3\n").hasPrefix("run.yaml:12: training.seed: found an unknown key"))
    }

    @Test func byteOrderMarkAndCarriageReturns() throws {
        let text = "\u{FEFF}" + Sample.text.replacing("\n", with: "\r\n")
        #expect(try Sample.load(text) == Sample.load())
    }

    @Test func aliasesCannotFillTheMemory() {
        var text = "a: &a0 [1, 1]\n"
        for level in 1...40 { text += "b\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(Sample.message(text).hasSuffix("found more than 100000 values; allowed: at most 100000"))
    }

    @Test func controlCharactersInText() {
        #expect(
            Sample.message(adding: "logging: {directory: \"a\\nb\"}\n")
                == "run.yaml:12: logging.directory: found \"a\\u000Ab\" (string), which has control characters; "
                + "allowed: text")
    }
}
