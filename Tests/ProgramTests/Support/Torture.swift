// Torture - how much the fault injection does, and from which seed.

import Foundation
import TestSupport

/// The settings of the tests that kill and damage at random.
///
/// Each runs a small budget in `make test` and a long one in `make torture`. What case `i` does follows from
/// `MILE_TORTURE_SEED + i` alone: a budget of 1 with that sum, which a failure prints, repeats it.
enum Torture {
    /// The first case's number.
    static func seed() throws -> UInt64 { try number("MILE_TORTURE_SEED") ?? 1 }

    /// Number of cases that the environment asks for, or else `budget`.
    static func cases(_ variable: String, budget: Int) throws -> Int { try number(variable) ?? budget }

    /// One line on standard error: what a long run did.
    static func report(_ text: String, since begin: ContinuousClock.Instant) {
        let seconds = (ContinuousClock.now - begin) / Duration.seconds(1)
        FileHandle.standardError.write(Data(("torture: \(text), " + String(format: "%.1f s\n", seconds)).utf8))
    }

    /// A long run that silently is a short one would be worse than none.
    private static func number<Number: FixedWidthInteger>(_ variable: String) throws -> Number? {
        guard let text = ProcessInfo.processInfo.environment[variable], !text.isEmpty else { return nil }
        guard let number = Number(text), number >= 0 else {
            throw UnexpectedText("\(variable) is '\(text)', not a whole number")
        }
        return number
    }
}

extension Inspection {
    /// All that is trained, by role and tensor.
    var trained: [String: [String: String]] {
        Dictionary(uniqueKeysWithValues: ["parameter", "first_moment", "second_moment"].map { ($0, hashes($0)) })
    }
}
