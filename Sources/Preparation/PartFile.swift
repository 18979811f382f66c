// PartFile - the tokens of one chunk in a file, complete and unaltered or not there.

internal import Digests
internal import Foundation
internal import TokenData
internal import InputFiles

/// What a part says of itself.
struct PartHeader: Codable, Equatable, Sendable {
    /// The documents that go to one output: their lengths, then their ids.
    struct Section: Codable, Equatable, Sendable {
        /// The domain, where domains have outputs of their own.
        var domain: String?
        var documents: Int
        /// Bytes of ids.
        var bytes: Int
        /// SHA-256 of lengths and ids.
        var hash: String

        /// Bytes in the file.
        var size: Int { PartFile.lengthSize * documents + bytes }
    }

    var number: ChunkNumber
    /// Lines of the chunk, blank and malformed ones included.
    var lines = 0
    var blankLines = 0
    /// Whether the first document began in an earlier chunk, and whether the last one ends here: texts are cut anywhere.
    var continuesDocument = false
    var endsDocument = true
    var sections: [Section] = []
    var domains: [DomainCount] = []
    var skipped = SkippedCounts()
    /// Bytes of a .txt file that were read as U+FFFD.
    var replaced = InvalidUTF8()
}

/// A part: header and sections.
struct Part: Sendable {
    /// The documents of one output.
    struct Section: Sendable {
        var domain: String?
        /// Tokens of each document, end token included.
        var lengths: [Int] = []
        /// The ids as the .bin holds them.
        var ids: [UInt8] = []
    }

    var header: PartHeader
    var sections: [Section] = []
}

/// The file of a part. Eight bytes "MILEPART", the SHA-256 of the header, its size (u64), the header (JSON), and per
/// section the lengths (u64) and the ids; little-endian. Files are not synced one by one: one that a power cut has
/// damaged is noticed by its hashes, and made again.
enum PartFile {
    static let lengthSize = 8
    private static let magic = Array("MILEPART".utf8)
    private static let fixedSize = 48

    /// The name of a chunk's part.
    static func name(_ number: ChunkNumber) -> String {
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(count - text.count, 0)) + text
        }
        return "part-\(digits(number.file, 5))-\(digits(number.index, 7))"
    }

    /// Whether a part's name is that of a chunk of a file.
    static func isPart(_ name: String, ofFile file: Int) -> Bool {
        let pieces = name.split(separator: "-")
        return pieces.count == 3 && pieces[0] == "part" && Int(pieces[1]) == file
    }

    /// How the name of a part that is being written ends.
    static let unfinished = ".new"

    /// Writes a part: afterwards it is there completely, or not at all.
    static func write(_ part: Part, in folder: String) throws {
        let sections = part.sections.map { section in
            (lengths: littleEndianBytes(section.lengths.map { UInt64($0) }), section: section)
        }
        var header = part.header
        header.sections = sections.map { lengths, section in
            PartHeader.Section(
                domain: section.domain, documents: section.lengths.count, bytes: section.ids.count,
                hash: hash(lengths, section.ids))
        }
        let text = Array(try JSONEncoder().encode(header))
        let path = folder + "/" + name(header.number)
        let file = try OutputFile(path: path + unfinished)
        do {
            try file.write(magic + SHA256.hash(data: text) + littleEndianBytes([UInt64(text.count)]) + text)
            for (lengths, section) in sections {
                try file.write(lengths)
                try file.write(section.ids)
            }
            try file.finish(synced: false)
        } catch {
            // Gives back the space where that is what is missing; what remains is removed by the next start.
            try? OutputFolder.remove(path + unfinished)
            throw error
        }
        try OutputFolder.rename(path + unfinished, to: path)
    }

    /// The header of a chunk's part; nil where there is none, or a damaged one.
    ///
    /// - Parameter checksData: whether to read all of it.
    static func header(_ number: ChunkNumber, in folder: String, checksData: Bool) throws -> PartHeader? {
        let path = folder + "/" + name(number)
        guard case .regular(let size) = FileKind.at(path), size >= fixedSize else { return nil }
        let file = try ReadableFile(path: path)
        let start = try file.bytes(at: 0, count: fixedSize)
        let length = start[40...].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard Array(start[..<8]) == magic, length <= UInt64(size - fixedSize) else { return nil }
        let text = try file.bytes(at: fixedSize, count: Int(length))
        guard SHA256.hash(data: text) == Array(start[8..<40]),
            let header = try? JSONDecoder().decode(PartHeader.self, from: Data(text)), header.number == number,
            fixedSize + text.count + header.sections.reduce(0, { $0 + $1.size }) == size
        else { return nil }
        if checksData {
            var offset = fixedSize + text.count
            for section in header.sections {
                let bytes = try file.bytes(at: offset, count: section.size)
                guard hash(bytes, []) == section.hash else { return nil }
                offset += section.size
            }
        }
        return header
    }

    /// One section of a part, its hash checked.
    ///
    /// - Parameter header: what ``header(_:in:checksData:)`` gave.
    static func section(_ place: Int, of header: PartHeader, in folder: String) throws -> Part.Section {
        let path = folder + "/" + name(header.number)
        guard case .regular(let size) = FileKind.at(path) else {
            throw OutputError(path, "the part has gone")
        }
        let file = try ReadableFile(path: path)
        let section = header.sections[place]
        // Sections end where the file does.
        let rest = header.sections[place...].reduce(0) { $0 + $1.size }
        guard size >= rest else { throw OutputError(path, "the part became shorter") }
        let bytes = try file.bytes(at: size - rest, count: section.size)
        guard hash(bytes, []) == section.hash else {
            throw OutputError(path, "the part was altered", remedy: "check the disk, then run the same command again")
        }
        let ids = lengthSize * section.documents
        let lengths = stride(from: 0, to: ids, by: lengthSize).map { start in
            Int(bytes[start..<(start + lengthSize)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
        return Part.Section(domain: section.domain, lengths: lengths, ids: Array(bytes[ids...]))
    }

    private static func hash(_ first: [UInt8], _ second: [UInt8]) -> String {
        let hasher = SHA256()
        hasher.update(data: first)
        hasher.update(data: second)
        return hexadecimalDigits(of: hasher.finalize())
    }
}
