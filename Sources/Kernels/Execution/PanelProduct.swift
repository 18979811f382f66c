// PanelProduct - matrix products on the pool, cut into panels that depend on the product's shape only.

public import LinearAlgebra
internal import Tensors

/// How a product of one shape is cut. The bits of a BLAS result depend on the panel it was computed in, so the cut must
/// not depend on threads or ranks.
struct PanelPlan: Equatable {
    let panelRows: Int
    let panelColumns: Int

    /// Work below which a panel is not worth handing to another thread.
    private static let minimumPanelFlops = 8e6
    /// Enough panels for the largest node, and few enough that each packs little twice.
    private static let maximumPanels = 64
    /// Panel edges are multiples of the register tiles of every BLAS kernel.
    private static let edge = 48

    /// A plan for an `m x n` result with reduction length `k`. The reduction dimension is never cut.
    init(m: Int, n: Int, k: Int) {
        let flops = 2 * Double(m) * Double(n) * Double(k)
        var panels = 1
        while panels < Self.maximumPanels && flops / Double(2 * panels) >= Self.minimumPanelFlops { panels *= 2 }
        // Cutting the longer side keeps panels square, which packs the least.
        var rowCuts = 1
        var columnCuts = 1
        while rowCuts * columnCuts < panels {
            if m / rowCuts >= n / columnCuts { rowCuts *= 2 } else { columnCuts *= 2 }
        }
        func size(_ total: Int, _ cuts: Int) -> Int {
            cuts == 1 ? total : min(total, (total + cuts * Self.edge - 1) / (cuts * Self.edge) * Self.edge)
        }
        panelRows = max(size(m, rowCuts), 1)
        panelColumns = max(size(n, columnCuts), 1)
    }
}

extension ThreadPool {
    /// `target = op(a) op(b) + (adding ? target : 0)` with the panels shared among the pool's threads.
    public func multiply(
        _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, adding: Bool = false
    ) {
        let k = aOperand == .asStored ? a.columns : a.rows
        let plan = PanelPlan(m: target.rows, n: target.columns, k: k)
        let rowPanels = (target.rows + plan.panelRows - 1) / plan.panelRows
        let columnPanels = (target.columns + plan.panelColumns - 1) / plan.panelColumns
        run(rowPanels * columnPanels) { task, _ in
            let rowStart = task / columnPanels * plan.panelRows
            let columnStart = task % columnPanels * plan.panelColumns
            let rows = rowStart..<min(rowStart + plan.panelRows, target.rows)
            let columns = columnStart..<min(columnStart + plan.panelColumns, target.columns)
            LinearAlgebra.multiply(
                aOperand == .asStored ? a.block(rows: rows) : a.block(columns: rows), aOperand,
                bOperand == .asStored ? b.block(columns: columns) : b.block(rows: columns), bOperand,
                into: target.block(rows: rows, columns: columns), adding: adding)
        }
    }
}
