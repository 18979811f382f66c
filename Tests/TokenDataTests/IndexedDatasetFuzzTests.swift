// IndexedDatasetFuzzTests - mutated .idx files: always an error or a correct read.

import Foundation
import TestSupport
import Testing
import InputFiles

@testable import TokenData

/// Reports and ends the process when `condition` does not hold: in an exit test that is the failure.
private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if condition { return }
    Issue.record(Comment(rawValue: message()))
    exit(1)
}

@Suite struct IndexedDatasetFuzzTests {
    /// Runs in a process of its own, whose address space is large enough for the files and not for the sizes that they
    /// claim.
    @Test func index() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            limitAddressSpace(toCurrentAnd: 256 << 20)
            var campaign = FuzzCampaign(".idx", budget: 5000)
            // Files lie in memory if possible: each input writes two.
            let memory = "/dev/shm"
            let files = FileManager.default
            let base = files.isWritableFile(atPath: memory) ? memory : files.temporaryDirectory.path
            let directory = "\(base)/mile-\(UUID().uuidString)"
            try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? files.removeItem(atPath: directory) }
            for _ in 0..<campaign.inputs {
                let (index, tokens) = IndexMutation.next(&campaign.random)
                campaign.record(try IndexMutation.check(index, tokens, prefix: directory + "/p"))
            }
            require(campaign.share >= 0.3, "too few inputs pass the outer header: \(campaign.summary)")
            FileHandle.standardError.write(Data((campaign.summary + "\n").utf8))
        }
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }
}

private enum IndexMutation {
    private static let sizes: [UInt8: Int] = [1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 8: 2]

    private static func little(_ value: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    /// A well-formed pair with some fields changed, and sometimes bytes damaged.
    static func next(_ random: inout SeededGenerator) -> (index: [UInt8], tokens: [UInt8]) {
        let code = random.pick([1, 2, 3, 4, 5, 8] as [UInt8])
        let size = sizes[code] ?? 1
        var lengths = (0..<random.index(below: 8)).map { _ in UInt64(random.index(below: 12)) }
        let total = Int(lengths.reduce(0, +))
        var next: UInt64 = 0
        var offsets = lengths.map { length in
            defer { next += length * UInt64(size) }
            return next
        }
        var boundaries = [0] + (0..<random.index(below: 4)).map { _ in UInt64(random.index(below: lengths.count + 1)) }
        boundaries.sort()
        if random.once(in: 2), !lengths.isEmpty {
            let index = random.index(below: lengths.count)
            switch random.index(below: 3) {
            case 0: lengths[index] = random.hostileInteger()
            case 1: offsets[index] = random.hostileInteger()
            default: boundaries[random.index(below: boundaries.count)] = random.hostileInteger()
            }
        }
        let sequences = random.once(in: 6) ? random.hostileInteger() : UInt64(lengths.count)
        let documents = random.once(in: 6) ? random.hostileInteger() : UInt64(boundaries.count)
        var index = Array("MMIDIDX".utf8) + [0, 0]
        index += little(random.once(in: 20) ? random.hostileInteger() : 1, 8)
        index += [random.once(in: 20) ? UInt8(truncatingIfNeeded: random.next()) : code]
        index += little(sequences, 8) + little(documents, 8)
        index += lengths.flatMap { little($0, 4) } + offsets.flatMap { little($0, 8) }
        index += boundaries.flatMap { little($0, 8) }
        if random.once(in: 10) { index += [UInt8](repeating: 0, count: lengths.count) }
        if random.once(in: 4) { random.damage(&index) }
        let byteCount = random.once(in: 10) ? random.index(below: 100) : total * size
        return (index, (0..<byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    /// Whether the header is valid and its counts fit: a second implementation of the format.
    private static func passesOuterHeader(_ index: [UInt8]) -> Bool {
        guard index.count >= 34, index.starts(with: Array("MMIDIDX".utf8) + [0, 0]), number(index, 9, 8) == 1,
            sizes[index[17]] != nil
        else { return false }
        let (sequences, boundaries) = (number(index, 18, 8), number(index, 26, 8))
        guard sequences < 1 << 32, boundaries < 1 << 32 else { return false }
        let rest = UInt64(index.count - 34)
        return [12 * sequences + 8 * boundaries, 13 * sequences + 8 * boundaries].contains(rest)
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
        bytes[offset..<offset + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The positions inside 1 ..< `count` at which documents begin, boundary by boundary.
    private static func documentStarts(_ index: [UInt8], size: Int, count: Int) -> [Int] {
        let (sequences, boundaries) = (Int(number(index, 18, 8)), Int(number(index, 26, 8)))
        let offsets = 34 + 4 * sequences
        let starts = (0..<boundaries).compactMap { boundary -> Int? in
            let sequence = Int(number(index, offsets + 8 * sequences + 8 * boundary, 8))
            return sequence < sequences ? Int(number(index, offsets + 8 * sequence, 8)) / size : nil
        }
        return Set(starts.filter { $0 > 0 && $0 < count }).sorted()
    }

    static func check(_ index: [UInt8], _ tokens: [UInt8], prefix: String) throws -> FuzzCampaign.Outcome {
        try Data(index).write(to: URL(filePath: prefix + ".idx"))
        try Data(tokens).write(to: URL(filePath: prefix + ".bin"))
        let passes = passesOuterHeader(index)
        let dataset: IndexedDataset
        do {
            dataset = try IndexedDataset(prefix: prefix, findsDocuments: true)
        } catch is DataError {
            return passes ? .refusedInner : .refusedOuter
        }
        require(passes, "an index was read whose header is wrong: \(index)")
        let code = index[17]
        guard let size = sizes[code] else { return .refusedOuter }
        require(dataset.count * size == tokens.count, "the tokens are miscounted: \(index)")
        let expected = (0..<dataset.count).map { index in
            let bits = number(tokens, index * size, size)
            return switch code {
            case 2: Int32(Int8(truncatingIfNeeded: bits))
            case 3: Int32(Int16(truncatingIfNeeded: bits))
            case 4: Int32(truncatingIfNeeded: bits)
            case 5: Int32(clamping: Int64(bitPattern: bits))
            default: Int32(bits)
            }
        }
        let read = try dataset.tokens(in: 0..<dataset.count)
        require(read == expected, "the tokens are read wrongly: \(index)")
        let starts = try dataset.documentStarts(in: 1..<dataset.count)
        require(starts == documentStarts(index, size: size, count: dataset.count), "wrong documents: \(index)")
        return .read
    }
}
