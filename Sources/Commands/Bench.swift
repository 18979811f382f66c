// Bench - `mile-dist bench gemm|kernels|collectives|step`: rates relative to this machine's peak rates.

internal import ArgumentParser
internal import Benchmarks
internal import JobRuntime
internal import MessagePassing
internal import Reporting

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure products, kernels, collectives or whole steps as shares of this machine's ceilings.",
        discussion: """
            The ceilings are measured in the same run, where a command needs them: the peak of the vector units, \
            memory bandwidth, and the fastest product of 2048 x 2048 x 2048. Nothing is written.

            Examples:
              mile-dist bench gemm
              mile-dist bench kernels --threads 2
              mpirun -n 4 mile-dist bench collectives
              mile-dist bench step configs/shakespeare.yaml --json
              mpirun -n 2 mile-dist bench step configs/llama-468m.yaml --set training.threads=1
            """,
        subcommands: [BenchGemm.self, BenchKernels.self, BenchCollectives.self, BenchStep.self])
}

/// The options of benches that measure kernels of a model in one process.
struct BenchModelOptions: ParsableArguments {
    @Argument(help: "The configuration whose model is used. Without it: 60M parameters (hidden 512, 8 layers).")
    var config: String?

    @Option(help: "Tokens of a micro-batch.")
    var tokens = 2048

    @OptionGroup var threads: ThreadsOption

    @OptionGroup var json: JSONFlag

    func model(_ process: ProcessContext) throws -> BenchModel {
        try BenchModel(process, config: config, tokens: tokens)
    }
}

struct BenchGemm: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gemm", abstract: "The products of a model's step, by each library and in each format.",
        discussion: """
            Columns: fp32 by either library; bf16 operands as they are (bf16) and widened to fp32 by oneDNN (widened); \
            for gradients of weights whose operand lies badly also fp32 by oneDNN from dense copies (copied).

            Example:
              mile-dist bench gemm configs/llama-468m.yaml --tokens 1024
            """)

    @OptionGroup var options: BenchModelOptions

    func run() throws {
        launchOnAllRanks { process in
            let bench = try GemmBench(process, options.model(process), threads: options.threads.count)
            try bench.run(process.console, isJSON: options.json.isJSON)
            return .done
        }
    }
}

struct BenchKernels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Norms, attention, SwiGLU, the loss and the optimizer, each against its bound.",
        discussion: """
            Example:
              mile-dist bench kernels configs/llama-468m.yaml --tokens 1024
            """)

    @OptionGroup var options: BenchModelOptions

    func run() throws {
        launchOnAllRanks { process in
            let bench = try KernelBench(process, options.model(process), threads: options.threads.count)
            try bench.run(process.console, isJSON: options.json.isJSON)
            return .done
        }
    }
}

struct BenchCollectives: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collectives", abstract: "Reductions and gathers of a training step, by size, and the links.",
        discussion: """
            Measures what training calls for gradients and parameters, and the same by the library's messages between \
            all ranks: the time until the last rank is done. Also latency and bandwidth between two ranks, of \
            different nodes where there are several: what `plan` takes as --latency and --bandwidth.

            Examples:
              mpirun -n 4 mile-dist bench collectives
              mpirun --hostfile HOSTS mile-dist bench collectives --sizes 1MiB-64MiB --json
            """)

    @Option(help: ArgumentHelp("Bytes of the buffers: a list 4KiB,1MiB or a range (times four).", valueName: "list"))
    var sizes = "4KiB-256MiB"

    @OptionGroup var threads: ThreadsPerRankOption

    @OptionGroup var json: JSONFlag

    func run() throws {
        launchOnAllRanks { process in
            try CollectivesBench().run(
                process, sizes: Quantity.sizes(sizes), threads: threads.count, isJSON: json.isJSON)
            return .done
        }
    }
}

struct BenchStep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "The trainer's own step, with its phases.",
        discussion: """
            Runs steps of CONFIG on its data, from initial values, without evaluation, checkpoints or a run directory.

            share is that of the libraries' fastest 2048-cube in the run's format (in either, where bf16 is widened); \
            share_of_fastest counts this program's own on AMX tiles, which are for bf16, as well.

            With --exposed each timed step has a step without exchange before and behind it, and exposed_seconds is the \
            median of the differences: a machine whose speed drifts makes none. exposed_share relates that to \
            reduction_seconds + gather_seconds, the exchange with nothing beside it. sent_reduction_bytes is what all ranks \
            together send to reduce the gradients of a step, where they share no memory.

            Examples:
              mile-dist bench step configs/shakespeare.yaml
              mpirun -n 2 mile-dist bench step run.yaml --json --set training.precision=bf16
              mpirun --hostfile hosts -n 2 mile-dist bench step run.yaml --exposed
            """)

    @OptionGroup var config: RequiredConfiguration

    @Option(help: "Timed steps, after one to warm up; with --exposed each takes three.")
    var steps = 7

    @Flag(
        help: """
            Compare with the same steps without the exchange of gradients and parameters, and with that exchange alone: \
            how much of it the computation does not hide.
            """)
    var exposed = false

    @Flag(help: "Do not measure this machine's peak rates, which takes seconds: no shares. For timings in turns.")
    var skipPeakRates = false

    @OptionGroup var json: JSONFlag

    func run() throws {
        launchOnAllRanks { process in
            guard steps >= 1 else { throw ProgramFailure(.badInput, "--steps \(steps): at least 1", isShared: true) }
            guard !exposed || process.communicator.size > 1 else {
                throw ProgramFailure(
                    .badInput, "--exposed: one rank exchanges nothing; start two or more (mpirun -n 2)", isShared: true)
            }
            try StepBench(
                config.load(process), steps: steps, measuresExposure: exposed, measuresPeakRates: !skipPeakRates,
                isJSON: json.isJSON
            ).run(process)
            return .done
        }
    }
}
