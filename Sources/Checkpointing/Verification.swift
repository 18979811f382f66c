// Verification - hashes, and the check that shards cover the flat space exactly once.

internal import Digests
internal import Glibc
package import Tensors

// Values are stored and hashed as little-endian fp32, straight from memory.
#if _endian(big)
    #error("checkpoints are written and hashed in memory order, which must be little-endian")
#endif

/// SHA-256 as lower-case hexadecimal.
enum Hash {
    /// Characters of a digest.
    static let length = 2 * SHA256.byteCount

    static func file(_ path: String) throws(CheckpointError) -> String {
        let hasher = SHA256()
        try Files.forEachBlock(of: path) { block in
            unsafe block.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        }
        return hexadecimalDigits(of: hasher.finalize())
    }

    static func bytes(_ bytes: [UInt8]) -> String { hexadecimalDigits(of: SHA256.hash(data: bytes)) }

    /// Whether `text` is what ``bytes(_:)`` returns: nothing else may stand for the same digest.
    static func isWellFormed(_ text: String) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy(Array("0123456789abcdef".utf8).contains)
    }
}

extension FloatSlice {
    /// Whether both hold the same bits: unlike `==`, NaNs with equal bits count as equal and -0 differs from 0.
    package func hasSameBits(as other: FloatSlice) -> Bool {
        guard count == other.count else { return false }
        return unsafe memcmp(view.pointer, other.view.pointer, count * MemoryLayout<Float>.stride) == 0
    }
}

extension SHA256 {
    /// Adds floats as little-endian bytes.
    func update(_ slice: FloatSlice) {
        let byteCount = slice.count * MemoryLayout<Float>.stride
        unsafe update(bufferPointer: UnsafeRawBufferPointer(start: slice.view.pointer, count: byteCount))
        withExtendedLifetime(slice) {}
    }
}

/// A run of the flat space and where a checkpoint holds it.
struct StoredRun: Equatable {
    /// Positions in the flat space.
    var range: Range<Int>
    /// Index of the shard.
    var shard: Int
    /// Position of the run's first element in the shard's datasets.
    var offset: Int
}

extension StoredRun {
    /// The runs of all shards in ascending order.
    ///
    /// - Throws: `corrupt`, naming the shard, unless every shard's runs ascend and all runs together cover
    ///   `0..<elementCount` exactly once.
    static func covering(
        _ elementCount: Int, shards: [ShardRecord], file: String
    ) throws(CheckpointError) -> [StoredRun] {
        var runs: [StoredRun] = []
        for (shard, record) in shards.enumerated() {
            var offset = 0
            var end = 0
            for range in record.runs {
                guard range.lowerBound >= end, !range.isEmpty, range.upperBound <= elementCount else {
                    throw CheckpointError(
                        .corrupt, file: file,
                        "\(record.fileName) lists the run \(range), which does not ascend inside 0..<\(elementCount)")
                }
                runs.append(StoredRun(range: range, shard: shard, offset: offset))
                offset += range.count
                end = range.upperBound
            }
        }
        runs.sort { $0.range.lowerBound < $1.range.lowerBound }
        var end = 0
        for run in runs {
            guard run.range.lowerBound == end else {
                throw CheckpointError(
                    .corrupt, file: file,
                    "the shards \(run.range.lowerBound > end ? "leave out" : "hold twice") the elements"
                        + " \(min(end, run.range.lowerBound))..<\(max(end, run.range.lowerBound))")
            }
            end = run.range.upperBound
        }
        guard end == elementCount else {
            throw CheckpointError(.corrupt, file: file, "the shards leave out the elements \(end)..<\(elementCount)")
        }
        return runs
    }
}
