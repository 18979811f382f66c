// DoctorTests - faults that are planted for real: each one is found, alone, and a healthy machine is told so.

import Foundation
import LinearAlgebra
import TestSupport
import Testing

extension ProgramTests {
    @Suite(.twoSlots) struct DoctorTests {
        /// The object of `doctor --json`.
        private struct Report: Decodable {
            struct Finding: Decodable {
                let check, severity, what, remedy: String
                let ranks: [Int]
            }
            struct Fact: Decodable {
                let name, value: String
                let ranks: [Int]
            }
            let ranks, nodes, checks, faults, warnings: Int
            let findings: [Finding]
            let facts: [Fact]
        }

        /// A fault, and what must be said of it.
        struct Plant: CustomTestStringConvertible, Sendable {
            /// Ranks of which something is found, by check.
            var expected: [String: [Int]]
            var faults = 0
            var ranks = 1
            /// Shell commands before the program starts.
            var before = ""
            var arguments: [String] = []
            var variables: [String: String] = [:]
            /// What the finding must name.
            var names: [String] = []

            var testDescription: String { expected.keys.sorted().joined(separator: " ") }
        }

        /// Cores that the tests may use.
        private static let cores: [Int] = {
            let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
            let row = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") } ?? ""
            return row.split { $0 == ":" || $0 == "," }.dropFirst().flatMap { part -> [Int] in
                let ends = part.split(separator: "-").compactMap { Int($0.filter(\.isNumber)) }
                return ends.isEmpty ? [] : Array(ends[0]...ends[ends.count - 1])
            }
        }()

        private static let processor = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        private static let hasAVX = processor.contains(" avx ")

        /// What a machine needs to be healthy: the remedy of `blas-kernels` where OpenBLAS is older than the processor, which
        /// it then takes for the first of its architecture.
        private static let healthyVariables: [String: String] = {
            guard hasAVX && OpenBLASBackend().identity.contains("(Prescott)") else { return [:] }
            return ["OPENBLAS_CORETYPE": processor.contains(" avx512vl ") ? "SkylakeX" : "Haswell"]
        }()

        /// A model of 43,000 GiB, on one rank.
        private static let huge = [
            "--set", "model.hidden_size=65536", "--set", "model.intermediate_size=262144", "--set",
            "model.num_hidden_layers=50", "--set", "model.num_attention_heads=512", "--set",
            "model.num_key_value_heads=512",
        ]

        private static let firstCore = "taskset -c \(cores.first ?? 0)"

        private static let plants: [Plant] = [
            Plant(
                expected: ["ranks-alone": [0]], faults: 1, variables: ["PMI_SIZE": "2", "PMI_RANK": "0"],
                names: ["PMI_SIZE=2", "alone", "mpirun"]),
            Plant(
                expected: ["ranks-alone": [0]], faults: 1,
                variables: ["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"], names: ["another Open MPI"]),
            Plant(
                expected: ["binding": [0]], before: firstCore, arguments: ["--set", "training.threads=2"],
                names: ["2 threads per rank on 1 core", "training.threads=1"]),
            Plant(
                expected: ["oversubscription": [0, 1]], ranks: 2,
                arguments: ["--set", "training.threads=\(max(cores.count, 1))"],
                names: ["2 ranks with \(2 * cores.count) threads together share \(cores.count) core"]),
            Plant(
                expected: ["blas-kernels": [0]], variables: ["OPENBLAS_CORETYPE": "Nehalem"],
                names: ["SSE", "unset OPENBLAS_CORETYPE"]),
            Plant(
                expected: ["onednn-kernels": [0]], variables: ["ONEDNN_MAX_CPU_ISA": "SSE41"],
                names: ["SSE", "unset ONEDNN_MAX_CPU_ISA"]),
            Plant(
                // The widest that has no bf16 matmuls, so that nothing else is lost by it.
                expected: ["bf16": [0]], arguments: ["--set", "training.precision=bf16"],
                variables: ["ONEDNN_MAX_CPU_ISA": "AVX512_CORE"], names: ["training.precision=fp32"]),
            Plant(
                expected: ["directory": [0]], faults: 1, arguments: ["--directory", "/proc/nowhere"],
                names: ["/proc/nowhere"]),
            Plant(
                expected: ["directory": [0]], faults: 1, arguments: ["--directory", "run.yaml/checkpoints"],
                names: ["Not a directory"]),
            Plant(
                expected: ["hdf5-variable": [0]], variables: ["HDF5_USE_FILE_LOCKING": "no"],
                names: ["HDF5_USE_FILE_LOCKING=no"]),
            Plant(expected: ["free-space": [0], "memory": [0]], faults: 2, arguments: huge),
            Plant(
                expected: ["open-files": [0]], faults: 1, before: "ulimit -n 40 &&", names: ["ulimit -n", "40 files"]),
            // 512-byte blocks: 100 KiB for a shard of 411.
            Plant(expected: ["file-size": [0]], faults: 1, before: "ulimit -f 200 &&", names: ["ulimit -f"]),
            Plant(
                // Buffers of 2,732 MiB alone exceed it.
                expected: ["address-space": [0]], faults: 1, before: "ulimit -v 2700000 &&",
                arguments: ["--set", "model.hidden_size=2048", "--set", "model.intermediate_size=6144"],
                // Otherwise OpenBLAS takes address space for every core.
                variables: ["OPENBLAS_NUM_THREADS": "1"], names: ["ulimit -v"]),
            Plant(
                expected: ["cpu-time": [0]], before: "ulimit -t 100000 &&", names: ["100000 s", "ulimit -t"]),
            Plant(
                expected: ["clocks": [1]], ranks: 2, variables: ["MILE_FAULT": "clock-skew:1:-30"],
                names: ["30 s behind"]),
            Plant(
                expected: ["shared-memory": [0, 1]], ranks: 2,
                variables: ["OMPI_MCA_osc_sm_backing_directory": "/nowhere"], names: ["/nowhere"]),
        ]

        private let place: Workplace

        init() throws { place = try Workplace() }

        // MARK: Running it

        /// The words that start `ranks` ranks of whatever follows, bound to nothing.
        private static func launcher(_ ranks: Int) -> [String] {
            ranks == 1 ? [] : ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "\(ranks)"]
        }

        /// Runs a shell command here, in the environment of a healthy machine but for `variables`.
        private func run(_ command: String, variables: [String: String] = [:]) throws -> ProgramResult {
            let variables = Self.healthyVariables.merging(variables) { $1 }
            return try RunningProgram(tool: "/bin/sh", ["-c", command], in: place.folder.path, variables: variables)
                .wait(limit: 60)
        }

        private static func quoted(_ words: [String]) -> String { words.map { "'\($0)'" }.joined(separator: " ") }

        private func run(
            _ arguments: [String], ranks: Int = 1, before: String = "", variables: [String: String] = [:]
        ) throws -> ProgramResult {
            let program = Self.quoted(Self.launcher(ranks) + [RunningProgram.executable, "doctor"] + arguments)
            // `exec` is no command that taskset could start.
            let start = before.hasSuffix("&&") || before.isEmpty ? "\(before) exec \(program)" : "\(before) \(program)"
            return try run(start, variables: variables)
        }

        private func report(_ result: ProgramResult) throws -> Report {
            guard let report = try? JSONDecoder().decode(Report.self, from: Data(result.output.utf8)) else {
                throw UnexpectedText("\(result)")
            }
            return report
        }

        private func expect(_ result: ProgramResult, _ expected: [String: [Int]], faults: Int) throws {
            let report = try report(result)
            let found = Dictionary(report.findings.map { ($0.check, $0.ranks) }) { $0 + $1 }
            #expect(found == expected, "\(result)")
            #expect(report.faults == faults && report.faults + report.warnings == report.findings.count, "\(result)")
            #expect(result.status == (faults > 0 ? 1 : 0), "\(result)")
            #expect(result.messages.isEmpty, "\(result)")
        }

        // MARK: Healthy

        @Test(arguments: [1, 2]) func aHealthyMachineIsToldSoInOneLine(ranks: Int) throws {
            guard Self.cores.count >= ranks else { return }
            let before = place.folder.everything()
            for arguments in [[], ["run.yaml"], ["run.yaml", "--strict"]] {
                let result = try run(arguments, ranks: ranks)
                #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
                #expect(result.outputLines.count == 1, "\(result)")
                #expect(result.output.hasPrefix("healthy: "), "\(result)")
                #expect(result.output.contains("more need a CONFIG") == arguments.isEmpty, "\(result)")
            }
            #expect(place.folder.everything() == before)
            let json = try run(["run.yaml", "--json"], ranks: ranks)
            try expect(json, [:], faults: 0)
            let report = try report(json)
            #expect(report.ranks == ranks && report.nodes == 1)
            let names = Set(report.facts.map(\.name))
            for name in ["MPI", "OpenBLAS", "oneDNN", "HDF5", "cores", "directory", "limits", "memory"] {
                #expect(names.contains(name), "\(json)")
            }
            let verbose = try run(["run.yaml", "--verbose"], ranks: ranks)
            #expect(verbose.outputLines.count == report.facts.count + 1, "\(verbose)")
        }

        // MARK: Planted

        @Test(arguments: plants) func aPlantedFaultIsFoundAlone(_ plant: Plant) throws {
            guard Self.cores.count >= plant.ranks else { return }
            if plant.testDescription.hasSuffix("-kernels") && !Self.hasAVX { return }
            let arguments = ["run.yaml"] + plant.arguments
            let json = try run(
                arguments + ["--json"], ranks: plant.ranks, before: plant.before, variables: plant.variables)
            try expect(json, plant.expected, faults: plant.faults)
            let words = try run(
                arguments, ranks: plant.ranks, before: plant.before, variables: plant.variables)
            #expect(words.outputLines.count == 3 * plant.expected.count + 1, "\(words)")
            for (check, _) in plant.expected { #expect(words.output.contains(": \(check): "), "\(words)") }
            #expect(words.outputLines.count { $0.hasPrefix("  remedy: ") } == plant.expected.count, "\(words)")
            for name in plant.names { #expect(words.output.contains(name), "\(name): \(words)") }
            #expect(!words.output.contains("healthy"), "\(words)")
            let strict = try run(
                arguments + ["--strict"], ranks: plant.ranks, before: plant.before, variables: plant.variables)
            #expect(strict.status == 1, "\(strict)")
        }

        /// Two processes as `srun --mpi=pmi2` would start them for a program that does not know PMI: one speaks, both fail.
        @Test func ofRanksThatAreAloneOneSpeaks() throws {
            for rank in 0...1 {
                let result = try run([], variables: ["PMI_SIZE": "2", "PMI_RANK": "\(rank)"])
                #expect(result.status == 1, "\(result)")
                #expect(result.output.contains("ranks-alone") == (rank == 0), "\(result)")
            }
        }

        /// Open MPI would end these before anything could be said.
        @Test func ranksOfSrunWithoutPMIx() throws {
            for rank in 0...1 {
                let result = try run(
                    [],
                    variables: [
                        "SLURM_JOB_ID": "7", "SLURM_JOBID": "7", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0",
                        "SLURM_NODELIST": "a", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2",
                        "SLURM_PROCID": "\(rank)",
                    ])
                #expect(result.status == 1 && result.errors.isEmpty, "\(result)")
                #expect(result.outputLines.count == (rank == 0 ? 3 : 0), "\(result)")
                #expect(result.output.contains("srun --mpi=pmix") == (rank == 0), "\(result)")
            }
        }

        /// The other process never starts MPI, as if its node could not be reached.
        @Test func anotherRankThatDoesNotCome() throws {
            let doctor = Self.quoted([RunningProgram.executable, "doctor", "--patience", "2"])
            let result = try run("mpirun --oversubscribe -n 1 \(doctor) : -n 1 sleep 30")
            #expect(result.status != 0 && !result.timedOut, "\(result)")
            for part in ["MPI has not started on", "within 2 s", "OMPI_COMM_WORLD_SIZE=2", "btl_tcp_if_include"] {
                #expect(result.errors.contains(part), "\(part): \(result)")
            }
        }

        /// Both ranks on one core, and the other cores idle.
        @Test func ranksThatAreBoundToTheSameCore() throws {
            guard Self.cores.count >= 2 else { return }
            let program = Self.quoted([RunningProgram.executable, "doctor", "run.yaml", "--json"])
            let result = try run("\(Self.quoted(Self.launcher(2))) \(Self.firstCore) \(program)")
            try expect(result, ["oversubscription": [0, 1], "idle-cores": [0, 1]], faults: 0)
        }

        /// Runs rank 0 and rank 1 with words of their own before the program.
        private func runTwo(_ first: [String], _ second: [String], executables: [String]? = nil) throws -> ProgramResult
        {
            let programs = executables ?? [RunningProgram.executable, RunningProgram.executable]
            let doctor = ["doctor", "--json"]
            return try run(
                "mpirun --oversubscribe --bind-to none "
                    + Self.quoted(
                        ["-n", "1"] + first + [programs[0]] + doctor + [":", "-n", "1"] + second + [programs[1]]
                            + doctor))
        }

        @Test func ranksThatDiffer() throws {
            guard Self.cores.count >= 2 else { return }
            if Self.hasAVX {
                try expect(
                    try runTwo([], ["-x", "OPENBLAS_CORETYPE=Nehalem"]), ["same-machine": [1], "blas-kernels": [1]],
                    faults: 0)
            }
            // A byte behind its end changes nothing but the hash.
            let program = try Data(contentsOf: URL(fileURLWithPath: RunningProgram.executable))
            try place.folder.write(Array(program) + [0], to: "other")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: place.folder.path("other"))
            try expect(
                try runTwo([], [], executables: [RunningProgram.executable, place.folder.path("other")]),
                ["same-program": [1]], faults: 1)
        }

        @Test func aDirectoryThatIsNotShared() throws {
            guard Self.cores.count >= 2 else { return }
            for name in ["a", "b"] { try place.folder.makeFolder(name) }
            try expect(
                try runTwo(["--wdir", place.folder.path("a")], ["--wdir", place.folder.path("b")]),
                ["shared-directory": [1]], faults: 1)
            try expect(
                try runTwo(["--wdir", place.folder.path("a")], ["--wdir", place.folder.path("a")]), [:], faults: 0)
        }

        // MARK: What only a disk, or another system, can plant

        @Test(.enabled(if: SmallDisk.isAvailable, "mounting a file system needs rights that are not given here"))
        func aDiskThatIsTooSmall() throws {
            // A checkpoint takes 411 KiB, and four must fit.
            let disk = try SmallDisk(in: place.folder, "small", mebibytes: 1)
            defer { withExtendedLifetime(disk) {} }
            let arguments = ["run.yaml", "--directory", "small/checkpoints", "--json"]
            try expect(try run(arguments), ["free-space": [0]], faults: 0)
            try expect(try run(arguments + ["--set", "checkpoint.keep=1"]), [:], faults: 0)
            let sharded = ["--set", "model.hidden_size=64", "--set", "model.num_hidden_layers=8"]
            try expect(try run(arguments + sharded), ["free-space": [0]], faults: 1)
            disk.fill()
            let full = try report(try run(arguments))
            #expect(full.findings.map(\.check) == ["directory"], "\(full)")
            #expect(full.findings[0].what.contains("No space left on device"), "\(full)")
            #expect(full.findings[0].remedy.hasPrefix("make room"), "\(full)")
        }

        /// A library between the program and the system's, as `LD_PRELOAD` puts it there.
        private func preloaded(_ source: String) throws -> [String: String]? {
            try place.folder.write(source, to: "between.c")
            let compiler = try run(
                "cc -shared -fPIC -o between.so between.c || clang -shared -fPIC -o between.so between.c")
            guard compiler.status == 0 else { return nil }
            return ["LD_PRELOAD": place.folder.path("between.so")]
        }

        /// As NFS answers without its lock service.
        @Test func aFileSystemWithoutLocks() throws {
            let variables = try #require(
                try preloaded("#include <errno.h>\nint flock(int file, int operation) { errno = ENOLCK; return -1; }\n")
            )
            let refused = try run(["run.yaml", "--json"], variables: variables)
            try expect(refused, ["file-locks": [0]], faults: 1)
            #expect(try report(refused).findings[0].remedy.contains("HDF5_USE_FILE_LOCKING=FALSE"), "\(refused)")
            // The remedy is one.
            let without = variables.merging(["HDF5_USE_FILE_LOCKING": "FALSE"]) { $1 }
            try expect(try run(["run.yaml", "--json"], variables: without), [:], faults: 0)
        }

        @Test func anMPILibraryWithoutThreads() throws {
            let variables = try #require(
                try preloaded(
                    """
                    int PMPI_Init_thread(int *, char ***, int, int *);
                    int MPI_Init_thread(int *count, char ***words, int wanted, int *given) {
                        int status = PMPI_Init_thread(count, words, wanted, given);
                        *given = 0;
                        return status;
                    }

                    """))
            let result = try run([], variables: variables)
            expectOneMessage(result, status: 1, names: ["MPI could not be started", "MPI_THREAD_FUNNELED"])
        }

        // MARK: Several nodes

        /// Runs `doctor` on nodes that are this machine under other names: what starts Open MPI's daemons there changes the
        /// name instead of the machine. The daemons know no better, and messages go through the network.
        private func runOnTwoNodes(_ options: [String]) throws -> ProgramResult {
            let words = "#!/bin/sh\nhost=$1; shift\nexec unshare --uts sh -c \"hostname $host; $*\"\n"
            try place.folder.write(words, to: "shell")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place.folder.path("shell"))
            return try run(
                Self.quoted(
                    [
                        "mpirun", "--mca", "plm_rsh_agent", place.folder.path("shell"), "--oversubscribe", "--bind-to",
                        "none",
                    ]
                        + options + ["--host", "n1:1,n2:1", "-n", "2", RunningProgram.executable, "doctor", "run.yaml"]
                        + ["--json"]))
        }

        private static let canRename: Bool = {
            guard let folder = try? TemporaryFolder(),
                let program = try? RunningProgram(
                    tool: "/usr/bin/env", ["unshare", "--uts", "hostname", "n1"], in: folder.path)
            else { return false }
            return program.wait(limit: 20).status == 0
        }()

        @Test(.enabled(if: canRename, "giving processes another host name needs rights that are not given here"))
        func nodesThatHaveTheSameAddress() throws {
            guard Self.cores.count >= 2 else { return }
            let result = try runOnTwoNodes([])
            let found = try report(result)
            #expect(found.ranks == 2 && found.nodes == 2, "\(result)")
            // Where there is no network but the loopback, there is no such interface.
            let row = try #require(found.facts.first { $0.name == "interfaces" })
            guard !row.value.hasPrefix("none") else { return }
            // On a busy machine messages may be slow.
            let findings = found.findings.filter { $0.check != "latency" && $0.check != "bandwidth" }
            #expect(findings.map(\.check) == ["interfaces"] && findings.map(\.ranks) == [[0, 1]], "\(result)")
            #expect(found.facts.contains { $0.name == "network" && $0.ranks == [1] }, "\(result)")
            let names = row.value.split(separator: ", ").compactMap { $0.split(separator: " ").first }
            let chosen = try report(
                try runOnTwoNodes(["--mca", "btl_tcp_if_include", names.joined(separator: ",")]))
            #expect(!chosen.findings.contains { $0.check == "interfaces" }, "\(chosen)")
        }
    }
}
