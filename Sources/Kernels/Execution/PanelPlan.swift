// PanelPlan - how a product is cut into panels: by its shape, and by whether its operands are widened.

/// The bits of a BLAS result depend on the panel that it was computed in, so the cut must not depend on threads or ranks. Threads
/// never share a reduction.
///
/// Panels of 256 x 512 run at the speed of the whole product in OpenBLAS and oneDNN, fp32 and bf16, for every transpose;
/// smaller ones pay for packing both operands again. Where the reduction is long, 512 x 512 gains up to 10 % more, and where both
/// operands of a panel are widened before they are packed, 10 to 15 % with a short one too, if enough of them are left.
struct PanelPlan: Equatable {
    let panelRows: Int
    let panelColumns: Int

    private static let targetRows = 256
    private static let largeTargetRows = 512
    private static let longReduction = 1024
    private static let targetColumns = 512
    /// Fewer widened panels with a short reduction become small ones, for the sake of more than a few threads.
    private static let enoughWidenedPanels = 8
    /// Products with fewer panels are cut further, so that a few threads have something to share ...
    private static let fewestPanels = 4
    /// ... unless a panel's work would not pay for handing it to another thread.
    private static let minimumPanelFlops = 8e6
    /// Panel edges are multiples of the register tiles of the BLAS kernels.
    private static let edge = 16

    /// A plan for an `m x n` result with reduction length `k`.
    ///
    /// - Parameter widens: whether each panel widens its operands first.
    init(m: Int, n: Int, k: Int, widens: Bool = false) {
        var columnCuts = Self.cuts(n, Self.targetColumns)
        var rowCuts = Self.cuts(m, Self.largeTargetRows)
        let isLarge = k >= Self.longReduction || widens && rowCuts * columnCuts >= Self.enoughWidenedPanels
        if !isLarge { rowCuts = Self.cuts(m, Self.targetRows) }
        let flops = 2 * Double(m) * Double(n) * Double(k)
        while rowCuts * columnCuts < Self.fewestPanels
            && flops / Double(2 * rowCuts * columnCuts) >= Self.minimumPanelFlops
        {
            // Cutting the longer side keeps panels square, which packs the least.
            if m / rowCuts >= n / columnCuts { rowCuts *= 2 } else { columnCuts *= 2 }
        }
        func size(_ total: Int, _ cuts: Int) -> Int {
            min(max(total, 1), max((total + cuts * Self.edge - 1) / (cuts * Self.edge), 1) * Self.edge)
        }
        panelRows = size(m, rowCuts)
        panelColumns = size(n, columnCuts)
    }

    /// Powers of two, so that two, four or eight threads get as many panels each.
    private static func cuts(_ total: Int, _ target: Int) -> Int {
        var cuts = 1
        while 2 * total >= 3 * cuts * target { cuts *= 2 }
        return cuts
    }
}
