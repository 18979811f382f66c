// FaultInjection - numbers spoiled on purpose, for the tests of what a run does about them.

internal import Foundation
package import Kernels
internal import Reporting
package import Tensors

/// The faults that the environment variable `MILE_FAULT` names: `nan-loss:RANK:STEP`, `nan-gradient:RANK:STEP` or, for
/// `doctor`, `clock-skew:RANK:SECONDS`; several are separated by commas. Without the variable there is none.
package struct FaultInjection {
    private enum Kind: String {
        case loss = "nan-loss"
        case gradient = "nan-gradient"
        case clock = "clock-skew"
    }

    package static let none = FaultInjection(faults: [])

    /// A step for NaNs, seconds for a clock.
    private let faults: [(kind: Kind, number: Int)]

    private init(faults: [(kind: Kind, number: Int)]) { self.faults = faults }

    /// - Parameter text: the variable's value; nil for none.
    /// - Throws: status 2 for an unknown fault. Why: a test would otherwise run without its fault.
    package init(rank: Int, text: String? = ProcessInfo.processInfo.environment["MILE_FAULT"]) throws {
        faults = try (text ?? "").split(separator: ",").compactMap { fault in
            let parts = fault.split(separator: ":")
            guard parts.count == 3, let kind = Kind(rawValue: String(parts[0])), let place = Int(parts[1]),
                let number = Int(parts[2])
            else {
                throw ProgramFailure(
                    .badInput,
                    "MILE_FAULT has \"\(fault)\" instead of nan-loss:RANK:STEP, nan-gradient:RANK:STEP or "
                        + "clock-skew:RANK:SECONDS. Unset it unless a fault is wanted.")
            }
            return place == rank ? (kind, number) : nil
        }
    }

    /// Seconds that this rank's clock goes wrong.
    package var clockSkewSeconds: Int { faults.lazy.filter { $0.kind == .clock }.reduce(0) { $0 + $1.number } }

    /// Puts a NaN into the gradient if a fault names this rank and step.
    package func spoil(_ gradient: FloatSlice, step: Int) {
        if faults.contains(where: { $0 == (.gradient, step) }) { gradient[0] = .nan }
    }

    /// `sums`, or NaN if a fault names this rank and step.
    package func spoiled(_ sums: LossSums, step: Int) -> LossSums {
        guard faults.contains(where: { $0 == (.loss, step) }) else { return sums }
        var spoiled = sums
        spoiled.weightedCrossEntropy = .nan
        return spoiled
    }
}
