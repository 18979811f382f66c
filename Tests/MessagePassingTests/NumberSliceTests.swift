// NumberSliceTests - where the numbers of a slice lie, and which slices share some.

import Tensors
import Testing

@testable import MessagePassing

@Suite struct NumberSliceTests {
    /// Bytes from the start of the arena to the slice's first element.
    private func byteOffset<Numbers: NumberSlice>(_ slice: Numbers) -> Int {
        unsafe slice.address - slice.arena.all.address
    }

    @Test func addressesAreThoseOfTheFirstElement() {
        let arena = Arena(count: 24)
        let floats = FloatSlice(arena: arena, offset: 3, count: 7)
        let integers = Int64Slice(arena: arena, offset: 3, count: 7)
        let halves = BFloat16Slice(arena: arena, offset: 3, count: 7)
        #expect(unsafe floats.address == UnsafeMutableRawPointer(floats.view.pointer))
        #expect(unsafe integers.address == UnsafeMutableRawPointer(integers.view.pointer))
        #expect(unsafe halves.address == UnsafeMutableRawPointer(halves.view.pointer))
        #expect([byteOffset(floats), byteOffset(integers), byteOffset(halves)] == [12, 24, 6])
        #expect(
            [byteOffset(floats[2..<5]), byteOffset(integers[2..<5]), byteOffset(halves[2..<5])] == [20, 40, 10])
    }

    @Test func elementsAreThoseOfMessages() {
        #expect([FloatSlice.element, Int64Slice.element, BFloat16Slice.element].map(\.stride) == [4, 8, 2])
        #expect([FloatSlice.summand, Int64Slice.summand] == [.float, .int64])
    }

    @Test func neighboursDoNotOverlap() {
        let slice = Int64Slice(count: 10)
        #expect(slice[2..<5].overlaps(slice[4..<6]))
        #expect(slice[4..<6].overlaps(slice[2..<5]))
        #expect(!slice[2..<5].overlaps(slice[5..<8]))
        #expect(!slice[2..<5].overlaps(slice[0..<2]))
        #expect(!slice[2..<5].overlaps(slice[3..<3]))
        #expect(!slice[2..<5].overlaps(Int64Slice(count: 10)[2..<5]))
    }
}
