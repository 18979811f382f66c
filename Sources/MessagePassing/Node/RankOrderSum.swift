// RankOrderSum - floats of several ranks added in one fixed order, at the speed of memory.

internal import Tensors

/// Vectors that one turn of the loop takes from each source: enough to hide the loop over the sources.
private let vectorsPerTurn = 4

/// `target[i] = sources[0][i] + sources[1][i] + ...`, added from left to right. `target` may be one of the sources.
///
/// Each element's additions are the same whether it falls into a vector or behind the last whole one, so a value's bits do
/// not depend on how a buffer is cut.
func sumInOrder(
    _ sources: UnsafeBufferPointer<UnsafeRawPointer>, count: Int, into target: UnsafeMutableRawPointer
) {
    let lane = MemoryLayout<Lanes>.stride
    let turn = vectorsPerTurn * lane
    let byteCount = count * MemoryLayout<Float>.stride
    let first = unsafe sources[0]
    var offset = 0
    while offset + turn <= byteCount {
        var sum0 = unsafe first.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
        var sum1 = unsafe first.loadUnaligned(fromByteOffset: offset + lane, as: Lanes.self)
        var sum2 = unsafe first.loadUnaligned(fromByteOffset: offset + 2 * lane, as: Lanes.self)
        var sum3 = unsafe first.loadUnaligned(fromByteOffset: offset + 3 * lane, as: Lanes.self)
        for index in 1..<sources.count {
            let source = unsafe sources[index]
            unsafe sum0 += source.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
            unsafe sum1 += source.loadUnaligned(fromByteOffset: offset + lane, as: Lanes.self)
            unsafe sum2 += source.loadUnaligned(fromByteOffset: offset + 2 * lane, as: Lanes.self)
            unsafe sum3 += source.loadUnaligned(fromByteOffset: offset + 3 * lane, as: Lanes.self)
        }
        unsafe target.storeBytes(of: sum0, toByteOffset: offset, as: Lanes.self)
        unsafe target.storeBytes(of: sum1, toByteOffset: offset + lane, as: Lanes.self)
        unsafe target.storeBytes(of: sum2, toByteOffset: offset + 2 * lane, as: Lanes.self)
        unsafe target.storeBytes(of: sum3, toByteOffset: offset + 3 * lane, as: Lanes.self)
        offset += turn
    }
    while offset < byteCount {
        var sum = unsafe first.loadUnaligned(fromByteOffset: offset, as: Float.self)
        for index in 1..<sources.count {
            unsafe sum += sources[index].loadUnaligned(fromByteOffset: offset, as: Float.self)
        }
        unsafe target.storeBytes(of: sum, toByteOffset: offset, as: Float.self)
        offset += MemoryLayout<Float>.stride
    }
}
