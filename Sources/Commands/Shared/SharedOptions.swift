// SharedOptions - options of several commands, with their help and checks.

internal import ArgumentParser
internal import Configuration
internal import JobRuntime

/// `--set`, and the loading of a configuration with it.
struct ConfigurationOverrides: ParsableArguments {
    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp("Override a key of the configuration. May be repeated.", valueName: "key.path=value"))
    var assignments: [String] = []

    /// Loads the configuration at `path` with the overrides of `--set`.
    ///
    /// - Parameter path: nil for the configuration of the self-test job.
    func load(_ process: ProcessContext, path: String?) throws -> RunConfiguration {
        try ConfigurationSource(process, path: path).load(overrides: assignments)
    }
}

/// The required argument CONFIG, and `--set`.
struct RequiredConfiguration: ParsableArguments {
    @Argument(help: ArgumentHelp("The configuration (YAML).", valueName: "config"))
    var path: String

    @OptionGroup var overrides: ConfigurationOverrides

    func load(_ process: ProcessContext) throws -> RunConfiguration {
        try overrides.load(process, path: path)
    }
}

/// The argument CHECKPOINT.
struct CheckpointArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("A step directory, or a checkpoints directory (its newest).", valueName: "checkpoint"))
    var path: String
}

/// `--end-token` of commands that take a tokenizer.
struct EndTokenOption: ParsableArguments {
    static let name = "--end-token"

    @Option(
        help: ArgumentHelp(
            "For a tokenizer.json: text or id of the token that ends documents. Default: eos of tokenizer_config.json or "
                + "generation_config.json beside it.", valueName: "token"))
    var endToken = ""
}

/// `--threads` of commands that run in one process.
struct ThreadsOption: ParsableArguments {
    @Option(name: .customLong("threads"), help: "Threads; 0: the cores bound to the process.")
    var count = 0

    func validate() throws { try Self.requireAllowed(count) }

    /// Throws unless `count` is allowed for `--threads`.
    static func requireAllowed(_ count: Int) throws {
        guard count >= 0 else { throw ValidationError("--threads: \(count) found; allowed: 0 or more.") }
    }
}

/// `--threads` of commands that share their work among ranks.
struct ThreadsPerRankOption: ParsableArguments {
    @Option(name: .customLong("threads"), help: "Threads per rank; 0: the cores bound to it.")
    var count = 0

    func validate() throws { try ThreadsOption.requireAllowed(count) }
}

/// `--json` of commands whose JSON object has the content of their table.
struct JSONFlag: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print one JSON object.")
    var isJSON = false
}

/// `--on-error` of commands that read lines of text.
struct MalformedLineOption: ParsableArguments {
    /// The handling of a malformed line.
    enum Handling: String, CaseIterable, ExpressibleByArgument {
        case skip, fail
    }

    @Option(
        name: .customLong("on-error"), help: "What to do with a malformed line: count it (skip), or end there (fail).")
    var handling = Handling.skip

    /// Whether malformed lines are counted and left out; otherwise the first one ends the command.
    var skips: Bool { handling == .skip }
}
