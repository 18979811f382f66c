// TokenizerFuzzTests - mutated tokenizer.json files: always an error, or a tokenizer whose ids are its tokens.

import Foundation
import TestSupport
import Testing

@testable import TokenizerJSON

/// Reports and ends the process when `condition` does not hold: in an exit test that is the failure.
private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if condition { return }
    Issue.record(Comment(rawValue: message()))
    exit(1)
}

@Suite struct TokenizerFuzzTests {
    /// Runs in a process of its own. Its address space has room for the stack that PCRE2 reserves for each pattern, and
    /// not for the sizes that a file claims.
    @Test func tokenizerFile() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let files = try ["gpt2", "llama3", "qwen2", "smollm", "llama2", "unigram", "added", "prefixed"].map {
                Array(try GoldenTokenizer.load($0).tokenizer.utf8)
            }
            limitAddressSpace(toCurrentAnd: 1 << 30)
            var campaign = FuzzCampaign("tokenizer.json", budget: 2000)
            for _ in 0..<campaign.inputs {
                let input = TokenizerMutation.next(files, &campaign.random)
                campaign.record(TokenizerMutation.check(input))
            }
            require(campaign.share >= 0.3, "too few inputs are JSON: \(campaign.summary)")
            require(campaign.read > 0, "no input is read: \(campaign.summary)")
            FileHandle.standardError.write(Data((campaign.summary + "\n").utf8))
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }
}

private enum TokenizerMutation {
    /// Strings and numbers of a JSON text, by their ranges, quotes included.
    private static func scalars(_ bytes: [UInt8]) -> (strings: [Range<Int>], numbers: [Range<Int>]) {
        var (strings, numbers): ([Range<Int>], [Range<Int>]) = ([], [])
        var index = 0
        while index < bytes.count {
            let start = index
            if bytes[index] == UInt8(ascii: "\"") {
                index += 1
                while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                    index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                index = min(index + 1, bytes.count)
                strings.append(start..<index)
            } else if bytes[index] == UInt8(ascii: "-") || (0x30...0x39).contains(bytes[index]) {
                while index < bytes.count, (0x2B...0x39).contains(bytes[index]), bytes[index] != 0x2C { index += 1 }
                numbers.append(start..<index)
            } else {
                index += 1
            }
        }
        return (strings, numbers)
    }

    /// A file with up to four strings and numbers changed, and sometimes bytes damaged.
    static func next(_ files: [[UInt8]], _ random: inout SeededGenerator) -> [UInt8] {
        var file = random.pick(files)
        let other = random.pick(files)
        for _ in 0..<random.index(below: 5) {
            let (strings, numbers) = scalars(file)
            if random.once(in: 3) {
                file.replaceSubrange(random.pick(numbers), with: Array("\(random.hostileInteger())".utf8))
                continue
            }
            // Strings near the start are types, patterns and flags; most others are tokens.
            let target = random.once(in: 2) ? random.pick(strings) : random.pick(Array(strings.prefix(80)))
            let patterns = [
                #""(?:a+)+$""#, #""\\w+|\\W""#, #""""#, #""\\p{L}*""#, "\"" + String(repeating: "(", count: 99) + "\"",
            ]
            let source = scalars(other).strings
            file.replaceSubrange(
                target,
                with: random.once(in: 4) ? Array(random.pick(patterns).utf8) : Array(other[random.pick(source)]))
        }
        if random.once(in: 4) { random.damage(&file) }
        return file
    }

    private static let texts = [
        "", " the word's 123 é中\u{1F600}\r\n\t  <x>  <s> ", String(repeating: "ab ", count: 40),
        "\u{FDFA}\u{0301}e\u{301}\0", "<0x41><|endoftext|>",
    ]

    static func check(_ bytes: [UInt8]) -> FuzzCampaign.Outcome {
        let tokenizer: TokenizerPipeline
        do throws(TokenizerFileError) { tokenizer = try TokenizerPipeline(reading: bytes) } catch {
            require(!error.problem.isEmpty && !error.remedy.isEmpty, "an error without words")
            return error.problem.hasPrefix("byte ") ? .refusedOuter : .refusedInner
        }
        for text in texts {
            // A pattern may take too long, and a character may have no token.
            guard let ids = try? tokenizer.encode(Array(text.utf8)) else { continue }
            require(
                ids.allSatisfy { tokenizer.has($0) && (0..<tokenizer.size).contains(Int($0)) },
                "ids that are no tokens: \(ids)")
            _ = try? tokenizer.decode(ids)
            var previous: Int32?
            for id in ids {
                _ = tokenizer.bytes(of: id, after: previous)
                previous = id
            }
        }
        return .read
    }
}
