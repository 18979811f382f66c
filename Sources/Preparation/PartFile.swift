// PartFile - a file with the tokens of one chunk, which is complete and unaltered, or ignored.

internal import Digests
internal import Foundation
internal import TokenData
internal import InputFiles

/// The header of a part: its contents, counts and hashes.
struct PartHeader: Codable, Equatable, Sendable {
    /// The documents of one output. In the file their lengths come first, then their ids.
    struct Section: Codable, Equatable, Sendable {
        /// The domain, if domains have outputs of their own.
        var domain: String?
        var documents: Int
        /// Size of the ids in bytes.
        var bytes: Int
        /// SHA-256 of lengths and ids.
        var hash: String

        /// Size of the section in the file in bytes.
        var size: Int { PartFile.lengthSize * documents + bytes }
    }

    var number: ChunkNumber
    /// Number of lines of the chunk, blank and malformed ones included.
    var lines = 0
    var blankLines = 0
    /// Whether the first document began in an earlier chunk. Texts are cut at any byte.
    var continuesDocument = false
    var endsDocument = true
    var sections: [Section] = []
    var domains: [DomainCount] = []
    var skipped = SkippedCounts()
    /// Bytes of a .txt file that are no UTF-8 and were read as U+FFFD.
    var replaced = InvalidUTF8()
}

/// A part: header and sections.
struct Part: Sendable {
    /// The documents of one output.
    struct Section: Sendable {
        var domain: String?
        /// Length of each document in tokens, end token included.
        var lengths: [Int] = []
        /// The ids as bytes of the .bin.
        var ids: [UInt8] = []
    }

    var header: PartHeader
    var sections: [Section] = []
}

/// The file of a part, little-endian: eight bytes "MILEPART", the SHA-256 of the header, its size (u64), the header
/// (JSON), and the sections. A section is its lengths (u64) and its ids.
///
/// Files are not synced one by one. A file that a power cut damaged is found by its hashes, and made again.
enum PartFile {
    static let lengthSize = 8
    private static let magic = Array("MILEPART".utf8)
    private static let fixedSize = 48

    /// Name of a chunk's part file.
    static func name(_ number: ChunkNumber) -> String {
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(count - text.count, 0)) + text
        }
        return "part-\(digits(number.file, 5))-\(digits(number.index, 7))"
    }

    /// Whether `name` names a part of file `file`.
    static func isPart(_ name: String, ofFile file: Int) -> Bool {
        let pieces = name.split(separator: "-")
        return pieces.count == 3 && pieces[0] == "part" && Int(pieces[1]) == file
    }

    /// Ending of the name of a part while it is written.
    static let unfinished = ".new"

    /// Writes a part, which is afterwards complete or absent.
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
            // Frees disk space, which may be the cause. If this fails, the next start removes the file.
            try? OutputFolder.remove(path + unfinished)
            throw error
        }
        try OutputFolder.rename(path + unfinished, to: path)
    }

    /// The header of a chunk's part; nil if the part is missing or damaged.
    ///
    /// - Parameter checksData: whether to read all sections and check their hashes.
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

    /// One section of a part, with its hash checked.
    ///
    /// - Parameter header: the result of ``header(_:in:checksData:)``.
    static func section(_ index: Int, of header: PartHeader, in folder: String) throws -> Part.Section {
        let path = folder + "/" + name(header.number)
        guard case .regular(let size) = FileKind.at(path) else {
            throw OutputError(path, "the part has gone")
        }
        let file = try ReadableFile(path: path)
        let section = header.sections[index]
        // The last section ends at the end of the file.
        let rest = header.sections[index...].reduce(0) { $0 + $1.size }
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
