// SaverRig - a saver over a tiny model's shards with values that tell steps and places apart.

import Checkpointing
import Configuration
import Kernels
import LlamaModel
import MessagePassing
import Optimization
import Sharding
import Synchronization
import Tensors
import TestSupport
import XCTest

@testable import Training

/// An integer that a test and the background thread share.
final class SharedNumber: Sendable {
    private let number: Atomic<Int>

    init(_ value: Int) { number = Atomic(value) }

    var value: Int {
        get { number.load(ordering: .sequentiallyConsistent) }
        set { number.store(newValue, ordering: .sequentiallyConsistent) }
    }

    /// Adds and returns the sum.
    func add(_ addend: Int) -> Int { number.add(addend, ordering: .sequentiallyConsistent).newValue }
}

/// The checkpoints directory of a test: rank 0 makes and removes it, all ranks write in it.
struct SharedDirectory {
    /// On rank 0 only.
    let folder: TemporaryFolder?
    let path: String

    init(_ ranks: Communicator) throws {
        folder = ranks.rank == 0 ? try TemporaryFolder() : nil
        try folder?.makeFolder("checkpoints")
        let bytes = try ranks.broadcast(folder.map { Array($0.path("checkpoints").utf8) }, root: 0)
        path = String(decoding: bytes, as: UTF8.self)
    }
}

/// One rank's saver. Tests end with a barrier before rank 0 drops its rig, and the directory with it.
final class SaverRig {
    typealias Write = @Sendable (_ temporary: String, _ snapshot: Snapshot) throws -> ShardRecord

    let directory: String
    let rank: TinyRank
    let saver: CheckpointSaver
    let folder: TemporaryFolder?
    /// On rank 0 only.
    let store: CheckpointStore?
    private let communicator: Communicator
    private let run: TinyRun

    /// - Parameter intercept: stands between the saver and the ordinary writer, which it is given.
    init(
        _ ranks: Communicator,
        intercept: @escaping @Sendable (String, Snapshot, Write) throws -> ShardRecord = { try $2($0, $1) },
        beforePublishing: (@Sendable () throws -> Void)? = nil
    ) throws {
        communicator = ranks
        let shared = try SharedDirectory(ranks)
        (folder, directory) = (shared.folder, shared.path)
        run = try TinyRun(loss: LossConfiguration(), globalBatchSize: 4, microBatchSize: 4)
        rank = TinyRank(run, ranks)
        let store = CheckpointStore(directory: directory)
        self.store = ranks.rank == 0 ? store : nil
        let (number, count) = (ranks.rank, ranks.size)
        saver = CheckpointSaver(
            communicator: ranks, store: store, optimizer: rank.optimizer, pool: run.pool, keep: 2, keepEvery: 0,
            write: { temporary, snapshot in
                try intercept(temporary, snapshot) {
                    try CheckpointSaver.writeShard(number, of: count, in: $0, from: $1)
                }
            }, beforePublishing: beforePublishing)
    }

    /// Names in the checkpoints directory; on rank 0 only.
    var names: [String]? { folder?.names(in: "checkpoints") }

    /// Element i of the flat space gets base + i as parameter, base + i + 1/4 and base + i + 1/2 as moments: all exact.
    func set(base: Float) {
        for index in 0..<rank.parameters.count { rank.parameters[index] = base + Float(index) }
        var offset = 0
        for run in rank.optimizer.partition.runs(rank: communicator.rank) {
            for index in run {
                rank.optimizer.state[0].values[offset] = base + Float(index) + 0.25
                rank.optimizer.state[1].values[offset] = base + Float(index) + 0.5
                offset += 1
            }
        }
    }

    /// Asserts, on every rank, that a checkpoint holds exactly what `set(base:)` set on all of them.
    func check(_ path: String, base: Float, line: UInt = #line) throws {
        let reader = try CheckpointReader(directory: path)
        try reader.verifyAll()
        let count = rank.parameters.count
        for (role, extra) in [
            (TensorRole.parameter, Float(0)), (.state("first_moment"), 0.25), (.state("second_moment"), 0.5),
        ] {
            let values = Arena(count: count).all
            try reader.read(role, range: 0..<count, into: values)
            XCTAssertEqual(values.array, (0..<count).map { base + Float($0) + extra }, role.rawValue, line: line)
        }
        XCTAssertEqual(reader.index.ranksWritten, communicator.size, line: line)
        XCTAssertEqual(reader.index.shards.count, communicator.size, line: line)
    }

    func index(step: Int) -> CheckpointIndex {
        CheckpointIndex(
            step: step, position: 4 * step, tokens: 24 * step, optimizerSteps: step, configuration: "{}", seed: 5,
            model: run.configuration.model, tokenizer: .init(name: "bytes"), dataFingerprint: "{}", processor: "a",
            blas: "b", ranksWritten: communicator.size, shards: [])
    }
}
