// SharedData - the folder of real text beside the package, which tests use where it is present.

internal import Foundation

/// Finds `shared/data` without naming a machine's paths.
public enum SharedData {
    /// The folder named by the environment variable `MILE_SHARED_DATA`, or else `../shared/data` beside the package's
    /// root; nil where it is absent.
    public static let directory: String? = {
        if let named = ProcessInfo.processInfo.environment["MILE_SHARED_DATA"], !named.isEmpty {
            return isDirectory(named) ? named : nil
        }
        let beside = URL(fileURLWithPath: packageRoot).deletingLastPathComponent().appendingPathComponent("shared/data")
            .path
        return isDirectory(beside) ? beside : nil
    }()

    /// The path of a file of the folder; nil where it is absent.
    public static func path(_ name: String) -> String? {
        guard let directory else { return nil }
        let path = "\(directory)/\(name)"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    /// The folder of `Package.swift`, found upward from this file.
    public static let packageRoot: String = {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) { break }
            folder.deleteLastPathComponent()
        }
        return folder.path
    }()

    private static func isDirectory(_ path: String) -> Bool {
        (try? URL(fileURLWithPath: path).resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true
    }
}
