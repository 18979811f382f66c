// MachineIdentity - names of the processor, the program and the libraries that compute.

internal import Digests
internal import Foundation
internal import LinearAlgebra

/// Names of the processor, the program and the libraries, for the checkpoint's index. Bits are comparable only where
/// all of them agree.
package enum MachineIdentity {
    /// The processor's model name as the kernel states it.
    package static var processor: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        let name = line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        return name ?? "unknown processor"
    }

    /// SHA-256 of the running program's file.
    package static func programHash() throws -> String {
        // Read, not mapped: a file that becomes shorter while it is mapped ends the process.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/exe"))
        let hasher = SHA256()
        while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty { hasher.update(data: [UInt8](chunk)) }
        return hexadecimalDigits(of: hasher.finalize())
    }

    /// Every library that matmuls may come from.
    package static var libraries: String { BLASBackends.all.map(\.identity).joined(separator: ", ") }
}
