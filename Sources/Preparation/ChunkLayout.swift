// ChunkLayout - how files are cut into chunks of whole documents, and which rank prepares which.

internal import TokenData

/// One chunk of the input, by its place in the order of all.
struct ChunkNumber: Comparable, Sendable, Codable, Hashable {
    /// Number of the file in the order of the command line.
    var file: Int
    /// Number of the chunk in the file.
    var index: Int

    static func < (a: ChunkNumber, b: ChunkNumber) -> Bool { (a.file, a.index) < (b.file, b.index) }

    /// Files may have up to 2^36 chunks.
    private static let shift = 36

    /// The same order in integers, which ranks can compare.
    var order: Int { file << Self.shift | index }
}

/// The cut of all files: a function of the files alone, so that the result does not depend on ranks and threads.
struct ChunkLayout: Sendable {
    struct File: Sendable {
        var text: TextFile
        /// Bytes on the disk.
        var size: Int
    }

    let files: [File]
    /// Bytes of a chunk, more or less; of text, not of compressed text.
    let chunkSize: Int
    /// Whether a text that is not compressed is cut into chunks; otherwise it is one.
    let cutsTexts: Bool
    /// Where the work of each file starts on the line of all, and where it ends.
    private let starts: [Int]

    init(files: [File], chunkSize: Int, cutsTexts: Bool) {
        self.files = files
        self.chunkSize = chunkSize
        self.cutsTexts = cutsTexts
        starts = files.reduce(into: [0]) { $0.append(($0.last ?? 0) + Self.weight($1.text.format, size: $1.size)) }
    }

    /// Bytes of text for one compressed byte, roughly: what work is shared by.
    private static let expansion = 3

    /// The chunk size for so many bytes: enough chunks for many threads, few enough for one directory.
    static func chunkSize(forBytes total: Int) -> Int {
        var size = 1 << 20
        while size < 1 << 24, total / size > 4096 { size *= 2 }
        return size
    }

    /// A measure of the work in a file.
    static func weight(_ format: DocumentSource, size: Int) -> Int {
        format.isCompressed ? size * expansion : size
    }

    /// Number of chunks of a file; nil for compressed lines, where it takes reading to know.
    func chunkCount(_ file: Int) -> Int? {
        let format = files[file].text.format
        if format.layout == .text, !cuts(file) { return 1 }
        return format.isCompressed ? nil : (files[file].size + chunkSize - 1) / chunkSize
    }

    /// Whether a text is cut into chunks: a compressed one never is.
    func cuts(_ file: Int) -> Bool { cutsTexts && !files[file].text.format.isCompressed }

    /// The rank that prepares a chunk. All work is a line of ``weight(_:size:)``s that is cut evenly; each chunk has a
    /// scattered place in its file's stretch. So a rank reads few files, and of a file that several share it has chunks
    /// from everywhere, since speed varies along a file.
    func owner(_ number: ChunkNumber, rankCount: Int) -> Int {
        // Multiples of the golden ratio, modulo 1, are spread evenly however many there are.
        let fraction = UInt64(number.index) &* 0x9E37_79B9_7F4A_7C15
        let weight = UInt64(starts[number.file + 1] - starts[number.file])
        let within = Int(weight.multipliedFullWidth(by: fraction).high)
        return rank(at: starts[number.file] + within, rankCount: rankCount)
    }

    /// The ranks that may have chunks of a file; the first has at least the first chunk.
    func owners(ofFile file: Int, rankCount: Int) -> ClosedRange<Int> {
        rank(at: starts[file], rankCount: rankCount)...rank(at: starts[file + 1] - 1, rankCount: rankCount)
    }

    private func rank(at place: Int, rankCount: Int) -> Int {
        starts[files.count].dividingFullWidth(place.multipliedFullWidth(by: rankCount)).quotient
    }
}

/// A chunk that is to be prepared.
struct ChunkTicket: Sendable {
    enum Content: Sendable {
        /// Still in its file, and found there without reading what is before.
        case unread
        /// From a compressed file.
        case lines(LineChunk)
    }

    let number: ChunkNumber
    let content: Content
    /// Bytes on the disk that it stands for.
    let diskBytes: Int
}

/// Gives out the chunks of one rank in order.
struct ChunkSource {
    private let layout: ChunkLayout
    private let rank: Int
    private let rankCount: Int
    private var number = ChunkNumber(file: 0, index: 0)
    /// The compressed file that is being read.
    private var stream: (text: TextStream, chunks: LineChunks)?
    /// Chunks of each compressed file that was read to its end.
    private(set) var counts: [Int: Int] = [:]

    init(_ layout: ChunkLayout, rank: Int, rankCount: Int) {
        self.layout = layout
        self.rank = rank
        self.rankCount = rankCount
    }

    /// The place that was reached: of the error, when ``next()`` throws.
    var place: ChunkNumber { number }

    /// The next chunk of this rank; nil behind the last.
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
            let text = try TextStream(layout.files[number.file].text)
            stream = (text, LineChunks(size: layout.chunkSize) { try text.next() })
        }
        while let text = stream?.text {
            let before = text.compressedOffset ?? 0
            guard let chunk = try stream?.chunks.next() else {
                counts[number.file] = number.index
                stream = nil
                break
            }
            let this = number
            number.index += 1
            if layout.owner(this, rankCount: rankCount) == rank {
                return ChunkTicket(
                    number: this, content: .lines(chunk), diskBytes: (text.compressedOffset ?? 0) - before)
            }
        }
        return nil
    }
}

extension ChunkLayout {
    /// Number of lines before a chunk: read and counted, since only a mistake needs it.
    func lines(before number: ChunkNumber) throws -> Int {
        let stream = try TextStream(files[number.file].text)
        var chunks = LineChunks(size: chunkSize) { try stream.next() }
        var count = 0
        while chunks.index < number.index, let chunk = try chunks.next() { count += chunk.lineCount }
        return count
    }
}
