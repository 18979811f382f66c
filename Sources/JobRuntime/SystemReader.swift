// SystemReader - the environment and the kernel's files, from which facts about this process are read.

internal import Foundation
package import Reporting

/// Where facts are read from; tests plant their own.
package struct SystemReader {
    package var environment = ProcessInfo.processInfo.environment
    /// Where the kernel's files on processes are.
    package var proc = "/proc"
    /// Where its files on devices and control groups are.
    package var sys = "/sys"

    package init() {}

    /// Text of a file; nil where it cannot be read.
    package func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// Whether a process was started with this variable; false where its environment cannot be read.
    func hasVariable(_ name: String, _ value: String, process: Int) -> Bool {
        guard let environment = FileManager.default.contents(atPath: "\(proc)/\(process)/environ") else { return false }
        return environment.split(separator: 0).contains { $0.elementsEqual("\(name)=\(value)".utf8) }
    }

    // MARK: Launch

    /// What the launcher has put into the environment.
    package var launcherVariables: LauncherVariables { LauncherVariables(environment) }

    /// How many ranks the launcher has started.
    package var announcement: LauncherVariables.Announcement? { launcherVariables.announcement }

    /// Whether `srun` has started several ranks without offering them a way to find each other.
    package var isStrandedUnderSlurm: Bool { launcherVariables.isStrandedUnderSlurm }
}
