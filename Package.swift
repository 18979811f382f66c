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
        // Optimizing what runs once would be most of the build; loops that take time are in TestSupport.
        swiftSettings: settings + [.unsafeFlags(["-Onone"])])
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
        .systemLibrary(name: "CPeakRates"),
        .systemLibrary(name: "CTiles"),
        .systemLibrary(name: "CVectorMath"),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        system("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
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

        module("Tensors", ["CMemory"]),

        module("MessagePassing", ["CMPI", "Tensors"]),
        module("HDF5Store", ["CHDF5", "Tensors"]),
        module("LinearAlgebra", ["COneDNN", "COpenBLAS", "CTiles", "Tensors"]),
        module("Zstandard", ["CZstd"]),
        module("Digests", ["CCrypto"]),
        module("SentencePieceText", ["CSentencePiece"]),

        module("Kernels", ["CPeakRates", "Tensors", "LinearAlgebra"]),
        module("LlamaModel", ["Tensors", "Kernels", "LinearAlgebra"]),
        module("Optimization", ["CVectorMath", "Tensors", "Kernels"]),
        module("TokenData", ["Digests", "SentencePieceText", "Zstandard"]),
        module("Sharding", ["Tensors", "Kernels", "Optimization", "MessagePassing"]),
        module("Checkpointing", ["Digests", "Tensors", "HDF5Store", "LlamaModel", "SentencePieceText"]),
        module("Configuration", ["Kernels", "LlamaModel", "Optimization", "TokenData", yams]),
        module(
            "Training",
            [
                "Tensors", "MessagePassing", "LinearAlgebra", "Kernels", "LlamaModel", "Optimization", "TokenData",
                "Sharding", "Checkpointing", "Configuration", "Digests", "HDF5Store", "SentencePieceText",
            ]),
        .executableTarget(
            name: "mile-dist",
            dependencies: ["CStartup", "Training", "Configuration", argumentParser],
            swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["Tensors"], path: "Tests/TestSupport", swiftSettings: settings),
        tests("TestSupportTests", ["TestSupport", "Tensors"]),
        tests("TensorsTests", ["Tensors"]),
        tests("MessagePassingTests", ["MessagePassing", "Tensors"]),
        tests("HDF5StoreTests", ["HDF5Store", "Tensors", "TestSupport"]),
        tests("LinearAlgebraTests", ["LinearAlgebra", "Tensors", "TestSupport"]),
        tests("ZstandardTests", ["Zstandard", "TestSupport"]),
        tests("DigestsTests", ["Digests"]),
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
        tests("TokenDataTests", ["SentencePieceText", "TokenData", "TestSupport"]),
        tests("ShardingTests", ["Sharding", "Tensors", "TestSupport"]),
        tests(
            "CheckpointingTests",
            ["Checkpointing", "HDF5Store", "LlamaModel", "SentencePieceText", "Tensors", "TestSupport"],
            exclude: ["make_golden.py"], resources: [.copy("Golden")]),
        tests(
            "ConfigurationTests",
            ["Configuration", "Kernels", "LlamaModel", "Optimization", "TokenData", "Tensors", "TestSupport"]),
        tests(
            "TrainingTests",
            [
                "Training", "Configuration", "Checkpointing", "TokenData", "MessagePassing", "LinearAlgebra", "Kernels",
                "LlamaModel", "Optimization", "Tensors", "TestSupport",
            ]),
        // Run by mpirun, one process per rank: XCTest, because MPI belongs to the main thread.
        tests(
            "RankTests",
            [
                "Training", "Configuration", "Checkpointing", "Sharding", "MessagePassing", "TokenData", "LlamaModel",
                "Kernels", "Optimization", "Tensors", "TestSupport",
            ],
            exclude: ["make_golden.py", "make_evaluation_golden.py", "make_task_golden.py"],
            resources: [.copy("Golden")]),
        // Runs the program itself, as a user would. No dependency: its start-up code, which blocks signals, is not the tests'.
        tests("ProgramTests", ["LinearAlgebra", "TestSupport"], resources: [.copy("Golden")]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
