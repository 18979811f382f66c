// GEMMBackends - the BLAS backend of each kind of GEMM.

/// A BLAS backend for each kind of fp32 GEMM, told apart by the transposed operand, and the choice for bf16 operands.
///
/// Why: on some processors one backend is faster for the forward pass and another one for weight gradients.
public struct GEMMBackends: Sendable, Equatable {
    /// `C = A B^T`: the forward pass.
    public var forward: any BLASBackend
    /// `C = A B`: input gradients.
    public var inputGradient: any BLASBackend
    /// `C = A^T B`: weight gradients.
    public var weightGradient: any BLASBackend
    /// Whether the transposed operand of ``weightGradient`` is copied first, a dense block at a time (fp32 only).
    public var copiesForWeightGradient = false
    /// The backend of bf16 operands that are not upcast, where ``TileGEMM`` does not take them.
    public let bfloat16 = BLASBackends.bfloat16
    /// Whether bf16 operands are upcast and multiplied in fp32 by the backends of fp32.
    ///
    /// If not, ``bfloat16`` or ``TileGEMM`` multiplies them, which needs ``BLASBackends/hasBFloat16GEMM``.
    public var upcastsBFloat16: Bool

    /// One backend for every kind of fp32 GEMM.
    public init(_ all: any BLASBackend, upcastsBFloat16: Bool = !BLASBackends.hasBFloat16GEMM) {
        (forward, inputGradient, weightGradient) = (all, all, all)
        self.upcastsBFloat16 = upcastsBFloat16
    }

    public static func == (a: GEMMBackends, b: GEMMBackends) -> Bool {
        a.names == b.names && a.upcastsBFloat16 == b.upcastsBFloat16
    }

    /// The backend of an fp32 GEMM whose operands enter as `a` and `b` say.
    public subscript(_ a: Operand, _ b: Operand) -> any BLASBackend {
        switch (a, b) {
        case (.asStored, .transposed), (.transposed, .transposed): forward
        case (.asStored, .asStored): inputGradient
        case (.transposed, .asStored): weightGradient
        }
    }

    /// Names of the backends of forward, input gradient and weight gradient, and whether the last one copies.
    ///
    /// Ranks send it to each other. ``upcastsBFloat16`` is left out, because a rank knows it of its own processor.
    public var names: String {
        "\(forward.name) \(inputGradient.name) \(weightGradient.name) \(copiesForWeightGradient ? Self.copied : Self.direct)"
    }

    private static let copied = "copied"
    private static let direct = "direct"

    /// Reads ``names``; nil for another text.
    public init?(names: String) {
        let words = names.split(separator: " ").map { String($0) }
        guard words.count == 4, [Self.copied, Self.direct].contains(words[3]) else { return nil }
        let list = words.prefix(3).map { BLASBackends.named($0) }
        guard let forward = list[0], let inputGradient = list[1], let weightGradient = list[2] else { return nil }
        self.init(forward)
        (self.inputGradient, self.weightGradient, copiesForWeightGradient) = (
            inputGradient, weightGradient, words[3] == Self.copied
        )
    }

    /// Versions and kernels that compute fp32 GEMMs. Two runs give the same bits only where this text is equal.
    public var identity: String {
        if forward.name == inputGradient.name && inputGradient.name == weightGradient.name && !copiesForWeightGradient {
            return forward.identity
        }
        return "forward \(forward.identity), dx \(inputGradient.identity), dweight \(weightGradient.identity)"
            + (copiesForWeightGradient ? " on copies" : "")
    }

    /// Versions and kernels that compute GEMMs of bf16 operands. It names upcasting where the processor leaves a
    /// choice.
    public var bfloat16Identity: String {
        if !upcastsBFloat16 {
            return (TileGEMM.isAvailable ? "AMX tiles, small products " : "") + bfloat16.identity
        }
        return BLASBackends.hasBFloat16GEMM ? "bf16 widened to fp32, \(identity)" : identity
    }
}
