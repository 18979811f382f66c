// BFloat16Tests - rounding to bfloat16 and back.

import Testing

@testable import Tensors

struct BFloat16Tests {
    /// Rounding to nearest, ties to even, in integer arithmetic: the lower half of the bits decides.
    private func expected(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let (upper, lower) = (UInt16(bits >> 16), bits & 0xFFFF)
        if lower > 0x8000 || (lower == 0x8000 && upper & 1 == 1) { return upper + 1 }
        return upper
    }

    @Test func roundsToTheNearestTiesToEven() {
        let uppers: [UInt32] = [0x0000, 0x0001, 0x007F, 0x3F80, 0x3F81, 0x3FFF, 0x7F7E, 0x7F7F, 0x8000, 0xBF80, 0xFF7F]
        let lowers: [UInt32] = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
        let values = uppers.flatMap { upper in lowers.map { Float(bitPattern: upper << 16 | $0) } }
        let slice = BFloat16Slice(count: values.count)
        for (index, value) in values.enumerated() { slice.view[index] = value }
        for (index, value) in values.enumerated() {
            #expect(slice.array[index].bitPattern == UInt32(expected(value)) << 16, "\(value.bitPattern)")
        }
        // Whole vectors and padded ones round alike.
        let lanes = BFloat16Slice(count: values.count)
        let floats = FloatSlice(values)
        var index = 0
        while index + laneCount <= values.count {
            lanes.view.store(floats.view.lanes(at: index), at: index)
            index += laneCount
        }
        lanes.view.advanced(by: index, count: values.count - index)
            .storePartial(
                floats.view.advanced(by: index, count: values.count - index).partialLanes(at: 0, padding: 0), at: 0)
        #expect(lanes.array.map(\.bitPattern) == slice.array.map(\.bitPattern))
        #expect(lanes.view.lanes(at: 0)[3] == slice.array[3])
    }

    @Test func infinitiesStayAndNaNsStayNaN() {
        let values: [Float] = [
            .infinity, -.infinity, .nan, Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0xFFFF_FFFF),
            Float(bitPattern: 0x7FFF_FFFF),
        ]
        let slice = BFloat16Slice(count: values.count)
        for (index, value) in values.enumerated() { slice.view[index] = value }
        #expect(slice.array[0] == .infinity && slice.array[1] == -.infinity)
        for index in 2..<6 { #expect(slice.array[index].isNaN) }
        // IEEE rounding turns numbers above the largest bfloat16 into infinity.
        slice.view[0] = .greatestFiniteMagnitude
        #expect(slice.array[0] == .infinity)
    }

    @Test func slicesShareMemoryInElements() {
        let arena = Arena(count: 4)
        let whole = BFloat16Slice(over: arena.all, count: 7)
        whole[3..<6].view[1] = 2.5
        #expect(whole.array == [0, 0, 0, 0, 2.5, 0, 0])
        #expect(BFloat16Slice.floatCount(7) == 4 && BFloat16Slice.floatCount(8) == 4)
    }
}
