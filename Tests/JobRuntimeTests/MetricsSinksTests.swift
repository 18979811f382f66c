// MetricsSinksTests - every sink of a run gets every row, and one that fails costs no other sink its rows.

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Configuration
@testable import JobRuntime
@testable import Reporting

/// A sink that writes down what happens to it.
private final class RecordingSink: MetricsSink {
    private(set) var rows: [String] = []
    private(set) var finishes = 0
    private let synced = Mutex(0)
    private let failure: ProgramFailure?

    var syncs: Int { synced.withLock { $0 } }

    /// - Parameter failure: thrown by the end of the run and by the synchronizer.
    init(failing failure: ProgramFailure? = nil) { self.failure = failure }

    func append(_ row: JSONValue) throws { rows.append(row.text) }

    func finish() throws {
        finishes += 1
        if let failure { throw failure }
    }

    var synchronizer: @Sendable () throws -> Void {
        { [self] in
            synced.withLock { $0 += 1 }
            if let failure { throw failure }
        }
    }
}

// The mutex guards what another thread changes; the rest belongs to the test.
extension RecordingSink: @unchecked Sendable {}

@Suite struct MetricsSinksTests {
    private func sinks(
        _ recording: [RecordingSink], in folder: TemporaryFolder
    ) throws -> MetricsSinks {
        let directory = try RunDirectory(path: folder.path, host: "here")
        let file = try MetricsFile(path: directory.metricsPath, holding: directory) { Issue.record("\($0)") }
        return MetricsSinks(file: file, sinks: [file] + recording)
    }

    @Test func everySinkGetsEveryRowInOrder() throws {
        let folder = try TemporaryFolder()
        let (one, two) = (RecordingSink(), RecordingSink())
        let metrics = try sinks([one, two], in: folder)
        for row in 1...3 { try metrics.append(.integer(row)) }
        try metrics.synchronizer()
        try metrics.finish()
        #expect(try folder.text("metrics.jsonl") == "1\n2\n3\n")
        for sink in [one, two] {
            #expect(sink.rows == ["1", "2", "3"])
            #expect(sink.syncs == 1 && sink.finishes == 1)
        }
    }

    @Test func aSinkThatFailsKeepsNoOtherFromItsEnd() throws {
        let folder = try TemporaryFolder()
        let (good, last) = (RecordingSink(), RecordingSink())
        let first = RecordingSink(failing: ProgramFailure(.badInput, "the first is full"))
        let metrics = try sinks([first, good], in: folder)
        for body in [metrics.synchronizer, { try metrics.finish() }] {
            let failure = #expect(throws: ProgramFailure.self) { try body() }
            #expect(failure?.message == "the first is full" && failure?.status == .badInput)
        }
        #expect(good.syncs == 1 && good.finishes == 1)
        // Both reasons are said, with the status of the first.
        let second = RecordingSink(failing: ProgramFailure(.runtimeFailure, "the second, too"))
        let both = MetricsSinks(file: metrics.file, sinks: [first, second, last])
        let failure = #expect(throws: ProgramFailure.self) { try both.finish() }
        #expect(failure?.message == "the first is full\nthe second, too" && failure?.status == .badInput)
        #expect(last.finishes == 1)
    }

    @Test func theStandardIsOneFile() throws {
        let folder = try TemporaryFolder()
        let directory = try RunDirectory(path: folder.path, host: "here")
        let metrics = try MetricsSinks(LoggingConfiguration().sinks, in: directory, after: 0) { Issue.record("\($0)") }
        try metrics.append(.object([("step", .integer(1))]))
        try metrics.finish()
        #expect(folder.names().sorted() == ["lock", "metrics.jsonl"])
        #expect(try folder.text("metrics.jsonl") == "{\"step\": 1}\n")
    }
}
