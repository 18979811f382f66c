// FloatViewTests - whole and partial vectors through unowned views.

import Tensors
import Testing

struct FloatViewTests {
    private func counting(_ count: Int) -> FloatSlice { FloatSlice((0..<count).map { Float($0 + 1) }) }

    @Test func vectorsAtAnyOffset() {
        let slice = counting(20)
        #expect((0..<laneCount).allSatisfy { slice.view.lanes(at: 3)[$0] == Float($0 + 4) })
        slice.view.store(Lanes(repeating: -1), at: 1)
        #expect(slice.array == [1] + [Float](repeating: -1, count: 16) + [18, 19, 20])
    }

    @Test(arguments: [1, 7, 15, 16])
    func partialVectorsTouchOnlyWhatIsThere(rest: Int) {
        let slice = counting(40)
        let view = slice.view.advanced(by: 4, count: 5 + rest)
        let value = view.partialLanes(at: 5, padding: -2)
        #expect((0..<laneCount).allSatisfy { value[$0] == ($0 < rest ? Float($0 + 10) : -2) })
        view.storePartial(Lanes(repeating: 0), at: 5)
        let expected = (0..<40).map { $0 >= 9 && $0 < 9 + rest ? 0 : Float($0 + 1) }
        #expect(slice.array == expected)
    }

    @Test func elementsFillAndCopy() {
        let slice = counting(6)
        let view = slice.view.advanced(by: 2, count: 3)
        #expect(view.count == 3 && view[0] == 3)
        view[2] = 9
        #expect(slice.array == [1, 2, 3, 4, 9, 6])
        view.fill(0)
        #expect(slice.array == [1, 2, 0, 0, 0, 6])
        let source = counting(3)
        view.copy(from: source.view)
        #expect(slice.array == [1, 2, 1, 2, 3, 6])
    }

    /// Every length up to two blocks, from every offset within a block. Why: other code copies beginning and end.
    @Test func streamingCopies() {
        let source = counting(80)
        for offset in 0..<9 {
            for count in 0...64 {
                let target = FloatSlice([Float](repeating: -1, count: 80))
                target.view.advanced(by: offset, count: count)
                    .copyStreaming(from: source.view.advanced(by: 3, count: count))
                let expected = (0..<80).map {
                    $0 >= offset && $0 < offset + count ? Float($0 - offset + 4) : -1
                }
                #expect(target.array == expected, "\(count) at \(offset)")
            }
        }
    }
}
