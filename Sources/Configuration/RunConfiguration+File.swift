// RunConfiguration+File - a configuration from a file.

internal import Foundation

extension RunConfiguration {
    /// Reads and validates the configuration file at `path`; its base name without extension is the run's name.
    public static func load(path: String, overrides: [String] = []) throws(ConfigurationError) -> RunConfiguration {
        let url = URL(fileURLWithPath: path)
        let data: Data
        do {
            data = try Data(contentsOf: url)
        } catch {
            throw ConfigurationError(
                at: Origin(file: path), key: "", found: "no readable file (\(error.localizedDescription))",
                allowed: "the path of a YAML file")
        }
        guard let text = String(bytes: data, encoding: .utf8) else {
            throw ConfigurationError(
                at: Origin(file: path), key: "", found: "bytes that are not UTF-8", allowed: "a YAML file in UTF-8")
        }
        return try load(
            text: text, file: path, name: url.deletingPathExtension().lastPathComponent, overrides: overrides)
    }
}
