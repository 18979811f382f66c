// ControlGroup - the memory and cores that control groups (containers, Slurm, systemd) leave to this process.

internal import Foundation

/// The limits of this process's control groups, of version 1 or 2. A group's limit holds for all groups below it, so
/// the tightest limit on the way to the root counts.
package struct ControlGroup {
    /// Usually `/proc`.
    package let proc: String
    /// Usually `/sys`.
    package let sys: String

    package init(proc: String, sys: String) {
        self.proc = proc
        self.sys = sys
    }

    /// Bytes until the memory limit; nil: no limit. Pages of files that the kernel can drop count as free.
    package var memory: Int? {
        let unified = folders("").compactMap { folder in
            headroom(folder, limit: "memory.max", used: "memory.current", reclaimable: "inactive_file")
        }
        let old = folders("memory").compactMap { folder in
            headroom(
                folder, limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes",
                reclaimable: "total_inactive_file")
        }
        return (unified + old).min()
    }

    /// Cores of the quota, as core seconds per second; nil: no limit.
    package var cores: Double? {
        let unified = folders("").compactMap { folder -> Double? in
            let fields = text("\(folder)/cpu.max")?.split(whereSeparator: \.isWhitespace).map { Double($0) } ?? []
            guard fields.count == 2, let quota = fields[0], let period = fields[1], period > 0 else { return nil }
            return quota / period
        }
        let old = folders("cpu").compactMap { folder -> Double? in
            guard let quota = number("\(folder)/cpu.cfs_quota_us"), quota > 0,
                let period = number("\(folder)/cpu.cfs_period_us"), period > 0
            else { return nil }
            return Double(quota) / Double(period)
        }
        return (unified + old).min()
    }

    /// Folders of this process's group and of all above it.
    ///
    /// - Parameter controller: of version 1; empty for version 2.
    private func folders(_ controller: String) -> [String] {
        let groups = (text("\(proc)/self/cgroup") ?? "").split(separator: "\n")
        for group in groups {
            // number:controllers:path
            let fields = group.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let names = fields[1].split(separator: ",")
            guard controller.isEmpty ? fields[1].isEmpty : names.contains(Substring(controller)) else { continue }
            let root = "\(sys)/fs/cgroup" + (controller.isEmpty ? "" : "/\(controller)")
            let steps = fields[2].split(separator: "/").map(String.init)
            return (0...steps.count).map { ([root] + steps.prefix($0)).joined(separator: "/") }
        }
        return []
    }

    private func headroom(_ folder: String, limit: String, used: String, reclaimable: String) -> Int? {
        // Version 1 writes a number near 2^63 where there is no limit.
        guard let limit = number("\(folder)/\(limit)"), limit < 1 << 60, let used = number("\(folder)/\(used)") else {
            return nil
        }
        let row = text("\(folder)/memory.stat")?.split(separator: "\n").first { $0.hasPrefix(reclaimable + " ") }
        let inactive = row?.split(separator: " ").last.flatMap { Int($0) } ?? 0
        return max(limit - max(used - inactive, 0), 0)
    }

    private func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    /// A file that holds one number; nil for another text, as `max` is.
    private func number(_ path: String) -> Int? {
        text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
}
