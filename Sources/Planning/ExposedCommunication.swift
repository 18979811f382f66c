// ExposedCommunication - the time of reductions and gathers that no computation hides.

/// Seconds until the last buffer leaves the last stage of a pipeline. A stage takes one buffer at a time, in order.
///
/// - Parameters:
///   - ready: seconds at which each buffer may enter the first stage.
///   - stages: for each buffer the seconds that it spends in each stage.
func pipelineEnd(ready: [Double], stages: [[Double]]) -> Double {
    var free = [Double](repeating: 0, count: stages.map(\.count).max() ?? 0)
    for (start, times) in zip(ready, stages) {
        var time = start
        for (stage, seconds) in times.enumerated() {
            time = max(time, free[stage]) + seconds
            free[stage] = time
        }
    }
    return free.max() ?? 0
}

/// Seconds by which reductions and gathers lengthen a step.
///
/// - Parameters:
///   - reductions: for each bucket, in the order of backward, the seconds of its stages.
///   - backward: seconds of the last micro-batch's backward pass between the end of one bucket's gradient and the next.
///   - gathers: for each bucket, in the order of forward, the seconds of its stages.
///   - forward: for each bucket, in the order of forward, the seconds of the next forward pass that use it.
///   - overlaps: whether reductions run beside backward, and gathers beside forward.
func exposedCommunication(
    reductions: [[Double]], backward: [Double], gathers: [[Double]], forward: [Double], overlaps: Bool
) -> Double {
    let total = backward.reduce(0, +)
    var passed = 0.0
    let ready = backward.map { seconds in
        passed += seconds
        return overlaps ? passed : total
    }
    let reduction = max(pipelineEnd(ready: ready, stages: reductions) - total, 0)
    let atOnce = [Double](repeating: 0, count: gathers.count)
    guard overlaps else { return reduction + pipelineEnd(ready: atOnce, stages: gathers) }
    var time = 0.0
    for (index, seconds) in forward.enumerated() {
        let arrival = pipelineEnd(ready: Array(atOnce[...index]), stages: Array(gathers[...index]))
        time = max(time, arrival) + seconds
    }
    return reduction + time - forward.reduce(0, +)
}
