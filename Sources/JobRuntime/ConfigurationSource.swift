// ConfigurationSource - the text of a configuration, read once and given to every rank.

public import Configuration
internal import Foundation
internal import Glibc
internal import MessagePassing
internal import Primitives
internal import Reporting

/// The configuration of a run, before it is decoded.
public struct ConfigurationSource {
    private let process: ProcessContext
    private let text: String
    private let file: String
    private let name: String

    /// Reads `path` on rank 0 and broadcasts it; `-` is standard input; without a path, the self-test job. Collective.
    public init(_ process: ProcessContext, path: String?) throws {
        self.process = process
        guard let path else {
            (text, name) = RunConfiguration.selfTestJob
            file = "the embedded job"
            return
        }
        let place = path == "-" ? "/dev/stdin" : path
        text = try process.communicator.textFromRankZero { try Self.read(place) }
        file = place
        name = Self.name(of: place)
    }

    /// Most bytes of a configuration: a thousand times any real one. Why: an endless device must be an error.
    static let mostBytes = 16 << 20

    /// The text of a file, a pipe or a device, each of which can be read once.
    static func read(_ path: String) throws -> String {
        guard FileManager.default.fileExists(atPath: path) else {
            throw ProgramFailure(.badInput, "\(path): there is no such configuration file.")
        }
        let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
        guard type != .typeDirectory else {
            throw ProgramFailure(.badInput, "\(path): this is a directory; a YAML file is needed.")
        }
        let bytes: [UInt8]
        do {
            bytes = try self.bytes(path)
        } catch {
            throw ProgramFailure(.badInput, "\(path) cannot be read: \(error)")
        }
        guard bytes.count <= mostBytes else {
            throw ProgramFailure(
                .badInput, "\(path) has more than \(mostBytes) bytes: this is no configuration; a YAML file is needed.")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProgramFailure(.badInput, "\(path) is not UTF-8 text; a YAML file in UTF-8 is needed.")
        }
        return text
    }

    /// All bytes, or the first ones beyond ``mostBytes``. The corresponding C functions are `open` and `read`.
    private static func bytes(_ path: String) throws(SystemError) -> [UInt8] {
        // Opened anew, a socket as standard input would be refused, and a file would be read from its start again.
        let descriptor = unsafe path == "/dev/stdin" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(code: errno) }
        // Nothing was written, so a failing close loses nothing.
        defer { _ = close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= mostBytes {
            let count = unsafe block.withUnsafeMutableBytes { memory in
                retryingOnInterrupt { unsafe Glibc.read(descriptor, memory.baseAddress, memory.count) }
            }
            guard count >= 0 else { throw SystemError(code: errno) }
            if count == 0 { break }
            bytes += block[..<count]
        }
        return bytes
    }

    /// The configuration's name: the file's, without its ending.
    ///
    /// Why not the number of a descriptor: `<(...)` has another one each time, and the run directory is named so.
    static func name(of path: String) -> String {
        let parts = path.split(separator: "/").map(String.init)
        let last = parts.last ?? path
        let isDescriptor = path.hasPrefix("/dev/fd/") || (path.hasPrefix("/proc/") && parts.dropLast().last == "fd")
        if isDescriptor { return last == "0" ? "stdin" : "pipe" }
        for ending in [".yaml", ".yml"] where last.hasSuffix(ending) { return String(last.dropLast(ending.count)) }
        return last
    }

    /// The decoded and validated configuration, the same on every rank; collective.
    ///
    /// - Parameter overrides: assignments `KEY=VALUE`, in order.
    /// - Throws: status 2 on every rank for a mistake in the text or the overrides.
    public func load(overrides: [String]) throws -> RunConfiguration {
        try process.communicator.agreed {
            try RunConfiguration.load(text: text, file: file, name: name, overrides: overrides)
        }
    }
}
