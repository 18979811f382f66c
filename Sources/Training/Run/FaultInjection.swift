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

    static let none = FaultInjection(faults: [])

    private let faults: [(kind: Kind, step: Int)]

    private init(faults: [(kind: Kind, step: Int)]) { self.faults = faults }

    /// - Parameter text: the variable's value; nil for none.
    /// - Throws: status 2 for what is not understood: a test would otherwise run without its fault.
    init(rank: Int, text: String? = ProcessInfo.processInfo.environment["MILE_FAULT"]) throws {
        faults = try (text ?? "").split(separator: ",").compactMap { fault in
            let parts = fault.split(separator: ":")
            guard parts.count == 3, let kind = Kind(rawValue: String(parts[0])), let place = Int(parts[1]),
                let step = Int(parts[2])
            else {
                throw ProgramFailure(
                    .badInput,
                    "MILE_FAULT has \"\(fault)\" instead of nan-loss:RANK:STEP or nan-gradient:RANK:STEP. Unset it unless a "
                        + "fault is wanted.")
            }
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
