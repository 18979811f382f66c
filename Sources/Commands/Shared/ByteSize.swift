// ByteSize - byte counts as commands print them.

internal import Foundation

enum ByteSize {
    /// A byte count as text: `17.3 MiB`.
    static func text(_ bytes: Int) -> String {
        bytes < 1 << 30
            ? String(format: "%.1f MiB", Double(bytes) / 0x1p20) : String(format: "%.1f GiB", Double(bytes) / 0x1p30)
    }
}
