// FaultInjection - numbers spoiled on purpose, for the tests of what a run does about them.

internal import Foundation
internal import Kernels
internal import Tensors

/// What the environment variable `MILE_FAULT` asks for: `nan-loss:RANK:STEP` or `nan-gradient:RANK:STEP`, several separated
/// by commas. Nothing is spoiled without it.
struct FaultInjection {
    private enum Kind: String {
        case loss = "nan-loss"
        case gradient = "nan-gradient"
    }

    private let faults: [(kind: Kind, step: Int)]

    /// - Parameter text: the variable's value; what is not understood is a mistake in a test, and traps.
    init(rank: Int, text: String? = ProcessInfo.processInfo.environment["MILE_FAULT"]) {
        faults = (text ?? "").split(separator: ",").compactMap { fault in
            let parts = fault.split(separator: ":")
            guard parts.count == 3, let kind = Kind(rawValue: String(parts[0])), let place = Int(parts[1]),
                let step = Int(parts[2])
            else { fatalError("MILE_FAULT is \"\(fault)\" instead of KIND:RANK:STEP") }
            return place == rank ? (kind, step) : nil
        }
    }

    /// Puts a NaN into the gradient where that was asked for.
    func spoil(_ gradient: FloatSlice, step: Int) {
        if faults.contains(where: { $0 == (.gradient, step) }) { gradient[0] = .nan }
    }

    /// `sums`, or NaN where that was asked for.
    func spoiled(_ sums: LossSums, step: Int) -> LossSums {
        guard faults.contains(where: { $0 == (.loss, step) }) else { return sums }
        var spoiled = sums
        spoiled.weightedCrossEntropy = .nan
        return spoiled
    }
}
