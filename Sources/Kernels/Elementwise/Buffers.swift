// Buffers - whole-buffer operations on the pool: copy, clear, scale, add.

public import Tensors

extension ThreadPool {
    /// Elements per task: enough to pay for the hand-over, few enough to share.
    private static let grain = 1 << 15

    /// `target = source`.
    public func copy(_ source: FloatSlice, into target: FloatSlice) {
        precondition(source.count == target.count, "cannot copy \(source.count) floats into \(target.count)")
        forEachPart(target) { part, view in
            view.copy(from: source.view.advanced(by: part.lowerBound, count: part.count))
        }
    }

    /// `target = 0`.
    public func clear(_ target: FloatSlice) {
        forEachPart(target) { _, view in view.fill(0) }
    }

    /// `target *= factor`.
    public func scale(_ target: FloatSlice, by factor: Float) {
        let lanes = Lanes(repeating: factor)
        forEachPart(target) { _, view in mapLanes(view, into: view) { $0 * lanes } }
    }

    /// `target += factor * source`.
    public func add(_ source: FloatSlice, scaledBy factor: Float, to target: FloatSlice) {
        precondition(source.count == target.count, "cannot add \(source.count) floats to \(target.count)")
        let lanes = Lanes(repeating: factor)
        forEachPart(target) { part, view in
            let addend = source.view.advanced(by: part.lowerBound, count: part.count)
            mapLanes(view, addend, into: view) { $0.addingProduct($1, lanes) }
        }
    }

    private func forEachPart(_ slice: FloatSlice, _ body: (_ part: Range<Int>, _ view: FloatView) -> Void) {
        let view = slice.view
        runRanges(count: slice.count, grain: Self.grain) { part, _ in
            body(part, view.advanced(by: part.lowerBound, count: part.count))
        }
    }
}
