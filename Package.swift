// swift-tools-version: 6.2
// The build of mile-dist. Targets are listed from the bottom of the dependency order to the top; imports point
// strictly downward, C modules are imported only by the binding that owns them.

import PackageDescription

/// The instruction set that Swift code is compiled for. `x86-64-v3` (AVX2 and FMA) runs on every cluster node of the
/// last ten years; `native` is faster on one machine and breaks on an older node. The BLAS chooses its own at run time.
let instructionSet: String? = {
    if let chosen = Context.environment["MILE_MARCH"], !chosen.isEmpty { return chosen }
    #if arch(x86_64)
        return "x86-64-v3"
    #else
        return nil
    #endif
}()

let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // Swift has no setting for the target CPU; the clang importer's is what its code generator follows.
    .unsafeFlags(instructionSet.map { ["-Xcc", "-march=\($0)"] } ?? []),
    // Otherwise the driver starts a second compiler for the interface of every module.
    .unsafeFlags(["-no-emit-module-separately-wmo"], .when(configuration: .release)),
    // For `--version`: MARCH_X86_64_V3, MARCH_NATIVE, ...
    .define(
        "MARCH_" + String((instructionSet ?? "default").uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })),
]

let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        // Optimizing what runs once would be most of the build; loops that take time are in TestSupport. The index
        // of names, by which rank tests are found, needs those of this package alone.
        swiftSettings: settings + [.unsafeFlags(["-Onone", "-index-ignore-system-modules"])])
}

func system(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
    name: "mile-dist",
    products: [.executable(name: "mile-dist", targets: ["mile-dist"])],
    // Exact: Package.resolved is not kept, and a clean clone must build what was tested.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        system("CMPI", pkgConfig: "ompi-c", apt: "libopenmpi-dev"),
        system("CHDF5", pkgConfig: "hdf5", apt: "libhdf5-dev"),
        system("COpenBLAS", pkgConfig: "openblas", apt: "libopenblas-dev"),
        .systemLibrary(name: "CMemory"),
        .systemLibrary(name: "CProcess"),
        .systemLibrary(name: "CPeakRates"),
        .systemLibrary(name: "CTiles"),
        .systemLibrary(name: "CVectorMath"),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        system("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        system("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
        system("CPCRE2", pkgConfig: "libpcre2-8", apt: "libpcre2-dev"),
        system("CICU", pkgConfig: "icu-uc", apt: "libicu-dev"),
        system("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
        // Compiled with the instruction set that Swift code gets: it looks at what the compiler was allowed to use.
        .target(
            name: "CStartup",
            cSettings: [
                .define("CSTARTUP_MARCH", to: "\"\(instructionSet ?? "this machine")\""),
                .unsafeFlags(["-Wall", "-Wextra", "-Werror"] + (instructionSet.map { ["-march=\($0)"] } ?? [])),
            ]),
        // Compiled, because the library speaks C++ only (libsentencepiece-dev).
        .target(
            name: "CSentencePiece", cxxSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train")]),

        // SplitMix64, system calls that signals interrupt, runs of numbers, well-formed UTF-8.
        module("Primitives", []),
        // Console, JSON values, rows, tables, errors with their exit status.
        module("Reporting", ["Primitives"]),
        // Memory that has one owner, slices of it, the table of a model's tensors, a micro-batch's token ids.
        module("Tensors", ["CMemory"]),

        // MPI.
        module("MessagePassing", ["CMPI", "Primitives", "Reporting", "Tensors"]),
        // HDF5.
        module("HDF5Store", ["CHDF5", "Primitives", "Tensors"]),
        // Matrix products (GEMM) by OpenBLAS, oneDNN and AMX tiles.
        module("LinearAlgebra", ["COneDNN", "COpenBLAS", "CTiles", "Tensors"]),
        // Zstandard streams.
        module("Zstandard", ["CZstd", "Primitives"]),
        // Gzip streams.
        module("Gzip", ["CZlib"]),
        // SHA-256.
        module("Digests", ["CCrypto"]),
        // Regular expressions by PCRE2.
        module("RegularExpressions", ["CPCRE2"]),
        // Unicode normalization by ICU.
        module("UnicodeText", ["CICU"]),
        // JSON texts from untrusted files.
        module("JSONReading", ["Reporting"]),
        // SentencePiece models: encoding, training, reading the model file.
        module("SentencePieceText", ["CSentencePiece"]),

        // The thread pool, and the operations of a transformer with their gradients.
        module("Kernels", ["CPeakRates", "Tensors", "LinearAlgebra"]),
        // The LLaMA architecture: forward, backward, generation.
        module("LlamaModel", ["Tensors", "Kernels", "LinearAlgebra", "Primitives"]),
        // AdamW, learning-rate schedule, gradient norm.
        module("Optimization", ["CVectorMath", "Tensors", "Kernels"]),
        // Input files: what stands at a path, checked reading, errors that name file and line.
        module("InputFiles", ["Primitives", "Reporting"]),
        // Hugging Face's tokenizer.json: text to token ids and back.
        module("TokenizerJSON", ["JSONReading", "Primitives", "RegularExpressions", "UnicodeText"]),
        // Tokenizers: text to token ids and back, by bytes, a SentencePiece model or a tokenizer.json.
        module("Tokenizers", ["InputFiles", "JSONReading", "SentencePieceText", "TokenizerJSON"]),
        // Texts, prepared data, and the order of sequences.
        module(
            "TokenData",
            [
                "CProcess", "Digests", "Gzip", "InputFiles", "Primitives", "Reporting", "SentencePieceText", "Tensors",
                "Tokenizers", "Zstandard",
            ]),
        // `prepare`: texts encoded once into .bin/.idx pairs, by all ranks and threads.
        module("Preparation", ["Digests", "InputFiles", "Primitives", "Reporting", "TokenData", "Tokenizers"]),
        // ZeRO-1: who owns which parameters, and the exchange of gradients and parameters.
        module("Sharding", ["Tensors", "Kernels", "Optimization", "MessagePassing"]),
        // Checkpoints: shards, index, retention, verification.
        module("Checkpointing", ["Digests", "Primitives", "Reporting", "Tensors", "HDF5Store", "LlamaModel"]),
        // Import and export of Hugging Face model directories.
        module(
            "HuggingFace",
            [
                "Checkpointing", "JSONReading", "LlamaModel", "Primitives", "Reporting", "SentencePieceText", "Tensors",
                "TokenizerJSON", "Tokenizers",
            ]),
        // The configuration of a run, and the record of its starts.
        module(
            "Configuration",
            [
                "Kernels", "LinearAlgebra", "LlamaModel", "Optimization", "Reporting", "Tokenizers", "TokenData", yams,
            ]),
        // The process: launcher, ranks, cores, memory, locks, the run directory.
        module(
            "JobRuntime",
            [
                "Configuration", "Digests", "Kernels", "LinearAlgebra", "MessagePassing", "Primitives", "Reporting",
                "Tensors",
            ]),
        // A step's layout over ranks, its memory and its predicted time.
        module(
            "Planning",
            [
                "Configuration", "Kernels", "LlamaModel", "MessagePassing", "Optimization", "Reporting", "Sharding",
                "Tensors", "TokenData",
            ]),
        // Which BLAS computes a run's products, and the peak rates of the machine.
        module(
            "BLASSelection",
            [
                "Configuration", "Kernels", "LinearAlgebra", "LlamaModel", "MessagePassing", "Planning", "Reporting",
                "JobRuntime", "Tensors", "TokenData",
            ]),
        // Finding and loading checkpoints, validation losses, tasks.
        module(
            "Evaluation",
            [
                "Checkpointing", "Configuration", "Kernels", "LlamaModel", "MessagePassing", "Reporting", "JobRuntime",
                "Tensors", "InputFiles", "Tokenizers", "TokenData",
            ]),
        // The training loop, the step, and saving.
        module(
            "Training",
            [
                "BLASSelection", "Checkpointing", "Configuration", "Evaluation", "Kernels",
                "LinearAlgebra", "LlamaModel", "MessagePassing", "Optimization", "Planning", "Reporting", "JobRuntime",
                "Sharding", "Tensors", "Tokenizers", "TokenData",
            ]),
        // Comparison of runs: statistics, charts, the HTML report.
        module(
            "RunComparison",
            ["Checkpointing", "Configuration", "Kernels", "Optimization", "Reporting", "TokenData"]),
        // `doctor`: facts of every rank, and what is wrong with them.
        module(
            "ClusterDoctor",
            [
                "Configuration", "HDF5Store", "Kernels", "LinearAlgebra", "MessagePassing", "Planning", "Primitives",
                "Reporting", "JobRuntime",
            ]),
        // `bench`: products, kernels, collectives, steps.
        module(
            "Benchmarks",
            [
                "BLASSelection", "Configuration", "Kernels", "LinearAlgebra", "LlamaModel", "MessagePassing",
                "Optimization", "Planning", "Reporting", "JobRuntime", "Sharding", "Tensors", "TokenData", "Training",
            ]),
        // One file per subcommand.
        module(
            "Commands",
            [
                "BLASSelection", "Benchmarks", "Checkpointing", "ClusterDoctor", "Configuration",
                "Evaluation", "HuggingFace", "InputFiles", "JobRuntime", "Kernels",
                "LlamaModel", "MessagePassing", "Optimization", "Planning", "Preparation", "Reporting",
                "RunComparison", "SentencePieceText", "Tensors", "TokenData", "TokenizerJSON", "Tokenizers", "Training",
                argumentParser,
            ]),
        .executableTarget(
            name: "mile-dist", dependencies: ["CStartup", "Commands", "JobRuntime", "Reporting", argumentParser],
            swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["Primitives", "Tensors"], path: "Tests/TestSupport",
            swiftSettings: settings),
        tests("TestSupportTests", ["TestSupport", "Tensors"], resources: [.copy("Fixtures")]),
        tests("PrimitivesTests", ["Primitives"]),
        tests("TensorsTests", ["Tensors"]),
        tests("MessagePassingTests", ["MessagePassing", "Tensors", "TestSupport"]),
        tests("HDF5StoreTests", ["HDF5Store", "Tensors", "TestSupport"]),
        tests("LinearAlgebraTests", ["LinearAlgebra", "Tensors", "TestSupport"]),
        tests("ZstandardTests", ["Zstandard"]),
        tests("GzipTests", ["Gzip", "TestSupport"]),
        tests("DigestsTests", ["Digests"]),
        tests("RegularExpressionsTests", ["RegularExpressions"]),
        tests("UnicodeTextTests", ["UnicodeText"]),
        tests(
            "TokenizerJSONTests", ["TestSupport", "TokenizerJSON"], exclude: ["make_golden.py"],
            resources: [.copy("Golden")]),
        tests(
            "SentencePieceTextTests", ["SentencePieceText", "TestSupport"], exclude: ["make_golden.py"],
            resources: [.copy("Golden")]),
        tests("KernelsTests", ["Kernels", "Tensors", "LinearAlgebra", "TestSupport"]),
        tests(
            "LlamaModelTests", ["LlamaModel", "Kernels", "LinearAlgebra", "Tensors", "TestSupport"],
            exclude: ["make_golden.py"], resources: [.copy("Golden")]),
        tests(
            "OptimizationTests", ["Optimization", "CVectorMath", "Kernels", "Tensors", "TestSupport"],
            exclude: ["make_golden.py"], resources: [.copy("Golden")]),
        // Temporary files, and domains loaded from them, for the tests of data and of their preparation.
        .target(
            name: "DataFixtures", dependencies: ["Tokenizers", "TokenData"], path: "Tests/DataFixtures",
            swiftSettings: settings),
        tests(
            "TokenizersTests",
            ["DataFixtures", "InputFiles", "SentencePieceText", "TestSupport", "TokenData", "Tokenizers"]),
        tests(
            "TokenDataTests",
            [
                "DataFixtures", "SentencePieceText", "InputFiles", "Primitives", "Tensors", "Tokenizers", "TokenData",
                "TestSupport",
            ]),
        tests(
            "PreparationTests", ["DataFixtures", "Preparation", "InputFiles", "Tokenizers", "TokenData", "TestSupport"]),
        tests("ShardingTests", ["Sharding", "Tensors", "TestSupport"]),
        // Small models and whole checkpoints, for the tests of checkpoints and of Hugging Face.
        .target(
            name: "CheckpointFixtures", dependencies: ["Checkpointing", "LlamaModel", "Primitives", "Tensors"],
            path: "Tests/CheckpointFixtures", swiftSettings: settings),
        tests(
            "CheckpointingTests",
            ["CheckpointFixtures", "Checkpointing", "HDF5Store", "LlamaModel", "Primitives", "Tensors"]),
        tests(
            "HuggingFaceTests",
            [
                "CheckpointFixtures", "Checkpointing", "Digests", "HuggingFace", "JSONReading", "LlamaModel",
                "Primitives", "SentencePieceText", "Tensors", "TestSupport",
            ],
            exclude: ["make_golden.py", "compare_architectures.py", "compare_lm_eval.py"],
            resources: [.copy("Golden")]),
        tests(
            "ConfigurationTests",
            [
                "Configuration", "Kernels", "LinearAlgebra", "LlamaModel", "Optimization", "Reporting", "TokenData",
                "Tensors",
                "TestSupport",
            ]),
        tests("ReportingTests", ["Reporting", "TestSupport"]),
        tests(
            "JobRuntimeTests",
            ["Configuration", "Reporting", "JobRuntime", "TestSupport"]),
        tests(
            "PlanningTests",
            [
                "Configuration", "Kernels", "LlamaModel", "Optimization", "Planning", "Reporting", "Sharding",
                "Tensors", "TokenData",
            ]),
        tests(
            "BLASSelectionTests",
            ["BLASSelection", "Configuration", "Kernels", "LinearAlgebra", "LlamaModel", "Reporting"]),
        tests(
            "EvaluationTests",
            [
                "Checkpointing", "Configuration", "Evaluation", "LlamaModel", "MessagePassing", "Reporting",
                "JobRuntime",
                "Tensors", "TestSupport", "InputFiles", "Tokenizers", "TokenData",
            ]),
        tests(
            "TrainingTests",
            [
                "Checkpointing", "Configuration", "Evaluation", "Kernels", "LlamaModel",
                "MessagePassing", "Reporting", "JobRuntime", "TestSupport", "InputFiles", "Tokenizers", "TokenData",
                "Training",
            ]),
        tests(
            "RunComparisonTests",
            [
                "Configuration", "Kernels", "LlamaModel", "Optimization", "Reporting", "RunComparison", "TestSupport",
                "TokenData",
            ]),
        tests(
            "ClusterDoctorTests",
            ["ClusterDoctor", "LinearAlgebra", "MessagePassing", "Reporting", "JobRuntime", "TestSupport"]),
        tests("BenchmarksTests", ["Benchmarks", "Reporting"]),
        // Run by mpirun, one process per rank: XCTest, because MPI belongs to the main thread.
        tests(
            "RankTests",
            [
                "Checkpointing", "Configuration", "Evaluation", "Kernels", "LlamaModel",
                "MessagePassing", "Optimization", "Planning", "Reporting", "JobRuntime", "Sharding", "Tensors",
                "TestSupport", "Tokenizers", "TokenData", "Training",
            ],
            exclude: ["make_golden.py", "make_evaluation_golden.py", "make_task_golden.py"],
            resources: [.copy("Golden")]),
        // Runs the program itself, as a user would. No dependency on it: its start-up code, which blocks signals, is not the tests'.
        tests(
            "ProgramTests",
            [
                "Checkpointing", "Evaluation", "LinearAlgebra", "MessagePassing", "Optimization", "Reporting",
                "TestSupport",
            ],
            resources: [.copy("Golden")]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// MILE_TEST_TARGETS names the test targets to keep, with blanks between: the builds with assertions or sanitizers need few.
if let chosen = Context.environment["MILE_TEST_TARGETS"], !chosen.isEmpty {
    let names = Set(chosen.split(separator: " ").map(String.init))
    package.targets.removeAll { $0.type == .test && !names.contains($0.name) }
}
