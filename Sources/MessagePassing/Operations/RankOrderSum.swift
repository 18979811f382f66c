// RankOrderSum - numbers of several ranks added in one fixed order, at the speed of memory.

internal import Tensors

/// A kind of numbers that reductions sum.
package enum Summand {
    case float
    /// 64-bit integers; a sum that does not fit wraps around.
    case int64

    var type: ElementType {
        switch self {
        case .float: .float
        case .int64: .int64
        }
    }
}

/// Adds numbers of several ranks in rank order: `target[i] = sources[0][i] + sources[1][i] + ...`, from left to right.
///
/// - Parameters:
///   - byteCount: bytes of each source, a multiple of a number's.
///   - target: may be one of the sources.
///
/// Each element's additions are the same whether it falls into a vector or behind the last whole one, so a value's bits
/// do not depend on how a buffer is cut.
func sumInOrder(
    _ sources: UnsafeBufferPointer<UnsafeRawPointer>, of summand: Summand, byteCount: Int,
    into target: UnsafeMutableRawPointer
) {
    switch summand {
    case .float:
        unsafe sumInOrder(sources, byteCount, target, Lanes.self, Float.self, { $0 + $1 }, { $0 + $1 })
    case .int64:
        unsafe sumInOrder(sources, byteCount, target, SIMD8<Int64>.self, Int64.self, { $0 &+ $1 }, { $0 &+ $1 })
    }
}

/// Vectors that one turn of the loop takes from each source. Why several: they hide the cost of the loop over the
/// sources.
private let vectorsPerTurn = 4

@inline(__always)
private func sumInOrder<Vector: BitwiseCopyable, Scalar: BitwiseCopyable>(
    _ sources: UnsafeBufferPointer<UnsafeRawPointer>, _ byteCount: Int, _ target: UnsafeMutableRawPointer,
    _: Vector.Type, _: Scalar.Type, _ add: (Vector, Vector) -> Vector, _ addOne: (Scalar, Scalar) -> Scalar
) {
    let lane = MemoryLayout<Vector>.stride
    let turn = vectorsPerTurn * lane
    let first = unsafe sources[0]
    var offset = 0
    while offset + turn <= byteCount {
        var sum0 = unsafe first.loadUnaligned(fromByteOffset: offset, as: Vector.self)
        var sum1 = unsafe first.loadUnaligned(fromByteOffset: offset + lane, as: Vector.self)
        var sum2 = unsafe first.loadUnaligned(fromByteOffset: offset + 2 * lane, as: Vector.self)
        var sum3 = unsafe first.loadUnaligned(fromByteOffset: offset + 3 * lane, as: Vector.self)
        for index in 1..<sources.count {
            let source = unsafe sources[index]
            sum0 = add(sum0, unsafe source.loadUnaligned(fromByteOffset: offset, as: Vector.self))
            sum1 = add(sum1, unsafe source.loadUnaligned(fromByteOffset: offset + lane, as: Vector.self))
            sum2 = add(sum2, unsafe source.loadUnaligned(fromByteOffset: offset + 2 * lane, as: Vector.self))
            sum3 = add(sum3, unsafe source.loadUnaligned(fromByteOffset: offset + 3 * lane, as: Vector.self))
        }
        unsafe target.storeBytes(of: sum0, toByteOffset: offset, as: Vector.self)
        unsafe target.storeBytes(of: sum1, toByteOffset: offset + lane, as: Vector.self)
        unsafe target.storeBytes(of: sum2, toByteOffset: offset + 2 * lane, as: Vector.self)
        unsafe target.storeBytes(of: sum3, toByteOffset: offset + 3 * lane, as: Vector.self)
        offset += turn
    }
    while offset < byteCount {
        var sum = unsafe first.loadUnaligned(fromByteOffset: offset, as: Scalar.self)
        for index in 1..<sources.count {
            sum = addOne(sum, unsafe sources[index].loadUnaligned(fromByteOffset: offset, as: Scalar.self))
        }
        unsafe target.storeBytes(of: sum, toByteOffset: offset, as: Scalar.self)
        offset += MemoryLayout<Scalar>.stride
    }
}
