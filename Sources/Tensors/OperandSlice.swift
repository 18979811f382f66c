// OperandSlice - an operand of matmuls in the run's compute dtype: fp32 or bf16.

/// A slice of fp32 or bf16 numbers that matmuls read. A kernel switches over it once, outside of its loops.
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
