// NonFiniteTensorsTests - NaN and infinite numbers are counted by tensor.

import Tensors
import Testing

@Suite struct NonFiniteTensorsTests {
    @Test func elementsAreCounted() {
        let values: [Float] = [
            0, -0.0, 1, .greatestFiniteMagnitude, -.leastNonzeroMagnitude, .infinity, -.infinity, .nan, .signalingNaN,
        ]
        #expect(FloatSlice(values).nonFiniteCount == 4)
        #expect(FloatSlice(Array(values[..<5])).nonFiniteCount == 0 && FloatSlice([Float]()).nonFiniteCount == 0)
        // The slice is longer than any vector, and each index in turn holds the one bad number.
        for place in 0..<37 {
            var many = [Float](repeating: 1, count: 37)
            many[place] = .nan
            #expect(FloatSlice(many).nonFiniteCount == 1)
        }
    }

    @Test func tensorsAreNamed() {
        let table = TensorTable([("a", [2]), ("b.c", [2, 2]), ("d", [1])])
        let whole = NonFiniteTensors(table, in: FloatSlice([Float](repeating: 1, count: 7)))
        #expect(whole.isEmpty && whole.tensorCount == 3)
        let one = NonFiniteTensors(table, in: FloatSlice([1, 2, .nan, 4, .infinity, 6, 7]))
        #expect("\(one)" == "1 of 3 tensors holds NaN or infinite numbers: b.c (2 of 4)")
        let two = NonFiniteTensors(table, in: FloatSlice([1, -.infinity, 3, 4, 5, 6, .nan]))
        #expect("\(two)" == "2 of 3 tensors hold NaN or infinite numbers: a (1 of 2), d (1 of 1)")
        let many = NonFiniteTensors((0..<20).map { .init(name: "t\($0)", count: 1, elementCount: 1) }, of: 20)
        #expect("\(many)".hasSuffix("t15 (1 of 1) and 4 more"))
    }
}
