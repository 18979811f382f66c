// LaunchTests - cores and threads of a rank, statuses of failures, the words of --resume.

import Checkpointing
import Configuration
import MessagePassing
import Testing
import TokenData
import InputFiles

@testable import Evaluation
@testable import JobRuntime
@testable import Reporting
@testable import Training

@Suite struct LaunchTests {
    // MARK: - Cores

    @Test(arguments: [
        ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-3,8,10-11", [0, 1, 2, 3, 8, 10, 11]), ("5,1", [5, 1]), ("7-7", [7]),
    ])
    func listsOfCores(_ list: String, _ cores: [Int]) { #expect(Cores.parse(list) == cores) }

    @Test(arguments: ["", "a", "3-1", "0-1-2", "0,x", "0-b"])
    func otherTextsAreNoCores(_ list: String) { #expect(Cores.parse(list) == nil) }

    @Test func thisProcessHasCores() {
        let cores = Cores.available()
        #expect(!cores.isEmpty && Set(cores).count == cores.count)
    }

    // MARK: - ThreadPlan

    /// Requested threads, cores, ranks that share them; threads, polling.
    @Test(arguments: [
        // By default the ranks share the cores.
        (0, 8, 1, 8, true), (0, 8, 2, 4, true), (0, 8, 3, 2, true), (0, 2, 4, 1, false), (0, 1, 1, 1, true),
        // What is asked for is done, but nobody polls on a core that another thread needs.
        (4, 8, 2, 4, true), (5, 8, 2, 5, false), (3, 2, 1, 3, false), (1, 1, 2, 1, false),
    ])
    func threads(_ requested: Int, _ cores: Int, _ sharing: Int, _ threads: Int, _ spins: Bool) {
        let plan = ThreadPlan(requested: requested, cores: cores, sharingRanks: sharing)
        #expect(plan.threads == threads)
        #expect(plan.spins == spins)
    }

    /// Requested threads, the control group's cores for a rank; threads, polling: on 8 cores of its own.
    @Test(arguments: [(0, 2.5, 2, true), (0, 0.5, 1, false), (0, 16, 8, true), (4, 2, 4, false), (2, 2, 2, true)])
    func threadsWithinAQuota(_ requested: Int, _ quota: Double, _ threads: Int, _ spins: Bool) {
        let plan = ThreadPlan(requested: requested, cores: 8, sharingRanks: 1, quota: quota)
        #expect(plan == ThreadPlan(requested: threads, cores: spins ? 8 : 0, sharingRanks: 1))
    }

    // MARK: - ProgramFailure

    @Test func statusesAreThoseOfTheInterface() {
        #expect(ExitStatus.done.rawValue == 0)
        #expect(ExitStatus.runtimeFailure.rawValue == 1)
        #expect(ExitStatus.badInput.rawValue == 2)
        #expect(ExitStatus.noUsableCheckpoint.rawValue == 3)
        #expect(ExitStatus.stoppedEarly.rawValue == 75)
    }

    @Test func everyErrorHasAStatusAndItsOwnText() {
        struct Odd: Error, CustomStringConvertible { var description: String { "odd" } }
        let data = DataError(key: "data.train", problem: "nothing", remedy: "something")
        let checkpoint = CheckpointError(.corrupt, file: "a/b", "bad bytes")
        let message = MPIError(code: .deadline, function: "MPI_Ibarrier", message: "late", rank: 2, host: "node")
        let own = ProgramFailure(.noUsableCheckpoint, "gone", isShared: true)
        let cases: [(any Error, Reporting.ExitStatus, String)] = [
            (data, .badInput, "\(data)"), (checkpoint, .runtimeFailure, "a/b: bad bytes"),
            (message, .runtimeFailure, "rank 2 on node: MPI_Ibarrier: late"), (Odd(), .runtimeFailure, "odd"),
            (own, .noUsableCheckpoint, "gone"),
        ]
        for (error, status, text) in cases {
            let failure = ProgramFailure(error)
            #expect(failure.status == status)
            #expect(failure.message == text)
            #expect("\(failure)" == text)
        }
        #expect(ProgramFailure(own).isShared)
        #expect(!ProgramFailure(data).isShared)
    }

    @Test func aWrongConfigurationIsBadInput() throws {
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.load(text: "modell: {}", file: "a.yaml", name: "a")
        }
        let failure = ProgramFailure(try #require(error))
        #expect(failure.status == .badInput)
        #expect(failure.message.contains("modell"))
    }

    // MARK: - ResumeMode

    @Test func wordsOfResume() {
        #expect(ResumeMode("auto") == .auto)
        #expect(ResumeMode("never") == .never)
        #expect(ResumeMode("runs/a/checkpoints") == .path("runs/a/checkpoints"))
        // A directory of that name can still be meant.
        #expect(ResumeMode("./auto") == .path("./auto"))
        #expect(TrainOptions().resume == .auto)
    }
}
