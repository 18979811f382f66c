// Int64SliceTests - integers over an arena: bounds, offsets, no overlap with neighbours.

import Tensors
import Testing

struct Int64SliceTests {
    @Test func holdsWhatWasWritten() {
        let slice = Int64Slice(count: 5)
        #expect(slice.array == [0, 0, 0, 0, 0])
        slice.copy(from: [1, -2, .max, .min, 5])
        #expect(slice.array == [1, -2, .max, .min, 5])
        #expect(slice[1..<4].array == [-2, .max, .min])
        #expect(slice[2..<5][1..<3].array == [.min, 5])
        slice[1..<2].copy(from: [7])
        #expect(slice.array == [1, 7, .max, .min, 5])
        #expect(slice[5..<5].array == [])
    }

    @Test func twoFloatsHoldAnInteger() {
        let arena = Arena(count: 9)
        let slice = Int64Slice(arena: arena, offset: 1, count: 3)
        slice.copy(from: [-1, -1, -1])
        // The integers have all bits set, so floats 2 to 7 are NaN and their neighbours are untouched.
        #expect(arena.all.array.map(\.isNaN) == [false, false, true, true, true, true, true, true, false])
    }
}
