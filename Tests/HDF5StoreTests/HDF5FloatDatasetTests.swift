// HDF5FloatDatasetTests - fp32 ranges, their representation on disk and their checksums.

import HDF5Store
import Tensors
import Testing
import TestSupport

struct HDF5FloatDatasetTests {
    /// Floats in one chunk: 1 MiB.
    static let chunk = 1 << 18

    let files: TemporaryFiles

    init() throws { files = try TemporaryFiles() }

    /// Distinct, exactly representable values.
    func ramp(_ count: Int, from start: Int = 0) -> FloatSlice {
        FloatSlice((0..<count).map { Float(start + $0) })
    }

    @Test(arguments: [0, 1, 2, 1000, chunk - 1, chunk, chunk + 1, 3 * chunk + 5])
    func `floats come back with their count`(count: Int) throws {
        let path = files.path("floats.h5")
        let values = ramp(count)
        let file = try HDF5File.create(path)
        let dataset = try file.createFloats("floats", count: count)
        try dataset.write(values, to: 0..<count)
        try dataset.close()
        try file.close()

        let read = try HDF5File.open(path)
        let stored = try read.openFloats("floats")
        #expect(stored.count == count)
        let target = Arena(count: count).all
        try stored.read(0..<count, into: target)
        #expect(target.array == values.array)
        try stored.close()
        try read.close()
    }

    @Test func `ranges are written and read wherever they lie`() throws {
        let path = files.path("ranges.h5")
        let count = 2 * Self.chunk + 77
        // Unaligned pieces, written out of order; the second crosses a chunk's end.
        let pieces = [Self.chunk + 9..<count, 0..<5, 5..<Self.chunk + 9]
        let file = try HDF5File.create(path)
        let dataset = try file.createFloats("floats", count: count)
        let values = ramp(count)
        for piece in pieces { try dataset.write(values[piece], to: piece) }
        try dataset.close()
        try file.close()

        let read = try HDF5File.open(path)
        let stored = try read.openFloats("floats")
        var random = SeededGenerator(seed: 3)
        for _ in 0..<40 {
            let start = Int.random(in: 0..<count, using: &random)
            let length = min(count - start, Int.random(in: 0..<3000, using: &random))
            // A margin on both sides shows writes outside the slice.
            let target = Arena(count: length + 2).all
            target.fill(-1)
            try stored.read(start..<start + length, into: target[1..<length + 1])
            #expect(target.array == [-1] + (0..<length).map { Float(start + $0) } + [-1])
        }
    }

    @Test func `bits are kept`() throws {
        let path = files.path("bits.h5")
        let patterns: [UInt32] = [
            0x7FC0_1234, 0xFFC0_0001, 0x8000_0000, 0x0000_0001, 0x7F80_0000, 0xFF7F_FFFF, 0x3F80_0001,
        ]
        let values = FloatSlice(patterns.map { Float(bitPattern: $0) })
        let file = try HDF5File.create(path)
        let dataset = try file.createFloats("floats", count: patterns.count)
        try dataset.write(values, to: 0..<patterns.count)
        try dataset.close()
        try file.close()
        let target = Arena(count: patterns.count).all
        try HDF5File.open(path).openFloats("floats").read(0..<patterns.count, into: target)
        #expect(target.array.map(\.bitPattern) == patterns)

        // Little-endian on disk, whatever the machine.
        let expected = patterns.flatMap { pattern in
            (0..<4).map { UInt8(truncatingIfNeeded: pattern >> (8 * $0)) }
        }
        #expect(try files.bytes(of: path).firstRange(of: expected) != nil)
    }

    @Test func `a flipped bit in the data is noticed on reading`() throws {
        let path = files.path("flipped.h5")
        let count = 2 * Self.chunk
        let file = try HDF5File.create(path)
        let dataset = try file.createFloats("floats", count: count)
        try dataset.write(ramp(count, from: 1), to: 0..<count)
        try dataset.close()
        try file.close()

        // The second chunk starts with this value, at one place in the file.
        var bytes = try files.bytes(of: path)
        let pattern = Float(Self.chunk + 1).bitPattern
        let marker = (0..<4).map { UInt8(truncatingIfNeeded: pattern >> (8 * $0)) }
        let place = try #require(bytes.firstRange(of: marker))
        bytes[place.lowerBound] ^= 0x10
        try files.overwrite(path, with: bytes)

        let read = try HDF5File.open(path)
        let stored = try read.openFloats("floats")
        let target = Arena(count: 10).all
        // The other chunk is intact: a negative control.
        try stored.read(0..<10, into: target)
        #expect(target.array == (1...10).map { Float($0) })
        let error = #expect(throws: HDF5Error.self) {
            // Not the flipped element itself: the checksum is the chunk's.
            try stored.read(Self.chunk + 100..<Self.chunk + 110, into: target)
        }
        #expect(error?.function == "H5Dread")
        #expect(error?.systemError == nil)
    }

    @Test func `several threads may use several files`() async throws {
        let files = files
        try await withThrowingTaskGroup(of: [Float].self) { group in
            for number in 0..<8 {
                group.addTask {
                    let path = files.path("thread-\(number).h5")
                    let file = try HDF5File.create(path)
                    let dataset = try file.createFloats("floats", count: 1000)
                    try dataset.write(FloatSlice([Float](repeating: Float(number), count: 1000)), to: 0..<1000)
                    try dataset.close()
                    try file.close()
                    let target = Arena(count: 1000).all
                    try HDF5File.open(path).openFloats("floats").read(0..<1000, into: target)
                    return target.array
                }
            }
            var seen: Set<Float> = []
            for try await values in group {
                #expect(Set(values).count == 1)
                seen.formUnion(values)
            }
            #expect(seen == Set((0..<8).map { Float($0) }))
        }
    }
}
