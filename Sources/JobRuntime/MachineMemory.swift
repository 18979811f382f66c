// MachineMemory - how much memory this node has left.

internal import Foundation

package enum MachineMemory {
    /// Bytes that can be allocated without swapping, as Linux estimates them (`MemAvailable` of `/proc/meminfo`); nil
    /// where the system does not say.
    package static var availableBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8) else { return nil }
        return parse(text)
    }

    /// Reads the text of `/proc/meminfo`, which states KiB.
    package static func parse(_ text: String) -> Int? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
