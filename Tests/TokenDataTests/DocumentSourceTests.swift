// DocumentSourceTests - the list of formats, as readers, messages and help texts use it.

import SentencePieceText
import Testing

@testable import TokenData

@Suite struct DocumentSourceTests {
    @Test func listsNameEveryFormat() {
        let texts = ".txt, .jsonl, .json, .ndjson (each also with .zst or .gz)"
        #expect(DocumentSource.suffixes(joinedBy: "or") == "\(texts) or .parquet")
        #expect(DocumentSource.suffixes == "\(texts), .parquet")
        #expect(
            DocumentSource.textSuffixes(joinedBy: "or")
                == ".txt, .jsonl, .json or .ndjson (each also with .zst or .gz)")
        #expect(
            DocumentSource.all.map(\.suffix) == [
                ".txt", ".jsonl", ".json", ".ndjson", ".txt.zst", ".jsonl.zst", ".json.zst", ".ndjson.zst", ".txt.gz",
                ".jsonl.gz", ".json.gz", ".ndjson.gz", ".parquet",
            ])
    }

    @Test func theEndingTellsTheFormat() throws {
        for source in DocumentSource.all {
            let found = try #require(DocumentSource(path: "folder.txt/name" + source.suffix))
            #expect(found.suffix == source.suffix && found.layout == source.layout)
            #expect(found.compression?.tool == source.compression?.tool && found.isTable == source.isTable)
            let capitals = try #require(DocumentSource(path: "folder.txt/NAME" + source.suffix.uppercased()))
            #expect(capitals.suffix == source.suffix)
        }
        for path in ["a.csv", "a.gz", "a.txt.bz2", "a.jsonl.gz.part", "txt", ""] {
            #expect(DocumentSource(path: path) == nil, "\(path)")
        }
    }

    /// Compressed data under the name of a plain text: the remedy names the ending that is read, and only such an ending.
    @Test(arguments: [
        (MagicFormat.gzip, [0x1F, 0x8B] as [UInt8], ", or name it .txt.gz"),
        (.zstandard, [0x28, 0xB5, 0x2F, 0xFD], ", or name it .txt.zst"),
        (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], ""), (.lz4, [0x04, 0x22, 0x4D, 0x18], ""),
        (.bzip2, Array("BZh9".utf8) + [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], ""),
    ])
    func theRemedyNamesTheEnding(magic: MagicFormat, start: [UInt8], end: String) throws {
        #expect(MagicFormat(start) == magic)
        let content = try #require(ForeignContent(path: "a.txt", start: start, end: []))
        #expect(content.remedy.hasSuffix(" -dc a.txt > NEW.txt" + end))
        let isRead = DocumentSource.all.contains { $0.compression?.magic == magic }
        #expect(isRead != end.isEmpty)
    }
}
