// ModelFiles - names of the files in a model's directory.

/// The names of a model's files.
enum ModelFiles {
    static let configuration = "config.json"
    static let generation = "generation_config.json"
    static let single = "model.safetensors"
    static let index = "model.safetensors.index.json"
    /// What the names of unfinished downloads end with.
    static let unfinishedEndings = [".part", ".partial", ".incomplete", ".crdownload", ".aria2", ".tmp", ".download"]

    static func shard(_ number: Int, of count: Int) -> String {
        func digits(_ value: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, 5 - text.count)) + text
        }
        return "model-\(digits(number))-of-\(digits(count)).safetensors"
    }
}
