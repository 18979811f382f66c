// BranchTests - what a return to an older checkpoint moves, also after it was interrupted.

import Checkpointing
import Foundation
import Configuration
import LlamaModel
import TokenData
import Testing
import TestSupport
import InputFiles

@testable import Evaluation
@testable import JobRuntime
@testable import Reporting

@Suite struct BranchTests {
    private let folder: TemporaryFolder
    private let directory: RunDirectory
    private let store: CheckpointStore

    private static let metrics = (1...4).map { #"{"step": \#($0), "tokens": 8}"# + "\n" }.joined()

    init() throws {
        folder = try TemporaryFolder()
        directory = try RunDirectory(path: folder.path, host: "a")
        store = CheckpointStore(directory: folder.path("checkpoints"))
        for step in 1...4 {
            try FileManager.default.createDirectory(
                atPath: folder.path("checkpoints/step-0000000\(step)"), withIntermediateDirectories: true)
        }
        try folder.write(Self.metrics, to: "metrics.jsonl")
        try folder.write("old", to: "configuration.yaml")
        try folder.write(start(nil), to: "starts.jsonl")
    }

    private func start(_ branch: String?) -> String {
        StartRecord(
            fromStep: 0, origin: .new, branch: branch,
            configuration: RunConfiguration(
                name: "run",
                model: ModelConfiguration(
                    hiddenSize: 8, intermediateSize: 12, hiddenLayerCount: 1, attentionHeadCount: 2,
                    keyValueHeadCount: 2, vocabularySize: 257, maxPositionEmbeddings: 32),
                data: DataConfiguration(train: [.init(name: "books", path: "books.txt")], sequenceLength: 32))
        ).line + "\n"
    }

    private func branch(_ name: String) -> Branch { Branch(name: name, store: store, directory: directory) }

    private func names(_ place: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path(place)).sorted()
    }

    private static let left = [
        "configuration.yaml", "metrics.jsonl", "starts.jsonl", "step-00000003", "step-00000004",
    ]

    private func check() throws {
        #expect(try names("checkpoints") == ["before-low", "step-00000001", "step-00000002"])
        #expect(try names("checkpoints/before-low") == Self.left)
        #expect(try folder.text("checkpoints/before-low/metrics.jsonl") == Self.metrics)
        #expect(try folder.text("checkpoints/before-low/starts.jsonl") == start(nil))
        let kept = Self.metrics.split(separator: "\n").prefix(2).map { $0 + "\n" }.joined()
        #expect(try folder.text("metrics.jsonl") == kept)
        #expect(try folder.text("starts.jsonl") == start(nil))
    }

    @Test func whatIsNewerMovesAndNothingIsLost() throws {
        #expect(try !branch("low").isBegun())
        let words = try branch("low").begin(after: 2)
        #expect(words.contains("step-00000004, step-00000003"), "\(words)")
        try check()
        #expect(try branch("low").isBegun())
    }

    /// Killed after some moves and with the metrics cut already: repeated, it ends as it would have.
    @Test func anInterruptedOneIsRepeated() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path("checkpoints/before-low.unfinished"), withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            atPath: folder.path("checkpoints/step-00000004"),
            toPath: folder.path("checkpoints/before-low.unfinished/step-00000004"))
        try folder.write(Self.metrics, to: "checkpoints/before-low.unfinished/metrics.jsonl")
        try folder.write("half", to: "checkpoints/before-low.unfinished/starts.jsonl.begun")
        try folder.write(Branch.rows(of: Self.metrics, upTo: 2), to: "metrics.jsonl")
        #expect(try !branch("low").isBegun())
        _ = try branch("low").begin(after: 2)
        try check()
    }

    /// A requeued job of a branch that was left in turn must not continue the other one.
    @Test func aBranchThatWasLeftIsRefused() throws {
        _ = try branch("low").begin(after: 2)
        try folder.write(start(nil) + start("low") + start("high") + start(nil), to: "starts.jsonl")
        let failure = #expect(throws: ProgramFailure.self) { try branch("low").isBegun() }
        #expect(failure?.status == .badInput && failure?.message.contains("left for high") == true)
        #expect(try !branch("other").isBegun())
    }

    @Test func onlyTheRunsOwnCheckpointsHaveBranches() throws {
        try branch("low").requireOwn(folder.path("checkpoints/step-00000002"))
        try branch("low").requireOwn(folder.path("checkpoints"))
        try FileManager.default.createDirectory(
            atPath: folder.path("other/step-00000009"), withIntermediateDirectories: true)
        let failure = #expect(throws: ProgramFailure.self) {
            try branch("low").requireOwn(folder.path("other/step-00000009"))
        }
        #expect(failure?.message.contains("is no checkpoint of \(store.directory)") == true)
        #expect(throws: CheckpointError.self) { try branch("low").requireOwn(folder.path("absent")) }
    }

    /// Rows of all kinds have their step first; what has none stays.
    @Test func rowsUpToAStep() {
        let text = #"""
            {"step": 2, "tokens": 1}
            {"step": 2, "validation_ce": 1.0}
            {"step": 12, "tokens": 1}
            {"note": 1}
            {"step": 3, "saved": "step-00000003"}
            {"step": 1

            """#
        #expect(
            Branch.rows(of: text, upTo: 2)
                == #"""
                {"step": 2, "tokens": 1}
                {"step": 2, "validation_ce": 1.0}
                {"note": 1}
                {"step": 1

                """#)
    }

    @Test func namesAreParts() {
        for name in ["a", "low-rate_2", String(repeating: "x", count: 100)] { #expect(Branch.problem(name) == nil) }
        for name in ["", "../x", "a/b", "a b", "a.b", "\u{e4}", String(repeating: "x", count: 101)] {
            #expect(Branch.problem(name)?.hasPrefix("--branch: \"\(name)\" found; allowed: ") == true)
        }
    }
}
