// TensorOverlapTests - the tensors that a run of the flat space touches.

@testable import Sharding
import Tensors
import Testing

@Suite struct TensorOverlapTests {
    /// a: 0 ..< 6, b: 6 ..< 10, c: 10 ..< 11.
    private let table = TensorTable([("a", [2, 3]), ("b", [4]), ("c", [1])])

    @Test(arguments: [
        (0..<11, ["a", "b", "c"]), (0..<1, ["a"]), (5..<6, ["a"]), (5..<7, ["a", "b"]), (6..<10, ["b"]),
        (9..<11, ["b", "c"]), (10..<11, ["c"]), (0..<6, ["a"]),
    ])
    func touchedTensorsInOrder(_ range: Range<Int>, _ names: [String]) {
        #expect(table.entries(overlapping: range).map(\.name) == names)
    }

    @Test func anEmptyRunTouchesNothing() {
        for position in 0...11 { #expect(table.entries(overlapping: position..<position).isEmpty) }
    }
}
