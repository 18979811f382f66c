// TilePacking - operands of bf16 products in the order in which AMX tiles read them.

internal import LinearAlgebra
internal import Tensors

/// Sixteen pairs of bfloat16 numbers, the first of each in the lower half.
private typealias Pairs = SIMD16<UInt32>

/// `op(b)` in blocks as ``TileProduct`` reads them. Its sizes are multiples of a block's.
func packTiles(_ b: BFloat16Matrix, _ operand: Operand, into target: BFloat16View) {
    let (k, n) = operand == .asStored ? (b.rows, b.columns) : (b.columns, b.rows)
    let (rows, columns) = (TileProduct.packedRows, TileProduct.packedColumns)
    precondition(k % rows == 0 && n % columns == 0 && target.count == k * n, "sizes that tiles do not take")
    var block = 0
    for column in stride(from: 0, to: n, by: columns) {
        for row in stride(from: 0, to: k, by: rows) {
            let packed = target.advanced(by: block * rows * columns, count: rows * columns)
            switch operand {
            case .asStored: interleave(b.block(rows: row..<(row + rows), columns: column..<(column + columns)), packed)
            case .transposed:
                transposePairs(b.block(rows: column..<(column + columns), columns: row..<(row + rows)), packed)
            }
            block += 1
        }
    }
}

/// The transposed `a`, dense. Its rows are multiples of 32 and its columns of 16.
func transpose(_ a: BFloat16Matrix, into target: BFloat16View) {
    precondition(a.rows % 32 == 0 && a.columns % 16 == 0 && target.count == a.rows * a.columns, "sizes of a transpose")
    for row in stride(from: 0, to: a.rows, by: 32) {
        for column in stride(from: 0, to: a.columns, by: 16) {
            let pairs = InlineArray<16, Pairs> { pair in
                let above = a.view.advanced(by: (row + 2 * pair) * a.stride + column, count: 16)
                let below = a.view.advanced(by: (row + 2 * pair + 1) * a.stride + column, count: 16)
                return interleaved(above.bits(at: 0), below.bits(at: 0))
            }
            let columns = transposed(pairs)
            for index in 0..<16 { target.store(pairs: columns[index], at: (column + index) * a.rows + row) }
        }
    }
}

/// One block of an operand as stored: its rows interleaved in pairs.
private func interleave(_ block: BFloat16Matrix, _ target: BFloat16View) {
    for row in stride(from: 0, to: TileProduct.packedRows, by: 2) {
        for column in stride(from: 0, to: TileProduct.packedColumns, by: 16) {
            let above = block.view.bits(at: row * block.stride + column)
            let below = block.view.bits(at: (row + 1) * block.stride + column)
            target.store(pairs: interleaved(above, below), at: row * TileProduct.packedColumns + 2 * column)
        }
    }
}

/// One block of an operand that is transposed: pairs are neighbours already, their matrix of 64 x 16 is transposed.
private func transposePairs(_ block: BFloat16Matrix, _ target: BFloat16View) {
    for column in stride(from: 0, to: TileProduct.packedColumns, by: 16) {
        let pairs = InlineArray<16, Pairs> { index in block.view.pairs(at: (column + index) * block.stride) }
        let rows = transposed(pairs)
        for index in 0..<16 {
            target.store(pairs: rows[index], at: 2 * (index * TileProduct.packedColumns + column))
        }
    }
}

/// A transposed matrix of 16 x 16: a perfect shuffle of its 256 elements rotates the bits of their place, row and column
/// together, by one, and four of them swap row and column (Stone, "Parallel processing with the perfect shuffle", 1971).
@inline(__always)
private func transposed(_ rows: InlineArray<16, Pairs>) -> InlineArray<16, Pairs> {
    // Not a loop: the compiler would pass the rows through memory in each round.
    shuffled(shuffled(shuffled(shuffled(rows))))
}

@inline(__always)
private func shuffled(_ rows: InlineArray<16, Pairs>) -> InlineArray<16, Pairs> {
    [
        low(rows[0], rows[8]), high(rows[0], rows[8]), low(rows[1], rows[9]), high(rows[1], rows[9]),
        low(rows[2], rows[10]), high(rows[2], rows[10]), low(rows[3], rows[11]), high(rows[3], rows[11]),
        low(rows[4], rows[12]), high(rows[4], rows[12]), low(rows[5], rows[13]), high(rows[5], rows[13]),
        low(rows[6], rows[14]), high(rows[6], rows[14]), low(rows[7], rows[15]), high(rows[7], rows[15]),
    ]
}

// The halves of two rows, interleaved. Spelt out, which becomes one instruction or two; the initialisers that take halves
// are calls.

@inline(__always)
private func low(_ a: Pairs, _ b: Pairs) -> Pairs {
    Pairs(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3], a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
}

@inline(__always)
private func high(_ a: Pairs, _ b: Pairs) -> Pairs {
    Pairs(a[8], b[8], a[9], b[9], a[10], b[10], a[11], b[11], a[12], b[12], a[13], b[13], a[14], b[14], a[15], b[15])
}

@inline(__always)
private func interleaved(_ a: SIMD16<UInt16>, _ b: SIMD16<UInt16>) -> Pairs {
    let both = SIMD32(
        a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3], a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7],
        a[8], b[8], a[9], b[9], a[10], b[10], a[11], b[11], a[12], b[12], a[13], b[13], a[14], b[14], a[15], b[15])
    return unsafe unsafeBitCast(both, to: Pairs.self)
}
