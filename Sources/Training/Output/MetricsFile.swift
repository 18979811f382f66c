// MetricsFile - `metrics.jsonl`: a row per optimizer step, per evaluation and per save (design section 5).

internal import Foundation
public import Kernels

/// A training row.
public struct StepMetrics: Sendable {
    public var step: Int
    /// Positions consumed since step 1, ignored targets included.
    public var tokens: Int
    /// The objective.
    public var loss: Double
    /// Plain mean CE of the same targets, nats.
    public var crossEntropy: Double
    /// Mean H, nats.
    public var entropy: Double
    /// N / sum w.
    public var alpha: Double
    public var learningRate: Double
    /// Before clipping.
    public var gradientNorm: Double
    /// Without evaluation and saving.
    public var stepSeconds: Double
    public var tokensPerSecond: Double
    /// The step was not applied because something in it was not finite.
    public var isSkipped: Bool
    /// Sequences that each rank computed.
    public var rankSequences: [Int] = []
    /// Seconds for which each rank computed them.
    public var rankSeconds: [Double] = []
    /// With `logging.profile`: seconds of rank 0's phases.
    public var phases: [(phase: Phase, seconds: Double)]?

    public var json: JSONValue {
        var pairs: [(key: String, value: JSONValue)] = [
            ("step", .integer(step)), ("tokens", .integer(tokens)), ("loss", .number(loss)),
            ("ce", .number(crossEntropy)), ("entropy", .number(entropy)), ("alpha", .number(alpha)),
            ("lr", .number(learningRate)), ("grad_norm", .number(gradientNorm)),
            ("step_seconds", .number(stepSeconds)), ("tokens_per_second", .number(tokensPerSecond)),
        ]
        if let ranks { pairs.append(("ranks", ranks)) }
        if isSkipped { pairs.append(("skipped", .boolean(true))) }
        if let phases { pairs.append(("phases", .object(phases.map { ($0.phase.name, .number($0.seconds)) }))) }
        return .object(pairs)
    }
}

extension StepMetrics {
    /// What depends on the ranks, and on nothing else of a row: who computed how much, and who took longest.
    private var ranks: JSONValue? {
        guard let slowest = rankSeconds.indices.max(by: { rankSeconds[$0] < rankSeconds[$1] }),
            let fastest = rankSeconds.indices.min(by: { rankSeconds[$0] < rankSeconds[$1] })
        else { return nil }
        return .object([
            ("sequences", .array(rankSequences.map { .integer($0) })), ("slowest", .integer(slowest)),
            ("slowest_seconds", .number(rankSeconds[slowest])), ("fastest", .integer(fastest)),
            ("fastest_seconds", .number(rankSeconds[fastest])),
        ])
    }
}

/// The result of an evaluation, and its row.
public struct EvaluationResult: Sendable, Equatable {
    public struct Domain: Sendable, Equatable {
        public var name: String
        /// Non-ignored targets.
        public var targets: Int
        /// Sum of their CE, nats.
        public var crossEntropySum: Double

        /// Mean CE, nats.
        public var crossEntropy: Double { targets > 0 ? crossEntropySum / Double(targets) : .nan }
    }

    public var domains: [Domain]

    public var targets: Int { domains.reduce(0) { $0 + $1.targets } }

    /// Total CE over total targets, nats.
    public var crossEntropy: Double {
        targets > 0 ? domains.reduce(0) { $0 + $1.crossEntropySum } / Double(targets) : .nan
    }

    public func json(step: Int) -> JSONValue {
        .object([
            ("step", .integer(step)), ("validation_ce", .number(crossEntropy)),
            ("domains", .object(domains.map { ($0.name, .number($0.crossEntropy)) })),
        ])
    }
}

/// The file that rows are appended to; rank 0 only.
final class MetricsFile {
    private let handle: FileHandle
    private let path: String
    /// Keeps the run directory locked for as long as rows may be written.
    private let directory: RunDirectory

    /// Opens for appending. A line that a killed run left unfinished is cut off: readers expect whole rows.
    init(path: String, holding directory: RunDirectory) throws {
        self.path = path
        self.directory = directory
        do {
            if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
            handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try handle.seek(toOffset: Self.lengthOfWholeLines(handle))
            try handle.truncate(atOffset: try handle.offset())
        } catch {
            throw ProgramFailure(.badInput, "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// Whether the last training row of `step` is followed by no evaluation of it: an earlier one is of an earlier pass.
    func lacksEvaluation(step: Int) throws -> Bool {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be read: \(error.localizedDescription)")
        }
        // As the rows of this program begin.
        let lines = text.split(separator: "\n")
        guard let trained = lines.lastIndex(where: { $0.hasPrefix("{\"step\": \(step), \"tokens\":") }) else {
            return false
        }
        return !lines[trained...].contains { $0.hasPrefix("{\"step\": \(step), \"validation_ce\":") }
    }

    func append(_ row: JSONValue) throws {
        do {
            try handle.write(contentsOf: Data((row.text + "\n").utf8))
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    private static func lengthOfWholeLines(_ handle: FileHandle) throws -> UInt64 {
        let size = try handle.seekToEnd()
        var end = size
        // Rows are short: a few kilobytes from the end hold the last line break.
        while end > 0 {
            let start = end > 4096 ? end - 4096 : 0
            try handle.seek(toOffset: start)
            let piece = try handle.read(upToCount: Int(end - start)) ?? Data()
            if let last = piece.lastIndex(of: UInt8(ascii: "\n")) {
                return start + UInt64(last - piece.startIndex) + 1
            }
            end = start
        }
        return 0
    }
}
