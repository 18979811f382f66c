// NonFiniteTensors - the tensors of a model that hold NaN or infinite numbers, with counts.

extension FloatSlice {
    /// Number of elements that are NaN or infinite.
    public var nonFiniteCount: Int {
        let source = view
        var found = 0
        // A number is NaN or infinite exactly when all bits of its exponent are set.
        for index in 0..<count { found &+= source[index].bitPattern & 0x7F80_0000 == 0x7F80_0000 ? 1 : 0 }
        withExtendedLifetime(self) {}
        return found
    }
}

/// The tensors of a model that hold NaN or infinite numbers.
public struct NonFiniteTensors: Sendable, Equatable, CustomStringConvertible {
    /// One tensor of the model.
    public struct Tensor: Sendable, Equatable {
        public let name: String
        /// Elements that are NaN or infinite.
        public let count: Int
        public let elementCount: Int

        public init(name: String, count: Int, elementCount: Int) {
            self.name = name
            self.count = count
            self.elementCount = elementCount
        }
    }

    /// Largest number of tensors that a message names.
    private static let mostNamed = 16

    /// The tensors with NaN or infinite elements, in the order of the model's table.
    public let tensors: [Tensor]
    /// Number of all tensors of the model.
    public let tensorCount: Int

    public var isEmpty: Bool { tensors.isEmpty }

    /// - Parameters:
    ///   - tensors: candidates; tensors with a count of 0 are left out.
    ///   - tensorCount: number of all tensors of the model.
    public init(_ tensors: [Tensor], of tensorCount: Int) {
        self.tensors = tensors.filter { $0.count > 0 }
        self.tensorCount = tensorCount
    }

    /// Checks every element of `flat`, the flat space of `table`.
    public init(_ table: TensorTable, in flat: FloatSlice) {
        precondition(flat.count == table.count, "\(flat.count) floats for a table of \(table.count)")
        self.init(
            table.entries.map { entry in
                Tensor(name: entry.name, count: flat[entry.range].nonFiniteCount, elementCount: entry.count)
            }, of: table.entries.count)
    }

    /// `2 of 21 tensors hold NaN or infinite numbers: a (1 of 64), b (8 of 8)`.
    public var description: String {
        let named = tensors.prefix(Self.mostNamed).map { "\($0.name) (\($0.count) of \($0.elementCount))" }
        let rest = tensors.count > named.count ? " and \(tensors.count - named.count) more" : ""
        let verb = tensors.count == 1 ? "holds" : "hold"
        return "\(tensors.count) of \(tensorCount) tensors \(verb) NaN or infinite numbers: "
            + named.joined(separator: ", ") + rest
    }
}
