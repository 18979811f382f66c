// ProductLibraries - which library computes which kind of product.

/// A library for each kind of fp32 product, told apart by which operands are transposed (on some processors one library is the
/// faster for the forward pass and the other one for gradients of weights), and whether they compute those of bf16 operands too.
public struct ProductLibraries: Sendable, Equatable {
    /// Of a stored and a transposed operand.
    public var forward: ProductLibrary
    /// Of two stored operands: gradients of inputs.
    public var dx: ProductLibrary
    /// Of a transposed and a stored operand: gradients of weights.
    public var dweight: ProductLibrary
    /// Whether the transposed operand of ``dweight`` is copied first, a dense block at a time (fp32 only).
    public var copiesForDWeight = false
    /// Whether bf16 operands are widened and multiplied in fp32 by these libraries; otherwise oneDNN or ``TileProduct``
    /// multiplies them as they are, which needs ``ProductLibrary/hasBFloat16Products``.
    public var widensBFloat16: Bool

    /// One library for all.
    public init(_ all: ProductLibrary, widensBFloat16: Bool = !ProductLibrary.hasBFloat16Products) {
        (forward, dx, dweight) = (all, all, all)
        self.widensBFloat16 = widensBFloat16
    }

    /// The library for a product of operands like these.
    public subscript(_ a: Operand, _ b: Operand) -> ProductLibrary {
        switch (a, b) {
        case (.asStored, .transposed), (.transposed, .transposed): forward
        case (.asStored, .asStored): dx
        case (.transposed, .asStored): dweight
        }
    }

    /// The libraries in the order forward, dx, dweight, and whether the last one copies, for messages between ranks: not whether
    /// they widen, which a rank knows of its own processor.
    public var names: String {
        "\(forward.rawValue) \(dx.rawValue) \(dweight.rawValue) \(copiesForDWeight ? Self.copied : Self.direct)"
    }

    private static let copied = "copied"
    private static let direct = "direct"

    /// The reverse of ``names``; nil for another text.
    public init?(names: String) {
        let words = names.split(separator: " ").map { String($0) }
        guard words.count == 4, [Self.copied, Self.direct].contains(words[3]) else { return nil }
        let list = words.prefix(3).map { ProductLibrary(rawValue: $0) }
        guard let forward = list[0], let dx = list[1], let dweight = list[2] else { return nil }
        self.init(forward)
        (self.dx, self.dweight, copiesForDWeight) = (dx, dweight, words[3] == Self.copied)
    }

    /// The builds and kernels that compute fp32 products; two runs give the same bits only where this is the same.
    public var identity: String {
        if forward == dx && dx == dweight && !copiesForDWeight { return forward.identity }
        return "forward \(forward.identity), dx \(dx.identity), dweight \(dweight.identity)"
            + (copiesForDWeight ? " on copies" : "")
    }

    /// The same of products of bf16 operands; it says that they are widened where the processor leaves a choice.
    public var bfloat16Identity: String {
        if !widensBFloat16 {
            return (TileProduct.isAvailable ? "AMX tiles, small products " : "") + ProductLibrary.oneDNN.identity
        }
        return ProductLibrary.hasBFloat16Products ? "bf16 widened to fp32, \(identity)" : identity
    }
}
