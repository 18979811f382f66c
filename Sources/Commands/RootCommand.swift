// RootCommand - the program's help and version, and the list of its commands.

package import ArgumentParser
internal import JobRuntime

/// `mile-dist`
package struct RootCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "mile-dist",
        abstract: "Pretrains LLaMA models with the MiLe loss on CPU clusters.",
        discussion: """
            Examples:
              mile-dist                                   learn the embedded language: proves an installation right
              mpirun -n 4 mile-dist configs/shakespeare.yaml
              mpirun -n 64 mile-dist run.yaml --set training.seed=7
              mile-dist prepare --tokenizer bytes --output data/books books.txt more-books.jsonl.zst
              mile-dist inspect runs/shakespeare/checkpoints
              mile-dist compare runs/study/*
              mpirun -n 2 mile-dist bench step configs/llama-468m.yaml --set training.micro_batch_size=1
              mile-dist plan configs/llama-468m.yaml --ranks 1-64 --gflops 1500 --bandwidth 25Gbit/s
              mile-dist tokenizer train books.txt --vocab-size 8000 --output books
              mpirun -n 64 mile-dist doctor run.yaml          what is wrong with this cluster, and the remedy
              mile-dist generate runs/shakespeare/checkpoints --prompt "ROMEO:"

            Exit status: 0 done; 1 runtime failure; 2 bad arguments, configuration or data; 3 no usable checkpoint; 75 \
            stopped early on a signal or time limit with everything saved: run the same command again.
            """,
        version: VersionText.text,
        subcommands: [
            Train.self, Eval.self, Generate.self, Inspect.self, Export.self, Import.self, Tokenizer.self, Prepare.self,
            Compare.self, Bench.self, Plan.self, Doctor.self,
        ],
        defaultSubcommand: Train.self)

    package init() {}
}
