// Workplace+Tokenizer - lines that `tokenizer encode` and `tokenizer decode` turn into ids and back.

import TestSupport
import Testing

extension Workplace {
    /// Encodes `in.txt`, and checks the ids and that they decode to its text. Empty lines, bytes 0 and no last line feed
    /// occur in it.
    ///
    /// - Parameters:
    ///   - tokenizer: name of the tokenizer's file here.
    ///   - size: number of its ids.
    func linesToIdsAndBack(_ tokenizer: String, size: Int) throws -> (text: [UInt8], ids: ProgramResult) {
        let text = Array("the ship  sails\n\n café \u{1F600}\n zero \0 byte\nno end".utf8)
        try folder.write(text, to: "in.txt")
        let ids = try run(["tokenizer", "encode", "--tokenizer", tokenizer, "in.txt"])
        #expect(ids.status == 0 && ids.errors.isEmpty, "\(ids)")
        let lines = ids.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 6 && lines[1].isEmpty && lines[5].isEmpty, "\(ids)")
        #expect(lines.allSatisfy { $0.split(separator: " ").allSatisfy { (0..<size).contains(Int($0) ?? -1) } })
        try folder.write(ids.output, to: "ids")
        let back = try run(["tokenizer", "decode", "--tokenizer", tokenizer, "ids"])
        #expect(Array(back.output.utf8) == text + [0x0A], "\(back)")
        return (text, ids)
    }
}
