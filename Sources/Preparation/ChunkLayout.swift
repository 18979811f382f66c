// ChunkLayout - the cut of files into chunks of whole documents, and the rank of each chunk.

internal import TokenData

/// The number of a chunk: file and index, in the order of the input.
struct ChunkNumber: Comparable, Sendable, Codable, Hashable {
    /// Index of the file on the command line.
    var file: Int
    /// Index of the chunk in the file.
    var index: Int

    static func < (a: ChunkNumber, b: ChunkNumber) -> Bool { (a.file, a.index) < (b.file, b.index) }

    /// Files may have up to 2^36 chunks.
    private static let shift = 36

    /// The number as one integer of equal order, which ranks can compare.
    var order: Int { file << Self.shift | index }
}

/// The cut of all files into chunks, a function of the files alone. So the result does not depend on ranks and threads.
struct ChunkLayout: Sendable {
    struct File: Sendable {
        var text: TextFile
        /// Size on the disk in bytes.
        var size: Int
    }

    let files: [File]
    /// Nominal size of a chunk in bytes of uncompressed text.
    let chunkSize: Int
    /// Whether an uncompressed text is cut into chunks. If not, it is one chunk.
    let cutsTexts: Bool
    /// Start of each file's work in the sum of all weights, and the end of the last.
    private let starts: [Int]

    init(files: [File], chunkSize: Int, cutsTexts: Bool) {
        self.files = files
        self.chunkSize = chunkSize
        self.cutsTexts = cutsTexts
        starts = files.reduce(into: [0]) { $0.append(($0.last ?? 0) + Self.weight($1.text, size: $1.size)) }
    }

    /// Estimated bytes of text for one compressed byte, by which work is shared.
    private static let expansion = 3

    /// The chunk size for `total` bytes: enough chunks for many threads, few enough for one directory.
    static func chunkSize(forBytes total: Int) -> Int {
        var size = 1 << 20
        while size < 1 << 24, total / size > 4096 { size *= 2 }
        return size
    }

    /// Weight of a file: an estimate of its bytes of text.
    static func weight(_ file: TextFile, size: Int) -> Int {
        file.format.isCompressed || file.format.isTable ? size * expansion : size
    }

    /// Number of chunks of a file; nil where it is known after reading: lines that are read from the file's start.
    func chunkCount(_ file: Int) -> Int? {
        let text = files[file].text
        if text.isOneDocument, !cuts(file) { return 1 }
        return text.isSequential ? nil : (files[file].size + chunkSize - 1) / chunkSize
    }

    /// Whether the text of a file is cut into chunks. One that is read from its start never is.
    func cuts(_ file: Int) -> Bool { cutsTexts && !files[file].text.isSequential }

    /// The rank that prepares a chunk.
    ///
    /// Ranks own equal ranges of the sum of ``weight(_:size:)``. A chunk lies at a scattered point of its file's range.
    /// Why: a rank reads few files, and gets chunks from all over a shared file, whose speed varies along it.
    func owner(_ number: ChunkNumber, rankCount: Int) -> Int {
        // Multiples of the golden ratio modulo 1 are spread evenly for any number of chunks.
        let fraction = UInt64(number.index) &* 0x9E37_79B9_7F4A_7C15
        let weight = UInt64(starts[number.file + 1] - starts[number.file])
        let within = Int(weight.multipliedFullWidth(by: fraction).high)
        return rank(at: starts[number.file] + within, rankCount: rankCount)
    }

    /// The ranks that may own chunks of a file. The first of them owns the first chunk.
    func owners(ofFile file: Int, rankCount: Int) -> ClosedRange<Int> {
        rank(at: starts[file], rankCount: rankCount)...rank(at: starts[file + 1] - 1, rankCount: rankCount)
    }

    private func rank(at offset: Int, rankCount: Int) -> Int {
        starts[files.count].dividingFullWidth(offset.multipliedFullWidth(by: rankCount)).quotient
    }
}

/// A chunk to be prepared.
struct ChunkTicket: Sendable {
    enum Content: Sendable {
        /// Not read yet; the chunk can be read without the bytes before it.
        case unread
        /// Lines from a file that is read from its start.
        case lines(LineChunk)
    }

    let number: ChunkNumber
    let content: Content
    /// Bytes on the disk that the chunk covers.
    let diskBytes: Int
}

/// The chunks of one rank in order.
struct ChunkSource {
    private let layout: ChunkLayout
    private let rank: Int
    private let rankCount: Int
    /// Number of the next chunk. It is the chunk of an error that ``next()`` throws.
    private(set) var number = ChunkNumber(file: 0, index: 0)
    /// The present file that is read from its start, and its chunks.
    private var stream: (text: TextStream, chunks: LineChunks)?
    /// Number of chunks of each file that was read from its start to its end, by file.
    private(set) var counts: [Int: Int] = [:]

    init(_ layout: ChunkLayout, rank: Int, rankCount: Int) {
        self.layout = layout
        self.rank = rank
        self.rankCount = rankCount
    }

    /// The next chunk of this rank; nil after the last.
    ///
    /// - Throws: ``DataError`` for a file that cannot be read.
    mutating func next() throws -> ChunkTicket? {
        while number.file < layout.files.count {
            let isShared = layout.owners(ofFile: number.file, rankCount: rankCount).contains(rank)
            let ticket = !isShared ? nil : try nextOfFile()
            if let ticket { return ticket }
            number = ChunkNumber(file: number.file + 1, index: 0)
        }
        return nil
    }

    private mutating func nextOfFile() throws -> ChunkTicket? {
        guard let count = layout.chunkCount(number.file) else { return try nextOfStream() }
        while number.index < count {
            let this = number
            number.index += 1
            if layout.owner(this, rankCount: rankCount) == rank {
                let size = layout.files[this.file].size
                let bytes = count == 1 ? size : min(layout.chunkSize, size - this.index * layout.chunkSize)
                return ChunkTicket(number: this, content: .unread, diskBytes: bytes)
            }
        }
        return nil
    }

    private mutating func nextOfStream() throws -> ChunkTicket? {
        if stream == nil {
            let file = layout.files[number.file].text
            let text = try TextStream(file)
            stream = (text, file.chunks(of: text, size: layout.chunkSize))
        }
        while let text = stream?.text {
            let before = text.offset
            guard let chunk = try stream?.chunks.next() else {
                counts[number.file] = number.index
                stream = nil
                break
            }
            let this = number
            number.index += 1
            if layout.owner(this, rankCount: rankCount) == rank {
                return ChunkTicket(number: this, content: .lines(chunk), diskBytes: text.offset - before)
            }
        }
        return nil
    }
}

extension ChunkLayout {
    /// Number of lines before a chunk. It reads and counts them, since only a mistake needs the number.
    func lines(before number: ChunkNumber) throws -> Int {
        let file = files[number.file].text
        let stream = try TextStream(file)
        var chunks = file.chunks(of: stream, size: chunkSize)
        var count = 0
        while chunks.index < number.index, let chunk = try chunks.next() { count += chunk.lineCount }
        return count
    }
}
