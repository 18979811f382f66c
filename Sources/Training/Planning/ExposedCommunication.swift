// ExposedCommunication - how much of a step's exchange the step waits for.

/// When the last of several buffers has left the last stage: each stage takes them one at a time and in order.
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

/// Seconds that a step takes longer because of its reductions and its gather.
///
/// - Parameters:
///   - reductions: for each bucket, in the order in which backward finishes them, the seconds of its stages.
///   - backward: seconds of the last micro-batch's backward pass between the end of one bucket's gradient and the next.
///   - gather: seconds of gathering the parameters, which nothing hides.
///   - overlaps: whether buckets are reduced while backward computes the next ones; otherwise they wait for its end.
func exposedCommunication(
    reductions: [[Double]], backward: [Double], gather: Double, overlaps: Bool
) -> Double {
    let total = backward.reduce(0, +)
    var passed = 0.0
    let ready = backward.map { seconds in
        passed += seconds
        return overlaps ? passed : total
    }
    return max(pipelineEnd(ready: ready, stages: reductions) - total, 0) + gather
}
