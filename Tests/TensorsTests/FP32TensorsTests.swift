// FP32TensorsTests - the tensors that a bf16 replica keeps in fp32, alone and several at a time.

import Testing

@testable import Tensors

struct FP32TensorsTests {
    private static let ranges = [2..<5, 5..<6, 6..<9, 12..<14]

    /// The element at flat index i is i.
    private func tensors() -> FP32Tensors {
        let tensors = FP32Tensors(ranges: Self.ranges)
        for (flat, values) in tensors.parts { for i in flat { values[i - flat.lowerBound] = Float(i) } }
        return tensors
    }

    @Test func neighboursAreOneSlice() {
        let tensors = tensors()
        for range in Self.ranges + [2..<6, 2..<9, 5..<9] {
            #expect(tensors.tensor(at: range).array == range.map(Float.init), "\(range)")
        }
    }

    /// A part of a tensor, a gap, and ranges that begin or end elsewhere.
    @Test(arguments: [2..<4, 3..<5, 2..<7, 0..<2, 6..<14, 9..<12, 12..<15])
    func otherRangesTrap(range: Range<Int>) async {
        await #expect(processExitsWith: .failure) { [range = range as Range<Int>] in
            _ = FP32Tensors(ranges: [2..<5, 5..<6, 6..<9, 12..<14]).tensor(at: range)
        }
    }
}
