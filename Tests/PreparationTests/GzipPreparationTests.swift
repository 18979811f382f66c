// GzipPreparationTests - `prepare` makes equal pairs of a compressed file and of the file itself.

import DataFixtures
import InputFiles
import Testing
import TestSupport

@testable import Preparation
@testable import TokenData

extension PreparationTests {
    @Test(arguments: [1, 3]) func compressedFilesGiveTheSamePair(ranks: Int) throws {
        let content = Array(lines(texts(50)).utf8)
        for name in ["a.jsonl", "a.txt"] {
            let members = gzipMember(Array(content[..<777])) + gzipMember(Array(content[777...]))
            let plain = try prepare(request([try directory.write(name, content)], to: name), ranks: ranks)
            let file = try directory.write(name + ".gz", members)
            let packed = try prepare(request([file], to: name + "-packed"), ranks: ranks)
            #expect(packed.documents == plain.documents && packed.bytes == plain.bytes)
            #expect(try pair(name + "-packed") == pair(name))
            // A tokenizer that needs whole texts.
            let whole = try prepare(request([file], to: name + "-whole", tokenizer: WholeTexts()), ranks: ranks)
            #expect(whole.documents == plain.documents && whole.tokens == plain.tokens)
        }
    }

    /// Damage is an error also where mistakes are skipped.
    @Test func damagedCompressedFilesEndTheCommand() throws {
        let content = gzipMember(Array(lines(texts(50)).utf8))
        for name in ["a.jsonl.gz", "a.txt.gz"] {
            let cut = try directory.write(name, Array(content.dropLast(9)))
            let error = try #require(throws: DataError.self) { try prepare(request([cut], to: name, skips: true)) }
            #expect(error.file == cut && error.problem.hasPrefix("truncated: "))
        }
    }
}
