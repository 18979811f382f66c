// CheckpointDamage - what can happen to the files of a checkpoint, kind by kind.

import TestSupport

/// A kind of damage to a checkpoint of two shards.
struct CheckpointDamage: CustomStringConvertible {
    /// Contents by file name.
    typealias Files = [String: [UInt8]]

    /// Where bytes are altered.
    enum Region: String, CaseIterable {
        case first, middle, last, anywhere
        /// HDF5's own: the superblock; headers, trees and heaps; what lies between them.
        case superblock, metadata, data

        static let ofText: [Region] = [.first, .middle, .last, .anywhere]
    }

    enum Alteration: String, CaseIterable {
        case bit, byte, zeros
    }

    enum Act {
        case alter(Region, Alteration)
        case empty, halve, shorten, lengthen, remove
        /// The file of the same name from another checkpoint.
        case takeOtherStep
        case takeOtherShard, tradeShards
        /// Index and `COMPLETE` of another checkpoint, which fit each other.
        case takeOtherIndex
    }

    static let index = "checkpoint.h5"
    static let completion = "COMPLETE"
    static let shards = ["shard-00000-of-00002.h5", "shard-00001-of-00002.h5"]
    static let names = [index, completion] + shards

    /// Every kind, file by file.
    static let all: [Self] = {
        var all: [Self] = []
        for file in names {
            let isShard = shards.contains(file)
            let regions = file == completion ? Region.ofText : Region.allCases
            var acts = regions.flatMap { region in Alteration.allCases.map { Act.alter(region, $0) } }
            acts += [.empty, .halve, .shorten, .lengthen, .remove, .takeOtherStep]
            if isShard { acts += [.takeOtherShard, .tradeShards] }
            if file == index { acts.append(.takeOtherIndex) }
            all += acts.map { Self(file: file, act: $0) }
        }
        return all
    }()

    let file: String
    let act: Act

    /// The kind of case `number`: neighbours are far apart in the list, and as many in a row as it is long are all.
    static func kind(ofCase number: UInt64) -> Self {
        let count = UInt64(all.count)
        // Near the golden section of the list, and without a common divisor with its length.
        var stride = count * 618 / 1000
        func divisor(_ a: UInt64, _ b: UInt64) -> UInt64 { b == 0 ? a : divisor(b, a % b) }
        while divisor(stride, count) != 1 { stride += 1 }
        return all[Int(number % count * stride % count)]
    }

    var description: String {
        guard case .alter(let region, let alteration) = act else { return "\(file): \(act)" }
        return "\(file): \(alteration.rawValue), \(region.rawValue)"
    }

    /// The files of which a message must name one.
    var suspects: [String] {
        switch act {
        case .takeOtherIndex, .tradeShards: Self.shards
        default: [file]
        }
    }

    /// The files after the damage, of which at least one differs.
    ///
    /// - Parameters:
    ///   - files: of the checkpoint.
    ///   - other: of another checkpoint of the same run.
    func applied(to files: Files, other: Files, random: inout SeededGenerator) -> Files {
        var damaged = files
        var bytes = files[file] ?? []
        switch act {
        case .alter(let region, let alteration):
            alter(&bytes, at: offset(of: region, in: bytes, &random), alteration, &random)
        case .empty: bytes = []
        case .halve: bytes.removeLast(bytes.count - bytes.count / 2)
        case .shorten: bytes.removeLast()
        case .lengthen: bytes += (0...random.index(below: 4096)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        case .takeOtherStep, .takeOtherIndex: bytes = other[file] ?? []
        case .takeOtherShard, .tradeShards: bytes = files[otherShard] ?? []
        case .remove: break
        }
        damaged[file] = bytes
        switch act {
        case .remove: damaged[file] = nil
        case .takeOtherIndex: damaged[Self.completion] = other[Self.completion]
        case .tradeShards: damaged[otherShard] = files[file]
        default: break
        }
        return damaged
    }

    private var otherShard: String { Self.shards[file == Self.shards[0] ? 1 : 0] }

    private func offset(of region: Region, in bytes: [UInt8], _ random: inout SeededGenerator) -> Int {
        let count = bytes.count
        switch region {
        case .first: return 0
        case .middle: return count / 2
        case .last: return count - 1
        case .anywhere: return random.index(below: count)
        case .superblock: return random.index(below: 96)
        // Old-style object headers have no mark of their own, but follow such as have one.
        case .metadata: return min(count - 1, random.pick(Self.marks(in: bytes)) + random.index(below: 1024))
        case .data: return count / 8 + random.index(below: count * 3 / 4)
        }
    }

    private func alter(
        _ bytes: inout [UInt8], at offset: Int, _ alteration: Alteration, _ random: inout SeededGenerator
    ) {
        switch alteration {
        case .bit: bytes[offset] ^= 1 << UInt8(random.index(below: 8))
        case .byte: bytes[offset] ^= UInt8(1 + random.index(below: 255))
        case .zeros:
            let range = offset..<min(bytes.count, offset + 1 + random.index(below: 4096))
            if bytes[range].allSatisfy({ $0 == 0 }) { return alter(&bytes, at: offset, .bit, &random) }
            for place in range { bytes[place] = 0 }
        }
    }

    /// Where trees, nodes and heaps of HDF5 begin.
    private static func marks(in bytes: [UInt8]) -> [Int] {
        let signatures = ["TREE", "SNOD", "HEAP"].map { Array($0.utf8) }
        return bytes.indices.dropLast(3).filter { place in
            // The first byte alone rules out nearly all places.
            signatures.contains { $0[0] == bytes[place] && bytes[place..<(place + 4)].elementsEqual($0) }
        }
    }
}
