// GradientNorm - sums of squares by fixed blocks, and the clip factor.

public import Kernels
public import Tensors

/// The parts of the gradient's norm, and gradient clipping.
public enum GradientNorm {
    /// Sums of squares of consecutive blocks of `blockSize` elements of `gradient` (the last one may be shorter).
    ///
    /// The sum of a block does not depend on thread or rank. The norm adds blocks in order, in double. Within a block,
    /// pieces of 1,024 elements are summed in fp32 lanes and added in double.
    public static func blockSquares(_ pool: ThreadPool, _ gradient: FloatSlice, blockSize: Int) -> [Double] {
        let blocks = (gradient.count + blockSize - 1) / blockSize
        var sums = [Double](repeating: 0, count: blocks)
        let view = gradient.view
        unsafe sums.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let buffer = unsafe buffer
            pool.run(blocks) { block, _ in
                let range = (block * blockSize)..<min((block + 1) * blockSize, gradient.count)
                unsafe buffer[block] = squares(view, range)
            }
        }
        return sums
    }

    private static func squares(_ view: FloatView, _ range: Range<Int>) -> Double {
        let piece = 1024
        var total = 0.0
        for start in stride(from: range.lowerBound, to: range.upperBound, by: piece) {
            let count = min(piece, range.upperBound - start)
            var lanes = Lanes(repeating: 0)
            var index = start
            while index + laneCount <= start + count {
                let value = view.lanes(at: index)
                lanes = lanes.addingProduct(value, value)
                index += laneCount
            }
            if index < start + count {
                let value = view.advanced(by: index, count: start + count - index).partialLanes(at: 0, padding: 0)
                lanes = lanes.addingProduct(value, value)
            }
            for lane in 0..<laneCount { total += Double(lanes[lane]) }
        }
        return total
    }

    /// `min(1, clip / (norm + 1e-6))` as `torch.nn.utils.clip_grad_norm_`; 1 where `clip` is 0 (no clipping).
    public static func clipFactor(norm: Double, clip: Double) -> Double {
        clip > 0 ? min(1, clip / (norm + 1e-6)) : 1
    }
}
