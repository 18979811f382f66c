// Cores - which processor cores this rank may use, and how many threads it should run.

internal import Foundation

/// The cores that the launcher bound to this process.
package enum Cores {
    /// Numbers of the allowed cores. Linux states them in `/proc/self/status`; elsewhere all active cores count.
    package static func available() -> [Int] {
        let all = Array(0..<max(ProcessInfo.processInfo.activeProcessorCount, 1))
        return allowed(statusFile: "/proc/self/status") ?? all
    }

    /// The cores that the kernel allows to the process with this `status` file; nil where it does not say.
    package static func allowed(statusFile: String) -> [Int]? {
        guard let status = try? String(contentsOfFile: statusFile, encoding: .utf8) else { return nil }
        let key = "Cpus_allowed_list:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return nil }
        return parse(line.dropFirst(key.count).trimmingCharacters(in: .whitespaces))
    }

    /// Reads a list as the kernel writes it: `0-3,8,10-11`. Nil for anything else.
    package static func parse(_ list: String) -> [Int]? {
        var cores: [Int] = []
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last else {
                return nil
            }
            cores += Array(first...last)
        }
        return cores.isEmpty ? nil : cores
    }
}

/// How many threads a rank runs, and whether idle ones may poll.
package struct ThreadPlan: Equatable {
    package let threads: Int
    /// Whether idle threads poll, which saves wake-ups. With more threads than cores it would take the core from the
    /// thread that is waited for.
    package let spins: Bool

    /// - Parameters:
    ///   - requested: `training.threads`; 0: the cores bound to the rank, shared evenly among the ranks of the node
    ///     that have some of the same ones, but no more than the control group's share of the rank.
    ///   - cores: cores of this rank.
    ///   - sharingRanks: ranks of this node with some of the same cores, this one included.
    ///   - quota: cores that the control group allows to the rank at a time; nil: no limit.
    init(requested: Int, cores: Int, sharingRanks: Int, quota: Double? = nil) {
        let share = max(cores / max(sharingRanks, 1), 1)
        let allowed = quota.map { max(Int($0), 1) } ?? share
        threads = requested > 0 ? requested : min(share, allowed)
        spins = threads * sharingRanks <= cores && Double(threads) <= quota ?? .infinity
    }
}
