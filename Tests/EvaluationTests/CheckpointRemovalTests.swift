// CheckpointRemovalTests - checkpoints that a run removes while another program reads them.

import Checkpointing
import Foundation
import LlamaModel
import MessagePassing
import Tensors
import Testing
import TestSupport

@testable import Evaluation
@testable import Reporting

@Suite struct CheckpointRemovalTests {
    private let folder: TemporaryFolder
    private let finder = CheckpointFinder(communicator: .alone(), console: Console(speaks: false))
    private static let model = ModelConfiguration(
        hiddenSize: 2, intermediateSize: 3, hiddenLayerCount: 1, attentionHeadCount: 1, keyValueHeadCount: 1,
        vocabularySize: 4, maxPositionEmbeddings: 8)

    init() throws { folder = try TemporaryFolder() }

    private func save(_ step: Int) throws -> String {
        let store = CheckpointStore(directory: folder.path)
        let temporary = try store.begin(step: step)
        let values = Arena(count: Self.model.tensorTable.count).all
        let shard = try CheckpointStore.writeShard(
            in: temporary, shard: 0, of: 1, runs: [0..<values.count], parameters: [values],
            state: CheckpointIndex.unnamedStateTensors.map { StateTensor(name: $0, values: values) })
        return try store.complete(
            temporary,
            index: CheckpointIndex(
                step: step, position: step, tokens: step, optimizerSteps: step, configuration: "{}", seed: 5,
                model: Self.model, tokenizer: .init(name: "bytes"), dataFingerprint: "{}", processor: "a", blas: "b",
                ranksWritten: 1, shards: [shard]))
    }

    private func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    private func read(_ reader: CheckpointReader) throws -> Int {
        let target = Arena(count: Self.model.tensorTable.count).all
        try reader.read(.parameter, range: 0..<target.count, into: target)
        return reader.index.step
    }

    /// The run saves two more checkpoints and removes the one that is being read, and then the next one.
    @Test func theNextNewestTakesThePlaceOfARemovedOne() throws {
        var current = try save(10)
        var opened: [Int] = []
        let step = try finder.withCheckpoint(folder.path) { reader in
            opened.append(reader.index.step)
            if opened.count < 3 {
                let next = try save(10 * (opened.count + 1))
                try remove(current)
                current = next
            }
            return try read(reader)
        }
        #expect(opened == [10, 20, 30] && step == 30)
    }

    /// The newest checkpoint is lost by accident, and older ones remain.
    @Test func anOlderOneIsTakenWhereNoneIsNewer() throws {
        _ = try save(10)
        let newest = try save(20)
        var opened: [Int] = []
        let step = try finder.withCheckpoint(folder.path) { reader in
            opened.append(reader.index.step)
            if opened.count == 1 { try remove(newest) }
            return try read(reader)
        }
        #expect(opened == [20, 10] && step == 10)
    }

    @Test func aStepDirectoryThatWasAskedForIsAnError() throws {
        _ = try save(10)
        let asked = try save(20)
        for path in [asked, asked + "/"] {
            _ = try save(20)
            let failure = #expect(throws: ProgramFailure.self) {
                try finder.withCheckpoint(path) { reader in
                    try remove(asked)
                    return try read(reader)
                }
            }
            #expect(failure?.status == .noUsableCheckpoint && failure?.isShared == true)
            #expect(failure?.message.hasPrefix("\(asked) was removed while it was read: ") == true)
            #expect(failure?.message.contains("checkpoint.keep") == true)
        }
    }

    /// The checkpoint is removed between the listing of the directory and the opening.
    @Test func whatIsGoneBeforeItIsOpenedIsNoDamage() throws {
        let error = #expect(throws: CheckpointFinder.Removed.self) { try finder.verified(folder.path("step-00000010")) }
        #expect(error?.checkpoint == folder.path("step-00000010"))
        // A checkpoint that exists and lacks a file is damaged.
        let path = try save(20)
        try remove(path + "/COMPLETE")
        let (reader, problem) = try finder.verified(path)
        #expect(reader == nil && problem.contains("never completed"))
    }

    @Test func anotherErrorIsNotTriedAgain() throws {
        _ = try save(10)
        var count = 0
        let failure = #expect(throws: ProgramFailure.self) {
            try finder.withCheckpoint(folder.path) { _ in
                count += 1
                throw ProgramFailure(.badInput, "something else")
            }
        }
        #expect(failure?.message == "something else" && count == 1)
    }

    @Test func aDirectoryWhoseCheckpointsAreAllRemovedIsAnError() throws {
        var count = 0
        let failure = #expect(throws: ProgramFailure.self) {
            _ = try save(10)
            try finder.withCheckpoint(folder.path) { reader in
                count += 1
                try remove(reader.directory)
                // Each start finds another checkpoint, which is removed too.
                _ = try save(10 + count)
                _ = try read(reader)
            }
        }
        #expect(count == 20)
        #expect(failure?.message.contains("removed faster than they can be read") == true)
    }
}
