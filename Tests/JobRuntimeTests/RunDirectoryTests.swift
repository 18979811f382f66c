// RunDirectoryTests - one job per run directory, and what becomes of an earlier run's files.

import Foundation
import Synchronization
import Testing
import TestSupport

@testable import JobRuntime
@testable import Reporting

@Suite struct RunDirectoryTests {
    @Test func parentsAreMade() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path("runs/a/b"), host: "here")
        #expect(directory.metricsPath == folder.path("runs/a/b/metrics.jsonl"))
        #expect(FileManager.default.fileExists(atPath: folder.path("runs/a/b/lock")))
    }

    @Test func aSecondJobIsRefusedAndToldWhoHoldsTheDirectory() throws {
        let folder = try TemporaryFolder()
        let first = try RunDirectory(path: folder.path, host: "node17")
        let failure = #expect(throws: ProgramFailure.self) { try RunDirectory(path: folder.path, host: "node18") }
        #expect(failure?.status == .badInput)
        let message = failure?.message ?? ""
        #expect(message.contains("host node17, pid \(ProcessInfo.processInfo.processIdentifier)"), "\(message)")
        #expect(message.contains(folder.path("lock")), "\(message)")
        // The refused job changed nothing: a third one is told the same.
        let again = #expect(throws: ProgramFailure.self) { try RunDirectory(path: folder.path, host: "node19") }
        #expect(again?.message == message)
        #expect(first.path == folder.path)
    }

    @Test func theDirectoryIsFreeOnceItsHolderIsGone() throws {
        let folder = try TemporaryFolder()
        do { _ = try RunDirectory(path: folder.path, host: "a-host-with-a-long-name") }
        let second = try RunDirectory(path: folder.path, host: "b")
        // Nothing of the longer text of the first holder is left behind the second's.
        let holder = try folder.text("lock")
        #expect(holder.hasPrefix("host b, pid \(ProcessInfo.processInfo.processIdentifier), job "))
        #expect(holder.hasSuffix("\n") && holder.filter { $0 == "\n" }.count == 1)
        #expect(second.path == folder.path)
    }

    @Test func theMetricsFileHoldsTheLock() throws {
        let folder = try TemporaryFolder()
        var metrics: MetricsFile?
        do {
            let directory = try RunDirectory(path: folder.path, host: "a")
            metrics = try MetricsFile(path: directory.metricsPath, holding: directory) { _ in }
        }
        #expect(throws: ProgramFailure.self) { try RunDirectory(path: folder.path, host: "b") }
        try metrics?.append(.integer(1))
        metrics = nil
        #expect(throws: Never.self) { try RunDirectory(path: folder.path, host: "b") }
    }

    @Test func aFileInTheDirectorysPlaceIsAnError() throws {
        let folder = try TemporaryFolder()
        try folder.write("text", to: "taken")
        for path in [folder.path("taken"), folder.path("taken/run")] {
            let failure = #expect(throws: ProgramFailure.self) { try RunDirectory(path: path, host: "a") }
            #expect(failure?.status == .badInput)
            #expect(failure?.message.contains("logging.directory: \(path)") == true, "\(failure?.message ?? "")")
        }
        #expect(try folder.text("taken") == "text")
    }

    @Test func theConfigurationIsWrittenAndReplaced() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "a")
        try directory.write(configuration: "model: {}\n")
        try directory.write(configuration: "a: 1\n")
        #expect(try folder.text("configuration.yaml") == "a: 1\n")
    }

    @Test func earlierMetricsAreSetAsideUnderTheFirstFreeName() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "a")
        #expect(try directory.setAsideMetrics() == nil)
        for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
            try folder.write(text, to: "metrics.jsonl")
            #expect(try directory.setAsideMetrics() == folder.path("metrics.\(number).jsonl"))
        }
        #expect(folder.names() == ["lock", "metrics.1.jsonl", "metrics.2.jsonl", "metrics.3.jsonl"])
        #expect(try folder.text("metrics.2.jsonl") == "two")
    }

    /// Both belong together, and so do their numbers.
    @Test func startsAreSetAsideWithTheMetrics() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "a")
        try folder.write("m", to: "metrics.1.jsonl")
        for name in ["metrics.jsonl", "starts.jsonl"] { try folder.write(name, to: name) }
        #expect(
            try directory.setAsideMetrics() == "\(folder.path("metrics.2.jsonl")) and \(folder.path("starts.2.jsonl"))")
        #expect(folder.names() == ["lock", "metrics.1.jsonl", "metrics.2.jsonl", "starts.2.jsonl"])
        #expect(try folder.text("starts.2.jsonl") == "starts.jsonl")
    }

    /// So does the table, whether the next run writes one or not.
    @Test func theTableIsSetAsideWithTheMetrics() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "a")
        for name in ["metrics.jsonl", "metrics.csv", "starts.jsonl"] { try folder.write(name, to: name) }
        let names = ["metrics.1.jsonl", "metrics.1.csv", "starts.1.jsonl"]
        #expect(try directory.setAsideMetrics() == names.map(folder.path).joined(separator: " and "))
        #expect(folder.names() == ["lock"] + names.sorted())
        #expect(try folder.text("metrics.1.csv") == "metrics.csv")
    }

    @Test func wantOfSpaceIsNoWantOfPermission() {
        func error(_ code: Int32) -> any Error {
            CocoaError(
                .fileWriteUnknown,
                userInfo: [NSUnderlyingErrorKey: NSError(domain: NSPOSIXErrorDomain, code: Int(code))])
        }
        for code in [ENOSPC, EDQUOT] { #expect(FileErrors.isWantOfSpace(error(code))) }
        for code in [EACCES, EROFS, ENOTDIR] { #expect(!FileErrors.isWantOfSpace(error(code))) }
        #expect(FileErrors.isWantOfSpace(CocoaError(.fileWriteOutOfSpace)))
    }

    @Test func metricsAreRemovedForTheSelfTestJob() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "a")
        try directory.removeMetrics()
        try folder.write("x", to: "metrics.jsonl")
        try folder.write("x", to: "metrics.1.jsonl")
        try folder.write("x", to: "metrics.csv")
        try folder.write("x", to: "starts.jsonl")
        try directory.removeMetrics()
        #expect(folder.names() == ["lock", "metrics.1.jsonl"])
    }

    // MARK: Removed under the run

    private func removeItem(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    @Test func aRemovedDirectoryIsMadeAgainWithLockAndTexts() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("run")
        let directory = try RunDirectory(path: path, host: "a")
        try directory.write(configuration: "a: 1\n")
        try directory.write(origin: "elsewhere")
        #expect(try directory.restore() == nil)
        try removeItem(path)
        #expect(try directory.restore() == path)
        #expect(try directory.restore() == nil)
        #expect(try folder.text("run/configuration.yaml") == "a: 1\n")
        #expect(directory.origin == "elsewhere")
        #expect(throws: ProgramFailure.self) { try RunDirectory(path: path, host: "b") }
        // One file at a time.
        for name in ["lock", "configuration.yaml", "resumed-from"] {
            try removeItem("\(path)/\(name)")
            #expect(try directory.restore() == "\(path)/\(name)")
            #expect(try directory.restore() == nil)
        }
        #expect(throws: ProgramFailure.self) { try RunDirectory(path: path, host: "b") }
    }

    @Test func theLockOfACheckpointsDirectoryElsewhereIsTakenAgain() throws {
        let folder = try TemporaryFolder()
        let checkpoints = folder.path("checkpoints")
        try FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
        let directory = try RunDirectory(path: folder.path("run"), host: "a")
        try directory.lockCheckpoints(in: checkpoints)
        try removeItem(checkpoints)
        // The next save makes it.
        #expect(try directory.restore() == nil)
        try FileManager.default.createDirectory(atPath: checkpoints, withIntermediateDirectories: true)
        #expect(try directory.restore() == checkpoints + "/lock")
        let other = try RunDirectory(path: folder.path("other"), host: "b")
        #expect(throws: ProgramFailure.self) { try other.lockCheckpoints(in: checkpoints) }
    }

    /// Two jobs would spoil each other's checkpoints.
    @Test func aDirectoryThatAnotherJobHasTakenEndsTheRun() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("run")
        let directory = try RunDirectory(path: path, host: "a")
        let metrics = try MetricsFile(path: directory.metricsPath, holding: directory) { _ in }
        try metrics.append(.integer(1))
        try removeItem(path)
        let other = try RunDirectory(path: path, host: "b")
        let failure = #expect(throws: ProgramFailure.self) { try metrics.append(.integer(2)) }
        #expect(failure?.status == .runtimeFailure)
        let message = failure?.message ?? ""
        #expect(message.hasPrefix("\(path) was removed under this run, and cannot be taken again: "), "\(message)")
        #expect(message.contains("another job is running in this directory (host b, "), "\(message)")
        // Nothing is written among the other's rows, and the end says it once.
        try metrics.append(.integer(3))
        try metrics.finish()
        #expect(try FileManager.default.contentsOfDirectory(atPath: other.path) == ["lock"])
    }

    /// The rows wait, as on a full disk.
    @Test func aDirectoryThatCannotBeMadeAgainIsWaitedFor() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("above/run")
        let directory = try RunDirectory(path: path, host: "a")
        let warnings = Mutex<[String]>([])
        let metrics = try MetricsFile(path: directory.metricsPath, holding: directory) { text in
            warnings.withLock { $0.append(text) }
        }
        try metrics.append(.integer(1))
        try removeItem(folder.path("above"))
        try folder.write("a file in its place", to: "above")
        for row in 2...3 { try metrics.append(.integer(row)) }
        try removeItem(folder.path("above"))
        try metrics.append(.integer(4))
        #expect(try folder.text("above/run/metrics.jsonl") == "2\n3\n4\n")
        let texts = warnings.withLock { $0 }
        #expect(texts.count == 3, "\(texts)")
        #expect(
            texts[0].hasPrefix("\(path)/metrics.jsonl cannot be written: \(path) was removed under this run"),
            "\(texts)")
        #expect(
            texts[1]
                == "\(path) was removed or replaced under this run. It is made again, and training goes on; the earlier "
                + "rows of \(path)/metrics.jsonl are lost")
        #expect(texts[2].hasSuffix(" is written again, with the 2 rows that had to wait"), "\(texts)")
    }
}
