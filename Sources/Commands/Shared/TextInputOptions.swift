// TextInputOptions - options of commands that read text files: key, separator, encoding, format of streams.

internal import ArgumentParser
internal import JobRuntime
internal import Reporting
internal import TokenData

/// `--text-key`, `--document-separator`, `--encoding` and `--input-format`.
struct TextInputOptions: ParsableArguments {
    /// The words of ``TextEncoding``.
    enum Encoding: String, CaseIterable, ExpressibleByArgument {
        case utf8 = "utf-8"
        case latin1 = "latin-1"
        case utf16 = "utf-16"

        var encoding: TextEncoding {
            switch self {
            case .utf8: .utf8
            case .latin1: .latin1
            case .utf16: .utf16
            }
        }
    }

    /// The words of ``StreamFormat``.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case jsonl, txt

        var format: StreamFormat { self == .jsonl ? .jsonl : .txt }
    }

    @Option(
        help: ArgumentHelp(
            "Key of the text in JSON lines, column in Parquet; a.b is key b of the object a, unless a key is named a.b.",
            valueName: "key"))
    var textKey = "text"

    @Option(
        help: ArgumentHelp(
            "Text between the documents of a .txt file, as '<|endoftext|>'; without it a file is one document.",
            valueName: "text"))
    var documentSeparator: String?

    @Option(help: "Encoding of .txt files and JSON lines.")
    var encoding = Encoding.utf8

    @Option(help: "What standard input and pipes hold: jsonl or txt. Without it: jsonl, if they begin with {.")
    var inputFormat: Format?

    func validate() throws {
        guard !textKey.isEmpty else { throw ValidationError("--text-key: it is empty; allowed: the name of a key.") }
        guard documentSeparator != "" else {
            throw ValidationError("--document-separator: it is empty; allowed: text of at least one byte.")
        }
    }

    var reading: TextReading {
        TextReading(textKey: textKey, separator: documentSeparator, encoding: encoding.encoding)
    }

    /// Copies the streams among `files`, one after the other.
    ///
    /// - Parameter path: the path of a copy without its ending, by the index of the file.
    /// - Returns: the copies; nil if a signal stopped the copying, and no copy is left.
    func copyStreams(
        among files: [String], _ console: Console, isStopped: () -> Bool, to path: (_ index: Int) -> String
    ) throws -> [SpooledInput]? {
        var copies: [SpooledInput] = []
        var lastShown = ContinuousClock.now
        do {
            for (index, file) in files.enumerated() where SpooledInput.isStream(file) {
                let copy = try SpooledInput(
                    file, to: path(index), format: inputFormat?.format, reading: reading, isStopped: isStopped
                ) { bytes in
                    guard lastShown.secondsAgo > 2 else { return }
                    lastShown = .now
                    console.progress("\(file): \(ByteSize.text(bytes)) read")
                }
                guard let copy else {
                    for copy in copies { copy.remove() }
                    return nil
                }
                copies.append(copy)
            }
        } catch {
            for copy in copies { copy.remove() }
            throw error
        }
        console.endLiveLine()
        return copies
    }
}
