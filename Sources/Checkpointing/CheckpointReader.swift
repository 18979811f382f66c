// CheckpointReader - loading: verifies a step directory, and reads any range of the flat space.

internal import Digests
internal import LlamaModel
public import Tensors

/// A step directory that is open for reading.
///
/// Opening verifies `COMPLETE`, the hash of the index, every value in it, and the size of all files. The runs of the
/// shards must cover the flat space exactly once. ``verifyShard(_:)`` verifies the content of a shard, and
/// ``verifyCarriedFiles()`` that of the carried files; ranks can share this work. Files that the index does not list
/// are never read.
///
/// One thread may use a reader at a time.
public final class CheckpointReader {
    /// Path of the step directory.
    public let directory: String
    public let index: CheckpointIndex
    /// The stored runs, ascending; together they cover the flat space.
    private let runs: [StoredRun]
    private var open: [Int: OpenShard] = [:]

    /// Shards that stay open between reads. Each costs an open file and a chunk cache of 1 MiB for each of its tensors.
    private static let mostOpen = 16
    /// Floats per block when tensors are hashed: 4 MiB.
    private static let blockCount = 1 << 20

    /// Opens and verifies a step directory.
    ///
    /// - Throws: ``CheckpointError``: `missing`, `incomplete`, `corrupt`, `incompatible` or `io`, naming the file.
    public init(directory: String) throws {
        let directory = Files.trimmingSlashes(directory)
        guard try Files.status(directory) == .directory else {
            throw CheckpointError(.missing, file: directory, "there is no such checkpoint directory")
        }
        let indexPath = directory + "/" + IndexFile.name
        let expected = try Self.completion(directory)
        guard case .file = try Files.status(indexPath) else {
            throw CheckpointError(.missing, file: indexPath, "the checkpoint's index is missing")
        }
        let found = try Hash.file(indexPath)
        guard found == expected else {
            throw CheckpointError(
                .corrupt, file: indexPath,
                "its SHA-256 is \(found), and \(CheckpointStore.completionName) says \(expected): the file was altered")
        }
        (index, runs) = try IndexFile.read(indexPath)
        self.directory = directory
        for shard in index.shards {
            try Self.checkSize(directory + "/" + shard.fileName, shard.byteCount, of: "shard")
        }
        for file in index.carriedFiles {
            try Self.checkSize(directory + "/" + file.storedName, file.byteCount, of: "carried file")
        }
    }

    /// Checks the SHA-256 of shard `number`.
    ///
    /// - Throws: ``CheckpointError``: `missing` or `corrupt` naming the shard.
    public func verifyShard(_ number: Int) throws {
        let shard = index.shards[number]
        let path = path(of: number)
        try Self.checkSize(path, shard.byteCount, of: "shard")
        let found = try Hash.file(path)
        guard found == shard.sha256 else {
            throw CheckpointError.altered(path, found: found, expected: shard.sha256)
        }
    }

    /// Checks the SHA-256 of every carried file and shard, and the content of every shard.
    ///
    /// Opening has checked everything else.
    public func verifyAll() throws {
        try verifyCarriedFiles()
        for number in index.shards.indices {
            try verifyShard(number)
            _ = try OpenShard(path: path(of: number), runs: index.shards[number].runs, roles: roles)
        }
    }

    /// Reads elements of the flat space from whichever shards hold them.
    ///
    /// Traps unless `range` lies inside the flat space and is as long as `target`.
    ///
    /// - Throws: ``CheckpointError``: `corrupt` when a checksum of the data is wrong.
    public func read(_ role: TensorRole, range: Range<Int>, into target: FloatSlice) throws {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= (runs.last?.range.upperBound ?? 0),
            "\(range) is outside the checkpoint's flat space")
        precondition(range.count == target.count, "\(range) does not fit \(target.count) floats")
        guard roles.contains(role) else {
            throw CheckpointError(
                .corrupt, file: directory,
                "it holds no \(role.rawValue), but \(roles.map(\.rawValue).joined(separator: ", ")): another optimizer wrote it"
            )
        }
        if range.isEmpty { return }
        var next = firstRun(endingAfter: range.lowerBound)
        while next < runs.count, runs[next].range.lowerBound < range.upperBound {
            let run = runs[next]
            let part = run.range.clamped(to: range)
            let start = run.offset + part.lowerBound - run.range.lowerBound
            let slice = target[(part.lowerBound - range.lowerBound)..<(part.upperBound - range.lowerBound)]
            try shard(run.shard).read(role, start..<(start + part.count), into: slice)
            next += 1
        }
    }

    /// Calls `body` with the elements of `range` in order, a bounded block at a time.
    private func forEachBlock(
        _ role: TensorRole, of range: Range<Int>, buffer: FloatSlice, _ body: (FloatSlice) -> Void
    ) throws {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, start + buffer.count)
            let block = buffer[0..<(end - start)]
            try read(role, range: start..<end, into: block)
            body(block)
            start = end
        }
    }

    /// The hashes of one tensor: of its parameters and of their moments.
    public struct TensorHash: Sendable, Equatable {
        public let name: String
        public let shape: [Int]
        /// SHA-256 of each role as row-major little-endian fp32, in hexadecimal.
        public let hashes: [TensorRole: String]
        /// Elements of each role that are NaN or infinite.
        public let nonFinite: [TensorRole: Int]
    }

    /// The parameters, then the optimizer's state tensors.
    private var roles: [TensorRole] { [.parameter] + index.stateTensors.map(TensorRole.state) }

    /// Hashes of every tensor, and counts of NaN and infinite elements, in table order, in bounded memory.
    public func tensorHashes() throws -> [TensorHash] {
        let buffer = Arena(count: Self.blockCount).all
        func look(_ role: TensorRole, _ range: Range<Int>) throws -> (hash: String, nonFinite: Int) {
            let hasher = SHA256()
            var nonFinite = 0
            try forEachBlock(role, of: range, buffer: buffer) {
                hasher.update($0)
                nonFinite += $0.nonFiniteCount
            }
            return (hexadecimalDigits(of: hasher.finalize()), nonFinite)
        }
        return try index.model.tensorTable.entries.map { entry in
            var hashes: [TensorRole: String] = [:]
            var nonFinite: [TensorRole: Int] = [:]
            for role in roles { (hashes[role], nonFinite[role]) = try look(role, entry.range) }
            return TensorHash(name: entry.name, shape: entry.shape, hashes: hashes, nonFinite: nonFinite)
        }
    }

    /// SHA-256 of all parameters as little-endian fp32 in the order of the flat space, in hexadecimal.
    ///
    /// The hash depends on the weights only: neither on the moments nor on the number of shards.
    public func parameterHash() throws -> String {
        let hasher = SHA256()
        let buffer = Arena(count: Self.blockCount).all
        try forEachBlock(.parameter, of: 0..<(runs.last?.range.upperBound ?? 0), buffer: buffer) { hasher.update($0) }
        return hexadecimalDigits(of: hasher.finalize())
    }

    /// Index of the run that holds `position` of the flat space.
    private func firstRun(endingAfter position: Int) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].range.upperBound > position { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private func shard(_ number: Int) throws(CheckpointError) -> OpenShard {
        if let shard = open[number] { return shard }
        if open.count >= Self.mostOpen { open.removeAll() }
        let shard = try OpenShard(path: path(of: number), runs: index.shards[number].runs, roles: roles)
        open[number] = shard
        return shard
    }

    private func path(of shard: Int) -> String { directory + "/" + index.shards[shard].fileName }

    /// Checks that a file of the index exists and has `byteCount` bytes, without reading it.
    ///
    /// - Parameter what: the kind of file, for messages.
    static func checkSize(_ path: String, _ byteCount: Int, of what: String) throws(CheckpointError) {
        guard case .file(let found) = try Files.status(path) else {
            throw CheckpointError(.missing, file: path, "the \(what) is missing")
        }
        guard found == byteCount else {
            throw CheckpointError(.corrupt, file: path, "it has \(found) bytes instead of \(byteCount)")
        }
    }

    /// The hash in `COMPLETE`. The file holds 64 lower-case hexadecimal digits and a line feed.
    private static func completion(_ directory: String) throws(CheckpointError) -> String {
        let path = directory + "/" + CheckpointStore.completionName
        guard case .file = try Files.status(path) else {
            throw CheckpointError(.incomplete, file: path, "the file is missing: the checkpoint was never completed")
        }
        let bytes = try Files.read(path, limit: Hash.length + 1)
        let text = String(decoding: bytes.dropLast(), as: UTF8.self)
        guard bytes.last == UInt8(ascii: "\n"), Hash.isWellFormed(text) else {
            throw CheckpointError(.corrupt, file: path, "it is not one SHA-256 in hexadecimal")
        }
        return text
    }
}
