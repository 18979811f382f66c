// SpooledInput - standard input or a pipe, kept in a file because it can be read once only.

internal import Digests
internal import Glibc
internal import InputFiles
internal import Primitives
internal import Reporting
internal import SentencePieceText

/// The format of a stream, which has no name with an ending.
public enum StreamFormat: String, CaseIterable, Codable, Sendable {
    case jsonl, txt
}

/// Standard input, or a pipe, copied to a file. A copy with the ending of its format is read as every file is.
public struct SpooledInput: Codable, Equatable, Sendable {
    /// The name of the stream: `-`, or the path of a pipe.
    public let name: String
    /// The path of the copy.
    public let path: String
    /// Number of bytes.
    public let size: Int
    /// SHA-256 of the bytes, by which a preparation knows the text again.
    public let hash: String

    /// Whether `argument` is standard input or a pipe.
    public static func isStream(_ argument: String) -> Bool {
        argument == InputList.standardInput || FileKind.at(argument) == .other
    }

    private static let blockSize = 1 << 20

    /// Copies a stream to its end.
    ///
    /// - Parameters:
    ///   - name: `-`, or the path of a pipe.
    ///   - prefix: path of the copy without the ending.
    ///   - format: the format; nil tells it from the first bytes.
    ///   - reading: the settings by which it is read.
    ///   - isStopped: looked at twice a second or more often.
    ///   - progress: called with the bytes copied so far.
    /// - Returns: nil if the copying was stopped; the copy is then removed.
    /// - Throws: ``DataError`` for a stream that is no text; ``InputError`` if it cannot be read or kept.
    public init?(
        _ name: String, to prefix: String, format: StreamFormat?, reading: TextReading, isStopped: () -> Bool,
        progress: (Int) -> Void = { _ in }
    ) throws {
        let temporary = prefix + ".unfinished"
        do {
            guard let copied = try Self.copy(name, to: temporary, format, reading, isStopped, progress) else {
                _ = unsafe unlink(temporary)
                return nil
            }
            let ending = try Self.ending(ofFile: temporary, name: name, format, reading)
            path = prefix + ending
            guard unsafe rename(temporary, path) == 0 else { throw Self.writeFailure(temporary, errno) }
            self.name = name
            (size, hash) = copied
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
    }

    /// Removes the copy, if it exists.
    public func remove() { _ = unsafe unlink(path) }

    private static func writeFailure(_ path: String, _ code: Int32) -> InputError {
        InputError(
            file: path, problem: "cannot be written: \(unsafe String(cString: strerror(code)))",
            remedy: "standard input and pipes are kept beside the output: give it a disk with room for them")
    }

    /// Copies the bytes, and hashes them. The corresponding C functions are `open`, `poll`, `read` and `write`.
    private static func copy(
        _ name: String, to path: String, _ format: StreamFormat?, _ reading: TextReading, _ isStopped: () -> Bool,
        _ progress: (Int) -> Void
    ) throws -> (Int, String)? {
        let isStandard = name == InputList.standardInput
        // Opening a pipe without a writer would wait, and hear no signal.
        let input =
            isStandard ? STDIN_FILENO : retryingOnInterrupt { unsafe open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard input >= 0 else {
            throw DataError(
                file: name, problem: "cannot be read: \(lastSystemError())", remedy: "check its permissions")
        }
        defer { if !isStandard { _ = close(input) } }
        let output = retryingOnInterrupt { unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666) }
        guard output >= 0 else { throw writeFailure(path, errno) }
        var isOpen = true
        defer { if isOpen { _ = close(output) } }
        let hasher = SHA256()
        var size = 0
        while !isStopped() {
            var state = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
            let ready = retryingOnInterrupt { unsafe poll(&state, 1, 250) }
            if ready == 0 { continue }
            guard ready > 0 else { throw readFailure(name, errno) }
            guard let block = try block(input, name) else { continue }
            if block.isEmpty {
                isOpen = false
                guard close(output) == 0 else { throw writeFailure(path, errno) }
                return (size, hexadecimalDigits(of: hasher.finalize()))
            }
            // Told before hours of copying, if enough bytes are there.
            if size == 0, format == nil, block.count >= 16, block.contains(where: { $0 > 0x20 }),
                reading.encoding == .utf8, MagicFormat(block) == nil,
                !block.starts(with: "PAR1".utf8)
            {
                _ = try layoutEnding(block, name)
            }
            unsafe block.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
            if let code = StandardStreams.write(block, to: output) { throw writeFailure(path, code) }
            size += block.count
            progress(size)
        }
        return nil
    }

    /// The bytes that are there; nil if there are none yet, and empty at the end.
    private static func block(_ input: Int32, _ name: String) throws -> [UInt8]? {
        var code: Int32 = 0
        let block = unsafe [UInt8](unsafeUninitializedCapacity: blockSize) { memory, initializedCount in
            let count = retryingOnInterrupt { unsafe read(input, memory.baseAddress, blockSize) }
            if count < 0 { code = errno }
            initializedCount = max(count, 0)
        }
        if code == EAGAIN { return nil }
        guard code == 0 else { throw readFailure(name, code) }
        return block
    }

    private static func readFailure(_ name: String, _ code: Int32) -> InputError {
        InputError(
            file: name == InputList.standardInput ? "standard input" : name,
            problem: "reading failed: \(unsafe String(cString: strerror(code)))", remedy: "run the same command again")
    }

    /// The ending of a file of the copy's format.
    private static func ending(
        ofFile path: String, name: String, _ format: StreamFormat?, _ reading: TextReading
    ) throws -> String {
        let plain = "." + (format ?? .txt).rawValue
        guard case .regular(let size) = FileKind.at(path), size > 0 else { return plain }
        let start = try ReadableFile(path: path).bytes(at: 0, count: min(size, 4096))
        if start.starts(with: "PAR1".utf8) { return DocumentSource.parquet.suffix }
        let magic = MagicFormat(start)
        let packing = Compression.all.first { $0.compression.magic == magic }
        if let format { return "." + format.rawValue + (packing?.ending ?? "") }
        let source = DocumentSource(suffix: "", layout: .text, compression: packing?.compression)
        let stream = try TextStream(TextFile(path: path, format: source, reading: reading, name: name))
        return try layoutEnding(try stream.next() ?? [], name) + (packing?.ending ?? "")
    }

    /// `.jsonl` for text that begins as an object.
    ///
    /// - Throws: ``DataError`` for other text: damaged lines must not become one document silently.
    private static func layoutEnding(_ start: [UInt8], _ name: String) throws -> String {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = start.starts(with: mark) ? start.dropFirst(mark.count) : start[...]
        guard text.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else {
            throw DataError(
                file: name, problem: "it does not begin as lines of JSON objects do",
                remedy: "say what it holds: --input-format txt, or --input-format jsonl")
        }
        return "." + StreamFormat.jsonl.rawValue
    }
}
