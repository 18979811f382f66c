// MetricsFileTests - rows on a disk that is full for a while, without one.

import Foundation
import Glibc
import Synchronization
import Testing
import TestSupport

@testable import JobRuntime
@testable import Reporting

/// A file in memory on a disk that can be full.
final class LimitedFile: RowFile {
    private struct State {
        var bytes: [UInt8] = []
        var capacity = Int.max
        var mostPerCall = Int.max
        var canTruncate = true
        var canRestore = true
        var isRemoved = false
        /// Sizes of what was to be written, call by call.
        var offered: [Int] = []
    }
    private let state = Mutex(State())

    var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
    var offered: [Int] { state.withLock { $0.offered } }
    func limit(to capacity: Int) { state.withLock { $0.capacity = capacity } }
    func writeAtMost(_ count: Int) { state.withLock { $0.mostPerCall = count } }
    func refuseToTruncate() { state.withLock { $0.canTruncate = false } }
    func allowRestoring(_ isAllowed: Bool) { state.withLock { $0.canRestore = isAllowed } }

    func write(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) -> Int {
        try state.withLock { state throws(SystemError) -> Int in
            let offset = Int(offset)
            state.offered.append(bytes.count)
            #expect(offset <= state.bytes.count, "a hole in the file")
            let count = min(bytes.count, state.mostPerCall, state.capacity - offset)
            guard count > 0 else { throw SystemError(code: ENOSPC) }
            state.bytes.replaceSubrange(offset..<min(offset + count, state.bytes.count), with: bytes.prefix(count))
            return count
        }
    }

    func truncate(to length: UInt64) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            guard state.canTruncate else { throw SystemError(code: EIO) }
            state.bytes.removeSubrange(Int(length)...)
        }
    }

    func synchronize() throws(SystemError) {}

    /// Forgets the file, as if somebody had removed it.
    func remove() {
        state.withLock { state in
            state.bytes = []
            state.isRemoved = true
        }
    }

    func restore() throws(SystemError) -> UInt64? {
        try state.withLock { state throws(SystemError) -> UInt64? in
            guard state.isRemoved else { return nil }
            guard state.canRestore else { throw SystemError(code: EIO) }
            state.isRemoved = false
            return 0
        }
    }
}

@Suite struct MetricsFileTests {
    private final class Rig {
        let file = LimitedFile()
        let metrics: MetricsFile
        var warnings: [String] { box.warnings }
        private let box: Box
        private let folder: TemporaryFolder

        private final class Box {
            var warnings: [String] = []
        }

        init(limit: Int = AppendedRows.mostWaitingBytes) throws {
            let box = Box()
            folder = try TemporaryFolder()
            metrics = MetricsFile(
                path: "here/metrics.jsonl", file: file, end: 0,
                holding: try RunDirectory(path: folder.path, host: "here"), limit: limit
            ) { box.warnings.append($0) }
            self.box = box
        }

        /// Appends `{"step": N}`.
        func append(_ step: Int) throws { try metrics.append(.object([("step", .integer(step))])) }
    }

    /// 12 bytes for a step of one digit.
    private func rows(_ steps: ClosedRange<Int>) -> String { steps.map { "{\"step\": \($0)}\n" }.joined() }

    @Test(arguments: [1, 3, 11, 12, 100])
    func shortWritesAreContinued(_ most: Int) throws {
        let rig = try Rig()
        rig.file.writeAtMost(most)
        for step in 1...5 { try rig.append(step) }
        try rig.metrics.finish()
        #expect(rig.file.text == rows(1...5))
        #expect(rig.warnings == [])
    }

    /// The disk is full within the second row, has space for one more row in between, and then for all.
    @Test func rowsWaitForSpaceAndNoneIsTornOrDoubled() throws {
        let rig = try Rig()
        try rig.append(1)
        rig.file.limit(to: 12 + 5)
        try rig.append(2)
        #expect(rig.file.text == rows(1...1) + "{\"ste")
        #expect(
            rig.warnings == [
                "here/metrics.jsonl cannot be written: No space left on device; training goes on, and its rows are kept "
                    + "until it can be"
            ])
        // However many wait, a try offers no more than what is missing of the first of them.
        for step in 3...5 { try rig.append(step) }
        #expect(rig.file.offered == [12, 12, 7, 7, 7, 7])
        rig.file.limit(to: 3 * 12 + 1)
        try rig.append(6)
        #expect(rig.file.text == rows(1...3) + "{")
        #expect(rig.warnings.count == 1)
        rig.file.limit(to: .max)
        try rig.append(7)
        #expect(rig.file.text == rows(1...7))
        #expect(rig.warnings.dropFirst() == ["here/metrics.jsonl is written again, with the 5 rows that had to wait"])
        // The next time is told again.
        rig.file.limit(to: 7 * 12)
        try rig.append(8)
        rig.file.limit(to: .max)
        try rig.append(9)
        #expect(rig.file.text == rows(1...9))
        #expect(rig.warnings.count == 4 && rig.warnings.last?.contains("with the 1 rows") == true)
    }

    @Test func rowsThatAreMissingAtTheEndAreAnErrorAndNoneIsTorn() throws {
        let rig = try Rig()
        rig.file.limit(to: 12 + 5)
        for step in 1...3 { try rig.append(step) }
        let failure = #expect(throws: ProgramFailure.self) { try rig.metrics.finish() }
        #expect(failure?.status == .runtimeFailure)
        #expect(
            failure?.message
                == "here/metrics.jsonl cannot be written: No space left on device. Its last 2 rows are lost; "
                + "checkpoints are not concerned.")
        #expect(rig.file.text == rows(1...1))
        // There is space after all.
        rig.file.limit(to: .max)
        try rig.metrics.finish()
        #expect(rig.file.text == rows(1...3))
        // What cannot be cut off either is said.
        rig.file.limit(to: 3 * 12 + 2)
        try rig.append(4)
        rig.file.refuseToTruncate()
        let torn = #expect(throws: ProgramFailure.self) { try rig.metrics.finish() }
        #expect(
            torn?.message.contains("the beginning of a row not removed: Input/output error. Its last 1 rows") == true)
    }

    /// As many bytes as may wait, and one row more.
    @Test func bytesThatWaitAreBounded() throws {
        let rig = try Rig(limit: 5 * 12 - 4)
        rig.file.limit(to: 4)
        // 4 bytes of them are written.
        for step in 1...5 { try rig.append(step) }
        let failure = #expect(throws: ProgramFailure.self) { try rig.append(6) }
        #expect(failure?.status == .runtimeFailure)
        #expect(failure?.message == "here/metrics.jsonl cannot be written: No space left on device")
        rig.file.limit(to: .max)
        try rig.metrics.finish()
        #expect(rig.file.text == rows(1...6))
        // Written rows do not count.
        for step in 7...9 { try rig.append(step) }
        rig.file.limit(to: 9 * 12)
        for step in 1...4 { try rig.append(step) }
    }

    /// A row that was in part in the file that is gone is whole in the new one.
    @Test func rowsGoOnInANewFileWhereTheFileIsRemoved() throws {
        let rig = try Rig()
        for step in 1...3 { try rig.append(step) }
        rig.file.limit(to: 3 * 12 + 5)
        try rig.append(4)
        rig.file.remove()
        rig.file.limit(to: 12 + 1)
        try rig.append(5)
        #expect(rig.file.text == rows(4...4) + "{")
        rig.file.limit(to: .max)
        try rig.append(6)
        #expect(rig.file.text == rows(4...6))
        #expect(
            rig.warnings == [
                "here/metrics.jsonl cannot be written: No space left on device; training goes on, and its rows are kept "
                    + "until it can be",
                "here/metrics.jsonl was removed or replaced under this run. It is made again, and training goes on; the "
                    + "earlier rows of here/metrics.jsonl are lost",
                "here/metrics.jsonl is written again, with the 2 rows that had to wait",
            ])
    }

    /// A file that cannot be made again at once is made later, and no row is lost or written beyond its end.
    @Test(arguments: [true, false]) func aFileThatCannotBeMadeAgainIsMadeLater(atTheEnd: Bool) throws {
        let rig = try Rig()
        for step in 1...3 { try rig.append(step) }
        rig.file.remove()
        rig.file.allowRestoring(false)
        for step in 4...5 { try rig.append(step) }
        #expect(rig.file.text == "")
        let failure = #expect(throws: ProgramFailure.self) { try rig.metrics.finish() }
        #expect(
            failure?.message
                == "here/metrics.jsonl cannot be written: Input/output error. Its last 2 rows are lost; checkpoints are not "
                + "concerned.")
        rig.file.allowRestoring(true)
        if atTheEnd { try rig.metrics.finish() } else { try rig.append(6) }
        #expect(rig.file.text == rows(4...(atTheEnd ? 5 : 6)))
        #expect(rig.warnings.count { $0.hasPrefix("here/metrics.jsonl was removed or replaced under this run.") } == 1)
    }

    /// A file in the other's place that cannot be truncated does not count as the current one.
    @Test func aFileThatCannotBeTruncatedIsNotTaken() throws {
        let folder = try TemporaryFolder()
        let file = try SystemRowFile(path: folder.path("a"))
        #expect(try file.write(Array("one\n".utf8)[0...], at: 0) == 4)
        try FileManager.default.moveItem(atPath: folder.path("a"), toPath: folder.path("moved"))
        try FileManager.default.createSymbolicLink(atPath: folder.path("a"), withDestinationPath: "/dev/null")
        for _ in 1...2 { #expect(throws: SystemError(code: EINVAL)) { try file.restore() } }
        // What is written meanwhile goes where the earlier rows are.
        #expect(try file.write(Array("two\n".utf8)[0...], at: 4) == 4)
        #expect(try folder.text("moved") == "one\ntwo\n")
        try FileManager.default.removeItem(atPath: folder.path("a"))
        try folder.write("other\ntorn", to: "a")
        #expect(try file.restore() == 6)
        #expect(try folder.text("a") == "other\n")
        #expect(try file.restore() == nil)
    }

    /// The file of the file system, in another order than from start to end.
    @Test func theSystemsFile() throws {
        let folder = try TemporaryFolder()
        let file = try SystemRowFile(path: folder.path("a"))
        #expect(try file.write(Array("hello\nworld".utf8)[0...], at: 0) == 11)
        #expect(try file.write(Array("xxJ".utf8)[2...], at: 0) == 1)
        try file.synchronize()
        #expect(try folder.text("a") == "Jello\nworld")
        #expect(try file.lengthOfWholeLines() == 6)
        try file.truncate(to: 6)
        #expect(try folder.text("a") == "Jello\n")
        // Another file in its place, and none.
        #expect(try file.restore() == nil)
        try folder.write("other\nrows\ntorn", to: "b")
        try FileManager.default.removeItem(atPath: folder.path("a"))
        try FileManager.default.moveItem(atPath: folder.path("b"), toPath: folder.path("a"))
        #expect(try file.restore() == 11)
        #expect(try file.write(Array("next\n".utf8)[0...], at: 11) == 5)
        #expect(try folder.text("a") == "other\nrows\nnext\n")
        try FileManager.default.removeItem(atPath: folder.path("a"))
        #expect(try file.restore() == 0)
        #expect(try file.restore() == nil)
        try file.synchronize()
        #expect(try folder.text("a") == "")
        // A device that is always full.
        let full = try SystemRowFile(path: "/dev/full")
        #expect(throws: SystemError(code: ENOSPC)) { try full.write([1], at: 0) }
    }
}
