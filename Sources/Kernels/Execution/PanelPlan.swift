// PanelPlan - how a matmul is cut into panels: by its shape, and by who computes it.

internal import LinearAlgebra

/// The bits of a BLAS result depend on the panel that it was computed in, so the cut must not depend on threads or ranks; those of a
/// matmul on tiles do not. Threads never share a reduction.
///
/// Panels of 256 x 512 run at the speed of the whole matmul in OpenBLAS and oneDNN, fp32 and bf16, for every transpose;
/// smaller ones pay for packing both operands again. Where the reduction is long, 512 x 512 gains up to 10 % more, and where both
/// operands of a panel are upcast before they are packed, 10 to 15 % with a short one too, if enough of them are left.
struct PanelPlan: Equatable {
    let panelRows: Int
    let panelColumns: Int

    private static let targetRows = 256
    private static let largeTargetRows = 512
    private static let longReduction = 1024
    private static let targetColumns = 512
    /// Fewer upcast panels with a short reduction become small ones, for the sake of more than a few threads.
    private static let enoughUpcastPanels = 8
    /// Matmuls with fewer panels are cut further, so that a few threads have something to share ...
    private static let fewestPanels = 4
    /// ... unless a panel's work would not pay for handing it to another thread.
    private static let minimumPanelFlops = 8e6
    /// Panel edges are multiples of the register tiles of the BLAS kernels.
    private static let edge = 16

    /// A plan for an `m x n` result with reduction length `k`.
    ///
    /// - Parameter upcasts: whether each panel upcasts its operands first.
    init(m: Int, n: Int, k: Int, upcasts: Bool = false) {
        var columnCuts = Self.cuts(n, Self.targetColumns)
        var rowCuts = Self.cuts(m, Self.largeTargetRows)
        let isLarge = k >= Self.longReduction || upcasts && rowCuts * columnCuts >= Self.enoughUpcastPanels
        if !isLarge { rowCuts = Self.cuts(m, Self.targetRows) }
        Self.cutFurther((m, n, k), &rowCuts, &columnCuts, atLeast: Self.fewestPanels)
        func size(_ total: Int, _ cuts: Int) -> Int {
            min(max(total, 1), max((total + cuts * Self.edge - 1) / (cuts * Self.edge), 1) * Self.edge)
        }
        panelRows = size(m, rowCuts)
        panelColumns = size(n, columnCuts)
    }

    /// A plan for a matmul on tiles of sizes (m, n, k). Its bits do not depend on the cut, so it may follow the threads.
    init(tilesFor sizes: (m: Int, n: Int, k: Int), threads: Int) {
        let (m, n, k) = sizes
        // Columns are packed once for many rows or, of a flat matmul, rows once for many columns; but with a longer reduction than
        // is packed at a time, the panel's sums are read again and must stay in a cache.
        let isShort = k <= PackingWorkspace.reduction
        let mostRows = isShort ? Self.longPanel : PackingWorkspace.rows
        let mostColumns = isShort && m <= PackingWorkspace.rows ? Self.longPanel : PackingWorkspace.columns
        var rowCuts = (m + mostRows - 1) / mostRows
        var columnCuts = (n + mostColumns - 1) / mostColumns
        Self.cutFurther(sizes, &rowCuts, &columnCuts, atLeast: Self.tilePanelsPerThread * threads)
        let edge = TileOperand.edge
        func size(_ total: Int, _ cuts: Int) -> Int { (total + cuts * edge - 1) / (cuts * edge) * edge }
        panelRows = size(m, rowCuts)
        panelColumns = size(n, columnCuts)
    }

    /// Halves panels until there are `count` of them, or until they are not worth it.
    private static func cutFurther(
        _ sizes: (m: Int, n: Int, k: Int), _ rowCuts: inout Int, _ columnCuts: inout Int, atLeast count: Int
    ) {
        let flops = 2 * Double(sizes.m) * Double(sizes.n) * Double(sizes.k)
        while rowCuts * columnCuts < count && flops / Double(2 * rowCuts * columnCuts) >= minimumPanelFlops {
            // Cutting the longer side keeps panels square, which packs the least.
            if sizes.m / rowCuts >= sizes.n / columnCuts { rowCuts *= 2 } else { columnCuts *= 2 }
        }
    }

    private static let tilePanelsPerThread = 4
    private static let longPanel = 2048

    /// Powers of two, so that two, four or eight threads get as many panels each.
    private static func cuts(_ total: Int, _ target: Int) -> Int {
        var cuts = 1
        while 2 * total >= 3 * cuts * target { cuts *= 2 }
        return cuts
    }
}
