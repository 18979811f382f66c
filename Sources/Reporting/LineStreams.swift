// LineStreams - standard input and output of the commands that convert text, line by line.

internal import Glibc
internal import Primitives

/// A file or standard input, line by line.
package final class LineInput {
    /// The file's name in errors.
    package let name: String
    private let descriptor: Int32
    private let isOwned: Bool

    /// Opens a file.
    ///
    /// - Throws: status 2 when it cannot be opened or is a directory.
    package init(path: String) throws {
        let opened = retryingOnInterrupt { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard opened >= 0 else { throw Self.failure(path) }
        var status = stat()
        if unsafe fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            // Nothing was written, so a failing close loses nothing.
            _ = close(opened)
            throw ProgramFailure(.badInput, "\(path): this is a directory; give the files in it.")
        }
        (name, descriptor, isOwned) = (path, opened, true)
    }

    private init(name: String, descriptor: Int32) {
        (self.name, self.descriptor, isOwned) = (name, descriptor, false)
    }

    package static func standard() -> LineInput { LineInput(name: "standard input", descriptor: STDIN_FILENO) }

    // Nothing was written, so a failing close loses nothing.
    deinit { if isOwned { _ = close(descriptor) } }

    /// Calls `body` with each line, without its line feed, and its number from 1. A last line may have no line feed.
    ///
    /// - Parameter atPause: called before each wait for more input.
    /// - Throws: status 2 when the input cannot be read, and the errors of `body` and `atPause`.
    package func forEachLine(
        _ body: (_ line: [UInt8], _ number: Int) throws -> Void, atPause: () throws -> Void
    ) throws {
        var (line, number): ([UInt8], Int) = ([], 0)
        while true {
            try atPause()
            let chunk = try next()
            if chunk.isEmpty { break }
            var rest = chunk[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                number += 1
                try body(line + rest[..<end], number)
                line = []
                rest = rest[(end + 1)...]
            }
            line += rest
        }
        if !line.isEmpty { try body(line, number + 1) }
    }

    private func next(limit: Int = 1 << 16) throws -> [UInt8] {
        var hasFailed = false
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: limit) { memory, initializedCount in
            let count = retryingOnInterrupt { unsafe read(descriptor, memory.baseAddress, limit) }
            hasFailed = count < 0
            initializedCount = max(count, 0)
        }
        if hasFailed { throw Self.failure(name) }
        return chunk
    }

    private static func failure(_ name: String) -> ProgramFailure {
        ProgramFailure(.badInput, "\(name) cannot be read: \(unsafe String(cString: strerror(errno)))")
    }
}

/// Standard output for data, of which nothing may be lost.
package struct StandardOutput {
    /// The reader of the output has ended.
    package struct ReaderHasGone: Error {}

    private var pending: [UInt8] = []

    package init() {}
    private static let capacity = 1 << 16

    package mutating func append(_ bytes: [UInt8]) throws {
        pending += bytes
        if pending.count >= Self.capacity { try flush() }
    }

    /// Writes the pending bytes. The corresponding C function is `write`.
    ///
    /// - Throws: ``ReaderHasGone``; status 1 for another failure.
    package mutating func flush() throws {
        if let code = StandardStreams.write(pending, to: STDOUT_FILENO) {
            if code == EPIPE { throw ReaderHasGone() }
            throw ProgramFailure(.runtimeFailure, Console.unwritten(code))
        }
        pending.removeAll(keepingCapacity: true)
    }
}
