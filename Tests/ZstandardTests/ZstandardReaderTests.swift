// ZstandardReaderTests - frames made by the `zstd` command, whole and damaged.

import Foundation
import Testing

@testable import Zstandard

/// "first line\nsecond ", with a checksum.
private let firstFrame = bytes("KLUv/SQSkQAAZmlyc3QgbGluZQpzZWNvbmQgW8stMQ==")
/// "line\nthird\n", without a checksum.
private let secondFrame = bytes("KLUv/SALWQAAbGluZQp0aGlyZAo=")
/// A million zeros in blocks of 128 KiB, with a checksum.
private let zeros = bytes("KLUv/QRYVAAAEAAAAQD7/znAAgIAEAACABAAAgAQAAIAEAACABAAAgAQAAMSCgDMrso5")
/// A million zeros compressed with `--long=28`: a window of 256 MiB.
private let wideZeros = bytes("KLUv/QSQZAAAEAAAAgDp/zdz4AEsAgAQAAIAEAACABAAAgAQAAIAEAACABAAAxIKAMyuyjk=")
/// A frame that readers pass over: magic number, size 3, three bytes.
private let skippable: [UInt8] = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 7, 8, 9]

private func bytes(_ base64: String) -> [UInt8] { Data(base64Encoded: base64).map { Array($0) } ?? [] }

/// Everything that the reader gives for a file with `content`.
private func decompress(_ content: [UInt8], chunkSize: Int = 1 << 17, inputSize: Int = 1 << 17) throws -> [UInt8] {
    let url = FileManager.default.temporaryDirectory.appending(component: "mile-\(UUID().uuidString).zst")
    try Data(content).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    let reader = try ZstandardReader(path: url.path, chunkSize: chunkSize, inputSize: inputSize)
    var result: [UInt8] = []
    // One expectation for all: there may be a million chunks.
    var wrongChunks = 0
    while let chunk = try reader.next() {
        if chunk.isEmpty || chunk.count > chunkSize { wrongChunks += 1 }
        result += chunk
    }
    #expect(wrongChunks == 0)
    #expect(reader.offset == content.count)
    return result
}

/// The error that reading `content` ends with.
private func failure(_ content: [UInt8], inputSize: Int = 1 << 17) -> ZstandardError? {
    #expect(throws: ZstandardError.self) { try decompress(content, inputSize: inputSize) }
}

@Suite struct ZstandardReaderTests {
    private let text = Array("first line\nsecond line\nthird\n".utf8)

    @Test(arguments: [(1 << 17, 1 << 17), (1, 1), (3, 7), (7, 3), (1 << 17, 1)])
    func readsSeveralFramesAsOneText(chunkSize: Int, inputSize: Int) throws {
        let content = skippable + firstFrame + skippable + secondFrame + skippable
        #expect(try decompress(content, chunkSize: chunkSize, inputSize: inputSize) == text)
    }

    @Test(arguments: [1, 1000, 1 << 17, 1 << 21])
    func readsManyBlocks(chunkSize: Int) throws {
        let result = try decompress(zeros, chunkSize: chunkSize)
        #expect(result.count == 1_000_000 && result.allSatisfy { $0 == 0 })
    }

    @Test func anEmptyFileIsTruncated() throws {
        let error = try #require(failure([]))
        #expect(error.reason == .truncated && error.offset == 0)
    }

    /// Every proper prefix of two frames is an error, but for the one that ends exactly between them.
    @Test(arguments: [1, 1 << 17])
    func everyTruncationIsFound(inputSize: Int) throws {
        let content = firstFrame + secondFrame
        for count in 1..<content.count where count != firstFrame.count {
            let error = try #require(failure(Array(content.prefix(count)), inputSize: inputSize))
            #expect(error.reason == .truncated, "cut to \(count) bytes")
            #expect(error.offset == count)
            #expect(error.description.contains("byte \(count)"))
        }
        #expect(try decompress(Array(content.prefix(firstFrame.count)), inputSize: inputSize).count == 18)
    }

    /// A frame with a checksum: no flipped bit in it gives the right text silently, and most give an error.
    @Test func aFlippedBitIsFound() throws {
        for index in 0..<firstFrame.count {
            for bit in 0..<8 {
                var content = firstFrame
                content[index] ^= 1 << UInt8(bit)
                // A flipped bit may make the frame a skippable one or another size, but never other text.
                guard let result = try? decompress(content) else { continue }
                let isHarmless = result == Array(text.prefix(18))
                #expect(isHarmless, "bit \(bit) of byte \(index) changed the text")
            }
        }
        var content = firstFrame
        content[firstFrame.count - 1] ^= 1
        let error = try #require(failure(content))
        #expect(error.reason == .corrupt && error.detail.contains("checksum"))
    }

    @Test func bytesAfterTheLastFrameAreAnError() throws {
        let error = try #require(failure(firstFrame + Array("garbage".utf8)))
        #expect(error.reason == .corrupt)
        #expect(error.offset >= firstFrame.count && error.offset <= firstFrame.count + 7)
    }

    @Test func plainTextIsNoFrame() throws {
        let error = try #require(failure(text))
        #expect(error.reason == .corrupt && error.offset <= 5)
    }

    @Test func aWindowBeyondTheBoundIsRefused() throws {
        let error = try #require(failure(wideZeros))
        #expect(error.reason == .windowTooLarge)
        #expect(error.description.contains("128 MiB"))
    }

    @Test func aMissingFileIsNamed() throws {
        let error = try #require(#expect(throws: ZstandardError.self) { try ZstandardReader(path: "missing.zst") })
        #expect(error.reason == .unreadable(errno: ENOENT))
        #expect(error.description.hasPrefix("missing.zst: cannot be read"))
    }

    @Test func aDirectoryCannotBeRead() throws {
        let reader = try ZstandardReader(path: ".")
        let error = try #require(#expect(throws: ZstandardError.self) { try reader.next() })
        #expect(error.reason == .unreadable(errno: EISDIR))
    }
}
