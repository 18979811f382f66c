// EvaluateCommand - `mile-dist eval`: unweighted CE of a checkpoint on files, overall and per domain.

internal import Configuration
internal import Foundation
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Tensors
internal import TokenData

/// `mile-dist eval CHECKPOINT --data FILE...`
public struct EvaluateCommand: Sendable {
    public var checkpoint: String
    /// `FILE` or `NAME=FILE`; each is a domain.
    public var data: [String]
    /// T; nil: the one of the training run.
    public var sequenceLength: Int?
    /// Sequences per domain; 0: all.
    public var limit: Int
    public var batchSize: Int
    public var threads: Int
    public var isJSON: Bool
    /// File that receives a line per target.
    public var perToken: String?

    public init(
        checkpoint: String, data: [String], sequenceLength: Int? = nil, limit: Int = 0, batchSize: Int = 8,
        threads: Int = 0, isJSON: Bool = false, perToken: String? = nil
    ) {
        self.checkpoint = checkpoint
        self.data = data
        self.sequenceLength = sequenceLength
        self.limit = limit
        self.batchSize = batchSize
        self.threads = threads
        self.isJSON = isJSON
        self.perToken = perToken
    }

    public func run(_ session: Session) throws -> ExitStatus {
        let communicator = session.communicator
        let loaded = try LoadedModel(session, path: checkpoint)
        let T = sequenceLength ?? loaded.sequenceLength
        guard T >= 1, T <= loaded.model.maxPositionEmbeddings else {
            throw ProgramFailure(
                .badInput,
                "--sequence-length \(T): allowed: 1 to the model's max_position_embeddings, "
                    + "\(loaded.model.maxPositionEmbeddings)", isShared: true)
        }
        let ignored = loaded.run?.data.ignoredTargets ?? []
        let domains = try communicator.agreed {
            try loadDomains(
                DataConfiguration(
                    tokenizer: loaded.tokenizer.name, train: [], validation: namedFiles(), sequenceLength: T,
                    ignoredTargets: ignored), vocabularySize: loaded.model.vocabularySize, purpose: .validation)
        }
        let pool = try session.makePool(requested: threads)
        let transformer = Transformer(
            loaded.model, parameters: .fp32(loaded.parameters), sequenceLength: T, maximumSequences: batchSize,
            forTraining: false, pool: pool)
        let evaluator = Evaluator(
            communicator: communicator, transformer: transformer, domains: domains, limit: limit,
            ignoredTargets: ignored)
        let writer = try perToken.map { path in
            try communicator.agreed { communicator.rank == 0 ? try PerTokenFile(path: path) : nil }
        }
        let result = try evaluator.run(perToken: writer.map { writer in { try writer?.append($0) } })
        report(session, loaded, result, bytes: byteCount(domains, loaded.tokenizer, ignored: Set(ignored)))
        return .done
    }

    /// Names the domains: as given, otherwise by the file's name, with its folders where two would be the same.
    private func namedFiles() throws -> [DataConfiguration.Domain] {
        let pairs = data.map { text -> (name: String, path: String) in
            if let equals = text.firstIndex(of: "="), !FileManager.default.fileExists(atPath: text) {
                return (String(text[..<equals]), String(text[text.index(after: equals)...]))
            }
            let file = text.split(separator: "/").last.map(String.init) ?? text
            return (file.split(separator: ".").first.map(String.init) ?? file, text)
        }
        return pairs.map { pair in
            let isUnique = pairs.filter { $0.name == pair.name }.count == 1
            return DataConfiguration.Domain(name: isUnique ? pair.name : pair.path, path: pair.path)
        }
    }

    /// Bytes of text that the evaluated targets stand for.
    private func byteCount(_ domains: [TokenDomain], _ tokenizer: any TokenData.Tokenizer, ignored: Set<Int32>) -> Int {
        domains.reduce(0) { total, domain in
            let count = limit > 0 ? min(limit, domain.source.sequenceCount) : domain.source.sequenceCount
            return (0..<count).reduce(total) { sum, sequence in
                let targets = domain.source.sequence(sequence).dropFirst().filter { !ignored.contains($0) }
                return sum + tokenizer.decode(targets).count
            }
        }
    }

    private func report(_ session: Session, _ loaded: LoadedModel, _ result: EvaluationResult, bytes: Int) {
        let ce = result.crossEntropy
        let bitsPerByte = bytes > 0 ? ce * Double(result.targets) / (log(2) * Double(bytes)) : .nan
        if isJSON {
            let domains = result.domains.map { domain -> (key: String, value: JSONValue) in
                (domain.name, .object([("tokens", .integer(domain.targets)), ("ce", .number(domain.crossEntropy))]))
            }
            let object = JSONValue.object([
                ("tokens", .integer(result.targets)), ("ce", .number(ce)), ("perplexity", .number(exp(ce))),
                ("bits_per_byte", .number(bitsPerByte)), ("domains", .object(domains)),
            ])
            session.console.raw(object.text + "\n")
            return
        }
        session.console.line("\(loaded.path), step \(loaded.step)")
        for domain in result.domains {
            session.console.line(
                String(format: "%@: CE %.4f over %d tokens", domain.name, domain.crossEntropy, domain.targets))
        }
        session.console.line(
            String(
                format: "all: CE %.4f nats, perplexity %.3f, %.4f bits per byte, %d tokens", ce, exp(ce), bitsPerByte,
                result.targets))
    }
}

/// One target of an evaluation.
struct TokenResult {
    /// Number of the target in its domain, counted from 0.
    let position: Int
    let token: Int32
    let crossEntropy: Double
    let entropy: Double
}

/// The file of `--per-token`: a JSON line per target.
private final class PerTokenFile {
    private let handle: FileHandle
    private let path: String

    init(path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw ProgramFailure(.badInput, "--per-token: \(path) cannot be written") }
        self.handle = handle
    }

    func append(_ results: [TokenResult]) throws {
        let lines = results.map { result in
            JSONValue.object([
                ("position", .integer(result.position)), ("token", .integer(Int(result.token))),
                ("ce", .number(result.crossEntropy)), ("entropy", .number(result.entropy)),
            ]).text + "\n"
        }
        do {
            try handle.write(contentsOf: Data(lines.joined().utf8))
        } catch {
            throw ProgramFailure(
                .runtimeFailure, "--per-token: \(path) cannot be written: \(RunDirectory.reason(error))")
        }
    }
}
