// SmallFiles - the files of a model's directory that a checkpoint carries: all but weights, folders and hidden files.

internal import Checkpointing
internal import JSONReading
internal import Reporting

/// Reads the files beside a model's weights.
struct SmallFiles {
    /// The configuration first, then the parts of the tokenizer, then the others by name.
    let files: [CarriedFile]
    /// A sentence about what is left out.
    let notes: [String]

    /// Most bytes of all files; the largest tokenizers have some tens of megabytes.
    static let largestTotal = 256 << 20
    /// Most files.
    static let mostFiles = 1000
    /// Most names in a sentence.
    private static let mostNamed = 8

    /// - Parameter limit: most bytes of all files.
    /// - Throws: ``CheckpointError`` for a directory or file that cannot be read.
    init(_ directory: String, limit: Int = SmallFiles.largestTotal) throws(CheckpointError) {
        let names = try Files.list(directory).filter { !$0.hasPrefix(".") && !Self.isOfWeights($0) }
        var found: [CarriedFile] = []
        var left: [String] = []
        var total = 0
        for name in names.filter(Self.isFirst) + names.filter({ !Self.isFirst($0) }) {
            let path = directory + "/" + name
            switch try Files.status(path) {
            case .file(let byteCount) where CarriedFile.isAllowed(name):
                guard byteCount <= limit - total, found.count < Self.mostFiles else {
                    left.append("\(quoted(name)) (\(GroupedNumber.text(byteCount)) bytes)")
                    continue
                }
                found.append(CarriedFile(name: name, bytes: try Files.read(path, limit: limit - total)))
                total += found[found.count - 1].bytes.count
            case .directory: left.append("\(quoted(name)) (a folder)")
            // A name that is no UTF-8 is read as another, which does not exist.
            case .file, .absent: left.append("\(quoted(name)) (its name)")
            case .other: left.append("\(quoted(name)) (no regular file)")
            }
        }
        files = found
        guard !left.isEmpty else {
            notes = []
            return
        }
        let rest = left.count > Self.mostNamed ? " and \(left.count - Self.mostNamed) more" : ""
        notes = [
            "\(directory): not carried: \(left.prefix(Self.mostNamed).joined(separator: ", "))\(rest); a checkpoint carries"
                + " plain files other than weights, up to \(GroupedNumber.mebibytes(limit)) and"
                + " \(GroupedNumber.text(Self.mostFiles)) files in all"
        ]
    }

    /// Whether a file is read before the others, so that it is not the one that is left out.
    private static func isFirst(_ name: String) -> Bool {
        CarriedFile.settingsNames.contains(name) || CarriedFile.isOfTokenizer(name)
    }

    /// What the names of weights, training states and unfinished downloads end with.
    private static let endings =
        [
            ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".msgpack", ".h5", ".hdf5", ".onnx",
            ".onnx_data", ".ot", ".npz", ".npy", ".tflite", ".mlmodel", ".distcp", ".pkl", ".pickle", ".lock",
        ] + ModelFiles.unfinishedEndings

    /// Whether a file of this name holds weights, describes files of weights, or is unfinished.
    static func isOfWeights(_ name: String) -> Bool {
        let name = name.lowercased()
        return endings.contains(where: name.hasSuffix) || name.contains(".safetensors.")
            || name.hasSuffix(".index.json") || name.contains(".ggml")
    }
}
