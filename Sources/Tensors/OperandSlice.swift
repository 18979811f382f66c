// OperandSlice - numbers in the format that a run's matmuls read: fp32 or bf16.

/// A slice in either format. Kernels that make or read operands of matmuls take one and choose their loop once.
public enum OperandSlice: Sendable {
    case fp32(FloatSlice)
    case bf16(BFloat16Slice)

    public var count: Int {
        switch self {
        case .fp32(let slice): slice.count
        case .bf16(let slice): slice.count
        }
    }

    /// The elements in `range`, counted from this slice's start.
    public subscript(range: Range<Int>) -> OperandSlice {
        switch self {
        case .fp32(let slice): .fp32(slice[range])
        case .bf16(let slice): .bf16(slice[range])
        }
    }
}
