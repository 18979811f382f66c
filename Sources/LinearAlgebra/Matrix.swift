// Matrix - a row-major window of a float view, operand or result of a matmul.

public import Tensors

/// A row-major matrix whose consecutive rows lie `stride` floats apart.
///
/// It does not own its memory and lives within one operation.
public struct Matrix: Sendable {
    package let view: FloatView
    public let rows: Int
    public let columns: Int
    /// Floats from the start of one row to the start of the next (the BLAS "leading dimension").
    public let stride: Int

    /// Traps when the last row would end outside of `view`.
    package init(_ view: FloatView, rows: Int, columns: Int, stride: Int) {
        precondition(rows >= 0 && columns >= 0 && stride >= columns, "impossible matrix \(rows) x \(columns)")
        precondition(
            rows == 0 || columns == 0 || (rows - 1) * stride + columns <= view.count,
            "a \(rows) x \(columns) matrix with stride \(stride) does not fit into \(view.count) floats")
        self.view = view
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }

    /// A dense matrix over the start of `slice`.
    public init(_ slice: FloatSlice, rows: Int, columns: Int) {
        self.init(slice.view, rows: rows, columns: columns, stride: columns)
    }

    /// A dense matrix over the start of `view`.
    package init(_ view: FloatView, rows: Int, columns: Int) {
        self.init(view, rows: rows, columns: columns, stride: columns)
    }

    /// The part in `rowRange` and `columnRange`, sharing memory.
    public func block(rows rowRange: Range<Int>, columns columnRange: Range<Int>) -> Matrix {
        precondition(
            rowRange.lowerBound >= 0 && rowRange.upperBound <= rows && columnRange.lowerBound >= 0
                && columnRange.upperBound <= columns, "block \(rowRange) x \(columnRange) of \(rows) x \(columns)")
        guard !rowRange.isEmpty && !columnRange.isEmpty else {
            return Matrix(
                view.advanced(by: 0, count: 0), rows: rowRange.count, columns: columnRange.count, stride: stride)
        }
        let start = rowRange.lowerBound * stride + columnRange.lowerBound
        let length = (rowRange.count - 1) * stride + columnRange.count
        return Matrix(
            view.advanced(by: start, count: length), rows: rowRange.count, columns: columnRange.count, stride: stride)
    }

    public func block(rows rowRange: Range<Int>) -> Matrix { block(rows: rowRange, columns: 0..<columns) }
    public func block(columns columnRange: Range<Int>) -> Matrix { block(rows: 0..<rows, columns: columnRange) }

    /// Copies all elements to `target`, which has equal sizes and does not overlap.
    package func copy(to target: Matrix) {
        precondition(target.rows == rows && target.columns == columns, "copy between matrices of different sizes")
        guard columns > 0 else { return }
        for row in 0..<rows {
            target.view.advanced(by: row * target.stride, count: columns)
                .copy(from: view.advanced(by: row * stride, count: columns))
        }
    }
}
