// ProductLibraries - which library computes which kind of fp32 product.

/// A library for each kind of product, told apart by which operands are transposed: on some processors one library is the
/// faster for the forward pass and the other one for gradients of weights.
public struct ProductLibraries: Sendable, Equatable {
    /// Of a stored and a transposed operand.
    public var forward: ProductLibrary
    /// Of two stored operands: gradients of inputs.
    public var dx: ProductLibrary
    /// Of a transposed and a stored operand: gradients of weights.
    public var dweight: ProductLibrary

    /// One library for all.
    public init(_ all: ProductLibrary) {
        (forward, dx, dweight) = (all, all, all)
    }

    /// The library for a product of operands like these.
    public subscript(_ a: Operand, _ b: Operand) -> ProductLibrary {
        switch (a, b) {
        case (.asStored, .transposed), (.transposed, .transposed): forward
        case (.asStored, .asStored): dx
        case (.transposed, .asStored): dweight
        }
    }

    /// The choices in the order forward, dx, dweight, for messages between ranks.
    public var names: String { "\(forward.rawValue) \(dx.rawValue) \(dweight.rawValue)" }

    /// The reverse of ``names``; nil for another text.
    public init?(names: String) {
        let list = names.split(separator: " ").map { ProductLibrary(rawValue: String($0)) }
        guard list.count == 3, let forward = list[0], let dx = list[1], let dweight = list[2] else { return nil }
        (self.forward, self.dx, self.dweight) = (forward, dx, dweight)
    }

    /// The builds and kernels that compute; two runs give the same bits only where this is the same.
    public var identity: String {
        if forward == dx && dx == dweight { return forward.identity }
        return "forward \(forward.identity), dx \(dx.identity), dweight \(dweight.identity)"
    }
}
