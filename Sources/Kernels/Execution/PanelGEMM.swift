// PanelGEMM - matmuls on the pool, cut into the panels of a PanelPlan.

public import LinearAlgebra
internal import Tensors

extension ThreadPool {
    /// `target [m, n] = op(a) [m, k] op(b) [k, n] + (adding ? target : 0)`, its panels shared among the pool's threads.
    ///
    /// ``backends`` decide whether bf16 operands are multiplied directly or upcast to fp32. Sums and result are fp32.
    /// Traps when the sizes do not match, and for operands of two dtypes.
    public func multiply(
        _ a: OperandMatrix, _ aOperand: Operand, _ b: OperandMatrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool = false
    ) {
        switch (a, b) {
        case (.fp32(let a), .fp32(let b)): multiply(a, aOperand, b, bOperand, into: target, adding: adding)
        case (.bf16(let a), .bf16(let b)): multiply(a, aOperand, b, bOperand, into: target, adding: adding)
        default: preconditionFailure("a product of an fp32 and a bf16 operand")
        }
    }

    /// `target [m, n] = op(a) [m, k] op(b) [k, n] + (adding ? target : 0)` of fp32 operands; traps when the sizes do
    /// not match.
    public func multiply(
        _ a: Matrix, _ aOperand: Operand, _ b: Matrix, _ bOperand: Operand, into target: Matrix, adding: Bool = false
    ) {
        // The check covers the whole matmul. Why: panels follow the target's sizes, so the sizes of panels always
        // match.
        let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
        let plan = PanelPlan(m: target.rows, n: target.columns, k: k)
        let backend = backends[aOperand, bOperand]
        let isWeightGradient = aOperand == .transposed && bOperand == .asStored
        let copying = isWeightGradient && Self.copiesForWeightGradient(stride: a.stride) ? copying : nil
        forEachPanel(plan, of: target) { rows, columns, worker in
            let aPanel = aOperand == .asStored ? a.block(rows: rows) : a.block(columns: rows)
            let bPanel = bOperand == .asStored ? b.block(columns: columns) : b.block(rows: columns)
            let panel = target.block(rows: rows, columns: columns)
            if let copying {
                copying.multiplyCopied(
                    transposed: aPanel, bPanel, into: panel, adding: adding, worker: worker, backend: backend)
            } else {
                LinearAlgebra.multiply(
                    aPanel, aOperand, bPanel, bOperand, into: panel, adding: adding, backend: backend)
            }
        }
    }

    /// `target [m, n] = op(a) [m, k] op(b) [k, n] + (adding ? target : 0)` of bf16 operands; traps when the sizes do
    /// not match.
    public func multiply(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool = false
    ) {
        let (m, n) = (target.rows, target.columns)
        let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
        let tiles = tiles(m: m, n: n, k: k)
        let plan =
            tiles == nil
            ? PanelPlan(m: m, n: n, k: k, upcasts: upcasting != nil)
            : PanelPlan(tilesFor: (m, n, k), threads: threadCount)
        forEachPanel(plan, of: target) { rows, columns, worker in
            // The sizes of the whole matmul decide about tiles, so that the cut does not decide who computes a panel.
            multiply(
                aOperand == .asStored ? a.block(rows: rows) : a.block(columns: rows), aOperand,
                bOperand == .asStored ? b.block(columns: columns) : b.block(rows: columns), bOperand,
                into: target.block(rows: rows, columns: columns), adding: adding, worker: worker, tiles)
        }
    }

    /// One matmul on the thread `worker` alone, for kernels that share out their own work.
    func multiplyPanel(
        _ a: OperandMatrix, _ aOperand: Operand, _ b: OperandMatrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool = false, worker: Int
    ) {
        switch (a, b) {
        case (.fp32(let a), .fp32(let b)):
            LinearAlgebra.multiply(
                a, aOperand, b, bOperand, into: target, adding: adding,
                backend: backends[aOperand, bOperand])
        case (.bf16(let a), .bf16(let b)):
            multiplyPanel(a, aOperand, b, bOperand, into: target, adding: adding, worker: worker)
        default: preconditionFailure("a product of an fp32 and a bf16 operand")
        }
    }

    /// One matmul of bf16 operands on the thread `worker` alone.
    func multiplyPanel(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool = false, worker: Int
    ) {
        let k = innerSize((a.rows, a.columns), aOperand, (b.rows, b.columns), bOperand, target)
        multiply(
            a, aOperand, b, bOperand, into: target, adding: adding, worker: worker,
            tiles(m: target.rows, n: target.columns, k: k))
    }

    private func multiply(
        _ a: BFloat16Matrix, _ aOperand: Operand, _ b: BFloat16Matrix, _ bOperand: Operand, into target: Matrix,
        adding: Bool, worker: Int, _ tiles: TileScratch?
    ) {
        if let upcasting {
            upcasting.multiplyUpcast(
                a, aOperand, b, bOperand, into: target, adding: adding, worker: worker, backends: backends)
        } else if let tiles {
            tiles.multiply(a, aOperand, b, bOperand, into: target, adding: adding, worker: worker)
        } else {
            LinearAlgebra.multiply(
                a, aOperand, b, bOperand, into: target, adding: adding, backend: backends.bfloat16)
        }
    }

    /// The scratch for a matmul of these sizes on tiles; nil where a backend computes it.
    private func tiles(m: Int, n: Int, k: Int) -> TileScratch? {
        TileScratch.takes(m: m, n: n, k: k) ? tiles : nil
    }

    /// Rows and columns of the panels of a result `[m, n]` with reduction length `k`.
    ///
    /// - Parameter upcasts: whether each panel upcasts its operands first.
    public static func panelSize(m: Int, n: Int, k: Int, upcasts: Bool) -> (rows: Int, columns: Int) {
        let plan = PanelPlan(m: m, n: n, k: k, upcasts: upcasts)
        return (plan.panelRows, plan.panelColumns)
    }

    /// Whether weight gradients copy a first operand with rows `stride` floats apart, where ``backends`` copy at all.
    public static func copiesForWeightGradient(stride: Int) -> Bool { OperandScratch.isSlow(stride: stride) }

    private func forEachPanel(
        _ plan: PanelPlan, of target: Matrix,
        _ body: (_ rows: Range<Int>, _ columns: Range<Int>, _ worker: Int) -> Void
    ) {
        let rowPanels = (target.rows + plan.panelRows - 1) / plan.panelRows
        let columnPanels = (target.columns + plan.panelColumns - 1) / plan.panelColumns
        run(rowPanels * columnPanels) { task, worker in
            let rowStart = task / columnPanels * plan.panelRows
            let columnStart = task % columnPanels * plan.panelColumns
            body(
                rowStart..<min(rowStart + plan.panelRows, target.rows),
                columnStart..<min(columnStart + plan.panelColumns, target.columns), worker)
        }
    }
}
