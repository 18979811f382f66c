// LaunchCheckTests - ranks that do not find each other, and limits on address space, end in one clear error.

import Foundation
import Glibc
import TestSupport
import Testing

extension ProgramTests {
    @Suite struct LaunchCheckTests {
        /// As `srun --mpi=pmi2` starts two processes for a program that does not know PMI, and as plain `srun` does.
        private static let launches: [[String: String]] = [
            ["PMI_SIZE": "2", "PMI_RANK": "RANK"],
            [
                "SLURM_JOB_ID": "7", "SLURM_JOBID": "7", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0",
                "SLURM_NODELIST": "a",
                "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "RANK",
            ],
        ]

        @Test(arguments: launches) func ranksThatThinkTheyAreAlone(_ variables: [String: String]) throws {
            let place = try Workplace()
            let commands = [
                place.arguments([]), ["eval", "nowhere", "--data", "text.txt"], ["bench", "gemm"],
                ["prepare", "--tokenizer", "bytes", "--output", "p", "text.txt"],
            ]
            for (command, rank) in commands.flatMap({ command in [0, 1].map { (command, $0) } }) {
                let result = try place.start(
                    command, variables: variables.mapValues { $0 == "RANK" ? "\(rank)" : $0 }
                ).wait()
                #expect(result.status == 1, "\(result)")
                // One voice.
                guard rank == 0 else {
                    #expect(result.output.isEmpty && result.errors.isEmpty, "\(result)")
                    continue
                }
                expectOneMessage(
                    result, status: 1, names: ["2 ranks", "every rank thinks that it is alone", "srun --mpi=pmix"])
            }
            #expect(!place.folder.exists("runs") && !place.folder.exists("p.parts"))
        }

        /// Runs of their own, on purpose, as the message says.
        @Test func separateRunsOnPurpose() throws {
            let place = try Workplace()
            let result = try RunningProgram(
                tool: "/usr/bin/env", ["-u", "PMI_SIZE", RunningProgram.executable] + place.arguments([]),
                in: place.folder.path, variables: ["PMI_SIZE": "2", "PMI_RANK": "1"]
            ).wait()
            #expect(result.status == 0, "\(result)")
        }

        /// KiB of `ulimit -v`: where OpenBLAS, libdispatch or MPI would try for ever or crash, and where there is enough.
        @Test(arguments: [250_000, 300_000, 350_000, 400_000, 500_000, 550_000, 600_000, 700_000, 1_000_000])
        func limitsOnAddressSpace(kibibytes: Int) throws {
            let place = try Workplace()
            func run(_ arguments: [String]) throws -> ProgramResult {
                try RunningProgram(
                    tool: "/bin/sh",
                    ["-c", "ulimit -v \(kibibytes) && exec \"$0\" \"$@\"", RunningProgram.executable]
                        + arguments, in: place.folder.path
                ).wait(limit: 30)
            }
            let trained = try run(place.arguments(["training.threads=2", "checkpoint.every=2"]))
            let isEnough = trained.status == 0
            if !isEnough { expectOneMessage(trained, status: 1, names: ["ulimit", "h_vmem", "address space"]) }
            if kibibytes >= 1_000_000 { #expect(isEnough, "\(trained)") }
            let doctor = try run(["doctor", "run.yaml", "--set", "training.threads=2"])
            #expect(doctor.status == (isEnough ? 0 : 1) && !doctor.timedOut, "\(doctor)")
            #expect(isEnough || (doctor.output + doctor.errors).contains("ulimit -v"), "\(doctor)")
        }
    }
}
