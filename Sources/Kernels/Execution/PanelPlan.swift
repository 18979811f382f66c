// PanelPlan - the cut of a matmul into panels: by its shape, and on tiles also by threads.

internal import LinearAlgebra

/// The size of the panels of one matmul. Threads share panels, never the reduction of an element.
///
/// AMX GEMMs give the same bits for any panels. Other BLAS calls do not, so their panel sizes depend on the shape only.
///
/// Panels of 256 x 512 reach the speed of the whole matmul in OpenBLAS and oneDNN, for both dtypes and every transpose.
/// Smaller panels pay for packing both operands again. Panels of 512 x 512 are faster with a long reduction. They are
/// also faster where panels upcast their operands, if enough panels are left.
struct PanelPlan: Equatable {
    let panelRows: Int
    let panelColumns: Int

    private static let targetRows = 256
    private static let largeTargetRows = 512
    private static let longReduction = 1024
    private static let targetColumns = 512
    /// Least number of large upcast panels with a short reduction. With fewer, panels are small, so that more threads
    /// work.
    private static let enoughUpcastPanels = 8
    /// Least number of panels: a matmul with fewer is cut further, so that a few threads can share it.
    private static let fewestPanels = 4
    /// Least operations of a panel: less work does not pay for handing it to another thread.
    private static let minimumPanelFlops = 8e6
    /// Panel edges are multiples of the register tiles of the BLAS kernels.
    private static let edge = 16

    /// A plan for a result `[m, n]` with reduction length `k`.
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

    /// A plan for a matmul on tiles. Its bits do not depend on the cut, so the cut may follow the number of threads.
    init(tilesFor sizes: (m: Int, n: Int, k: Int), threads: Int) {
        let (m, n, k) = sizes
        // A long panel packs its columns once for many rows. A flat matmul packs its rows once for many columns. But
        // with a reduction longer than one packed part, the panel's sums are read again and must fit a cache.
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

    /// Halves panels until there are `count`, or until a panel's work is too small.
    private static func cutFurther(
        _ sizes: (m: Int, n: Int, k: Int), _ rowCuts: inout Int, _ columnCuts: inout Int, atLeast count: Int
    ) {
        let flops = 2 * Double(sizes.m) * Double(sizes.n) * Double(sizes.k)
        while rowCuts * columnCuts < count && flops / Double(2 * rowCuts * columnCuts) >= minimumPanelFlops {
            // Cutting the longer side keeps panels square; square panels pack the least.
            if sizes.m / rowCuts >= sizes.n / columnCuts { rowCuts *= 2 } else { columnCuts *= 2 }
        }
    }

    private static let tilePanelsPerThread = 4
    private static let longPanel = 2048

    /// Number of parts near `target` long: a power of two, so that two, four or eight threads get equally many panels.
    private static func cuts(_ total: Int, _ target: Int) -> Int {
        var cuts = 1
        while 2 * total >= 3 * cuts * target { cuts *= 2 }
        return cuts
    }
}
