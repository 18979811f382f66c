// OperandMatrix - an operand of a matmul in the run's compute dtype: fp32 or bf16.

public import Tensors

/// A matrix of fp32 or bf16 numbers. Both operands of a matmul have one dtype.
public enum OperandMatrix: Sendable {
    case fp32(Matrix)
    case bf16(BFloat16Matrix)

    /// A dense matrix over the start of `slice`.
    public init(_ slice: OperandSlice, rows: Int, columns: Int) {
        switch slice {
        case .fp32(let slice): self = .fp32(Matrix(slice, rows: rows, columns: columns))
        case .bf16(let slice): self = .bf16(BFloat16Matrix(slice, rows: rows, columns: columns))
        }
    }

    /// The rows in `range`, sharing memory.
    public func block(rows range: Range<Int>) -> OperandMatrix {
        switch self {
        case .fp32(let matrix): .fp32(matrix.block(rows: range))
        case .bf16(let matrix): .bf16(matrix.block(rows: range))
        }
    }

    public var rows: Int {
        switch self {
        case .fp32(let matrix): matrix.rows
        case .bf16(let matrix): matrix.rows
        }
    }

    public var columns: Int {
        switch self {
        case .fp32(let matrix): matrix.columns
        case .bf16(let matrix): matrix.columns
        }
    }
}
