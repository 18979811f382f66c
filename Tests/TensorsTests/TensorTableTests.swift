// TensorTableTests - the layout of a list of names and shapes.

import Tensors
import Testing

struct TensorTableTests {
    @Test func laysTensorsOutInOrder() {
        let table = TensorTable([("b", [2, 3]), ("a", [4]), ("c", [1, 2, 5])])
        #expect(table.entries.map(\.name) == ["b", "a", "c"])
        #expect(table.entries.map(\.range) == [0..<6, 6..<10, 10..<20])
        #expect(table.entries.map(\.count) == [6, 4, 10])
        #expect(table.count == 20)
        #expect(table["a"]?.shape == [4] && table["a"]?.range == 6..<10)
        #expect(table["d"] == nil)
        #expect(TensorTable([] as [(name: String, shape: [Int])]).count == 0)
    }

    @Test func equalityMeansNamesShapesAndOrder() {
        let table = TensorTable([("a", [2]), ("b", [3])])
        #expect(table == TensorTable([("a", [2]), ("b", [3])]))
        #expect(table != TensorTable([("b", [3]), ("a", [2])]))
        #expect(table != TensorTable([("a", [1, 2]), ("b", [3])]))
    }

    @Test func programErrorsTrap() async {
        await #expect(processExitsWith: .failure) { _ = TensorTable([("a", [2]), ("a", [3])]) }
        await #expect(processExitsWith: .failure) { _ = TensorTable([("a", [])]) }
        await #expect(processExitsWith: .failure) { _ = TensorTable([("a", [2, 0])]) }
    }

    /// Weight decay and storage of every kind. A bias is neither a gain nor a matrix.
    @Test func kindsDecideDecayAndStorage() {
        let table = TensorTable([
            ("e", [3, 2], .embedding), ("w", [2, 2], .matrix), ("g", [2], .gain), ("b", [2], .bias),
        ])
        #expect(table.entries.map(\.kind.decays) == [true, true, false, false])
        #expect(table.entries.map(\.kind.staysFP32) == [false, false, true, true])
        #expect(TensorTable([("a", [2])]).entries[0].kind == .matrix)
    }
}
