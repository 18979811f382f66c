// ConfigurationSource - the text of a configuration, read once and given to every rank.

public import Configuration
internal import Foundation
internal import MessagePassing

/// The configuration of a run, before it is decoded.
public struct ConfigurationSource {
    private let session: Session
    private let text: String
    private let file: String
    private let name: String

    /// Reads `path` on rank 0 and broadcasts it; without a path, the embedded job. Collective.
    public init(_ session: Session, path: String?) throws {
        self.session = session
        guard let path else {
            (text, name) = RunConfiguration.embeddedJob
            file = "the embedded job"
            return
        }
        text = try session.communicator.textFromRankZero {
            guard FileManager.default.fileExists(atPath: path) else {
                throw ProgramFailure(.badInput, "\(path): there is no such configuration file.")
            }
            let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            guard type != .typeDirectory else {
                throw ProgramFailure(.badInput, "\(path): this is a directory; a YAML file is needed.")
            }
            do {
                return try String(contentsOfFile: path, encoding: .utf8)
            } catch {
                throw ProgramFailure(.badInput, "\(path) cannot be read as text: \(RunDirectory.reason(error))")
            }
        }
        file = path
        let last = path.split(separator: "/").last.map(String.init) ?? path
        name =
            last.hasSuffix(".yaml")
            ? String(last.dropLast(5)) : last.hasSuffix(".yml") ? String(last.dropLast(4)) : last
    }

    /// Decodes and validates; every rank gets the same value or the same error.
    public func load(overrides: [String]) throws -> RunConfiguration {
        try session.communicator.agreed {
            try RunConfiguration.load(text: text, file: file, name: name, overrides: overrides)
        }
    }
}
