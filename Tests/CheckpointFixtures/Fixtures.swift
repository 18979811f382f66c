// Fixtures - small models, random layouts and whole checkpoints for the tests.

package import Checkpointing
internal import FoundationEssentials
internal import Glibc
package import LlamaModel
package import Primitives
package import Tensors

/// A new directory, removed when the last reference goes.
package final class TemporaryFiles: Sendable {
    package let directory: String

    package init() throws {
        // In memory where there is room: the tests sync hundreds of files, which takes seconds on a busy disk.
        let memory = "/dev/shm"
        var space = statvfs()
        let free = unsafe statvfs(memory, &space) == 0 ? Int(space.f_bavail) * Int(space.f_bsize) : 0
        let base = free > 512 << 20 ? memory : FileManager.default.temporaryDirectory.path
        directory = "\(base)/mile-checkpoint-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    package func path(_ name: String) -> String { directory + "/" + name }
}

extension ModelConfiguration {
    /// 56 parameters; the golden hashes belong to it.
    package static let tiny = ModelConfiguration(
        hiddenSize: 2, intermediateSize: 3, hiddenLayerCount: 1, attentionHeadCount: 1, keyValueHeadCount: 1,
        vocabularySize: 4, maxPositionEmbeddings: 8)

    /// 1,816 parameters, grouped heads, tied.
    package static let small = ModelConfiguration(
        hiddenSize: 8, intermediateSize: 12, hiddenLayerCount: 3, attentionHeadCount: 4, keyValueHeadCount: 2,
        vocabularySize: 40, maxPositionEmbeddings: 16, rmsNormEpsilon: 1.0e-6, ropeTheta: 500_000.5,
        initializerRange: 0.1, tieWordEmbeddings: true)

    /// More than two chunks of a shard's dataset in one tensor.
    package static let wide = ModelConfiguration(
        hiddenSize: 16, intermediateSize: 16, hiddenLayerCount: 1, attentionHeadCount: 1, keyValueHeadCount: 1,
        vocabularySize: 40_000, maxPositionEmbeddings: 8, tieWordEmbeddings: true)
}

/// Parameters and moments with a different value at every place: integers below 2^24 and halves and quarters of them,
/// all exact.
package struct Values {
    package let parameters: FloatSlice
    package let firstMoment: FloatSlice
    package let secondMoment: FloatSlice

    package init(count: Int, offset: Int = 0) {
        parameters = FloatSlice((0..<count).map { Float($0 + offset) })
        firstMoment = FloatSlice((0..<count).map { Float($0 + offset) * 0.5 })
        secondMoment = FloatSlice((0..<count).map { Float($0 + offset) * 0.25 })
    }

    package subscript(role: TensorRole) -> FloatSlice {
        switch role {
        case .firstMoment: firstMoment
        case .secondMoment: secondMoment
        default: parameters
        }
    }
}

extension TensorRole {
    package static let firstMoment = state("first_moment")
    package static let secondMoment = state("second_moment")
    package static let allCases = [parameter, firstMoment, secondMoment]
}

/// AdamW's state tensors.
package func moments(_ first: FloatSlice, _ second: FloatSlice) -> [StateTensor] {
    [StateTensor(name: "first_moment", values: first), StateTensor(name: "second_moment", values: second)]
}

/// The elements of `runs`, one run after another.
package func packed(_ source: FloatSlice, _ runs: [Range<Int>]) -> FloatSlice {
    let target = Arena(count: runs.reduce(0) { $0 + $1.count }).all
    var offset = 0
    for run in runs {
        target[offset..<offset + run.count].copy(from: source[run])
        offset += run.count
    }
    return target
}

/// Cuts `0..<count` at random places and deals the pieces to `shards`, some of which may get none.
package func randomLayout(count: Int, shards: Int, using random: inout SplitMix64) -> [[Range<Int>]] {
    let cuts = (0..<Int.random(in: 0..<4 * shards, using: &random)).map { _ in Int.random(in: 0...count, using: &random)
    }
    let bounds = Set(cuts + [0, count]).sorted()
    var layout = [[Range<Int>]](repeating: [], count: shards)
    for (start, end) in zip(bounds, bounds.dropFirst()) {
        layout[Int.random(in: 0..<shards, using: &random)].append(start..<end)
    }
    return layout
}

/// An even layout: shard r has the r-th of `shards` equal parts.
package func evenLayout(count: Int, shards: Int) -> [[Range<Int>]] {
    (0..<shards).map { shard in
        let range = count * shard / shards..<count * (shard + 1) / shards
        return range.isEmpty ? [] : [range]
    }
}

package func makeIndex(step: Int, model: ModelConfiguration, shards: [ShardRecord]) -> CheckpointIndex {
    CheckpointIndex(
        step: step, position: step * 12, tokens: step * 12 * 64, optimizerSteps: max(0, step - 1),
        configuration: #"{"model":{"hidden_size":8},"note":"żółć"}"#, seed: .max - 4, model: model,
        tokenizer: .init(name: "bytes", bytes: [0, 1, 255]), dataFingerprint: #"{"books":"abc"}"#,
        processor: "A CPU", blas: "A BLAS", ranksWritten: shards.count, shards: shards)
}

/// Writes the shards of a save that was begun.
package func writeShards(in temporary: String, layout: [[Range<Int>]], values: Values) throws -> [ShardRecord] {
    try layout.enumerated().map { shard, runs in
        try CheckpointStore.writeShard(
            in: temporary, shard: shard, of: layout.count, runs: runs,
            parameters: runs.map { values.parameters[$0] },
            state: moments(packed(values.firstMoment, runs), packed(values.secondMoment, runs)))
    }
}

/// Saves a whole checkpoint as the ranks together would.
@discardableResult
package func save(
    _ store: CheckpointStore, step: Int, model: ModelConfiguration = .small, layout: [[Range<Int>]]? = nil,
    valueOffset: Int? = nil
) throws -> String {
    let count = model.tensorTable.count
    let temporary = try store.begin(step: step)
    let shards = try writeShards(
        in: temporary, layout: layout ?? evenLayout(count: count, shards: 3),
        values: Values(count: count, offset: valueOffset ?? step))
    return try store.complete(temporary, index: makeIndex(step: step, model: model, shards: shards))
}

/// Opens and verifies everything, as a resume does.
@discardableResult
package func load(_ directory: String) throws -> CheckpointReader {
    let reader = try CheckpointReader(directory: directory)
    try reader.verifyAll()
    return reader
}

package func names(in directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
}

package func bytes(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

package func overwrite(_ path: String, with bytes: [UInt8]) throws { try Data(bytes).write(to: URL(filePath: path)) }
