// RunRecord - the content of a run directory: configuration, loss curve, evaluations and history.

internal import Configuration
internal import Foundation
internal import Optimization
internal import Reporting
internal import TokenData

/// An evaluation row of `metrics.jsonl` (design section 5).
struct EvaluationRow: Sendable, Equatable {
    let step: Int
    /// Measurements by column; a null in the row has no entry.
    let values: [MeasuredColumn: Double]
    /// Share of the targets in each entropy bucket, 0 to 1.
    let entropyShares: [String: Double]
}

/// The valid rows of a `metrics.jsonl`: a resumed run replaces its earlier rows.
struct RunRows: Sendable, Equatable {
    /// Unweighted CE in nats of the step's training targets, by step. Skipped steps have no entry.
    var curve: [Int: Double] = [:]
    /// Step of the last training row, skipped steps included; 0 without rows.
    var lastStep = 0
    /// By step, ascending.
    var evaluations: [EvaluationRow] = []

    /// The last step of the run. The last evaluation counts too, because its training row may be lost.
    var reachedStep: Int { max(lastStep, evaluations.last?.step ?? 0) }
}

/// The record of a run, read from its directory.
package struct RunRecord: Sendable {
    /// The path that the user gave, without trailing slashes.
    let directory: String
    let configuration: RunConfiguration
    /// Fingerprint of the training data, from the checkpoints; nil without a readable checkpoint.
    let data: DataFingerprint?
    /// The configuration of each step; nil for a run of an early version, which wrote no `starts.jsonl`.
    let history: RunHistory?
    /// Every key with its value, in the order of the configuration.
    ///
    /// The text names the values of all steps if the key matters at each step.
    let settings: [(key: String, text: String)]
    private let rows: RunRows

    var seed: UInt64 { configuration.training.seed }
    var curve: [Int: Double] { rows.curve }
    var evaluations: [EvaluationRow] { rows.evaluations }

    /// The last step and the last evaluation of the run, in words.
    var extent: String {
        let last = configuration.lastStep
        let key = last < configuration.schedule.totalSteps ? "training.stop_at_step" : "schedule.total_steps"
        let evaluated = evaluations.last.map { "last evaluated after step \($0.step)" } ?? "never evaluated"
        return "step \(reachedStep) of \(last) (\(key)), \(evaluated)"
    }

    /// Whether the run reached the last step of its configuration and evaluated there.
    var isFinished: Bool {
        let last = configuration.lastStep
        // Early versions, which wrote no starts.jsonl, did not evaluate at training.stop_at_step.
        let isEvaluatedAtStop = history != nil || last == configuration.schedule.totalSteps
        let every = configuration.evaluation.every
        return reachedStep >= last
            && (evaluations.last?.step ?? 0) >= (isEvaluatedAtStop ? last : last / every * every)
    }

    private var reachedStep: Int { rows.reachedStep }

    /// Reads `directory`.
    ///
    /// - Throws: status 2 with file, line, found text and allowed text.
    package init(directory: String) throws {
        var path = directory
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.directory = path
        let (configurationPath, metricsPath) = (
            "\(path)/\(RunFiles.configuration)", "\(path)/\(RunFiles.metrics)"
        )
        for file in [configurationPath, metricsPath] where !FileManager.default.fileExists(atPath: file) {
            throw ProgramFailure(
                .badInput,
                "\(file): there is no such file. RUN is a run directory, which holds \(RunFiles.configuration) and "
                    + "\(RunFiles.metrics).")
        }
        configuration = try RunConfiguration.load(path: configurationPath)
        let text: String
        do {
            text = try String(contentsOfFile: metricsPath, encoding: .utf8)
        } catch {
            throw ProgramFailure(.badInput, "\(metricsPath) cannot be read: \(FileErrors.reason(error))")
        }
        rows = try Self.rows(of: text, file: metricsPath)
        data = Self.dataFingerprint(directory: path, configuration: configuration)
        let starts = try StartsFile(directory: path).rows() ?? []
        history =
            starts.isEmpty
            ? nil : RunHistory(starts.map(\.record), reachedStep: rows.reachedStep).unifyingSchedules()
        settings = Self.settings(configuration, history)
    }

    init(
        directory: String, configuration: RunConfiguration, rows: RunRows, data: DataFingerprint? = nil,
        starts: [StartRecord] = []
    ) {
        self.directory = directory
        self.configuration = configuration
        self.rows = rows
        self.data = data
        history = starts.isEmpty ? nil : RunHistory(starts, reachedStep: rows.reachedStep).unifyingSchedules()
        settings = Self.settings(configuration, history)
    }

    /// Reads the valid rows of `text`: the last row of each kind and step.
    ///
    /// A training row whose step is not above the last one starts a new pass. Rows from that step on are dropped.
    ///
    /// - Throws: status 2 with file, line, found text and allowed text.
    static func rows(of text: String, file: String) throws -> RunRows {
        var curve: [Int: Double] = [:]
        var evaluations: [Int: EvaluationRow] = [:]
        var last = 0
        // An unterminated last line is being written, or was when the run was killed.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let decoder = JSONDecoder()
        for (index, line) in lines.enumerated() {
            let row: MetricsRow
            do {
                row = try decoder.decode(MetricsRow.self, from: Data(line.utf8))
            } catch {
                throw ProgramFailure(
                    .badInput,
                    "\(file):\(index + 1): found \"\(line.prefix(80))\"; allowed: a row of this program, one JSON object "
                        + "(\(reason(error)))")
            }
            switch row {
            case .training(let step, let crossEntropy):
                if step <= last {
                    curve = curve.filter { $0.key < step }
                    evaluations = evaluations.filter { $0.key < step }
                }
                last = step
                curve[step] = crossEntropy
            case .evaluation(let row): evaluations[row.step] = row
            case .other: break
            }
        }
        return RunRows(curve: curve, lastStep: last, evaluations: evaluations.values.sorted { $0.step < $1.step })
    }

    /// The decoder's error with the key path.
    private static func reason(_ error: any Error) -> String {
        let (path, text): ([any CodingKey], String)
        switch error as? DecodingError {
        case .keyNotFound(let key, let context): (path, text) = (context.codingPath + [key], "no such key")
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            (path, text) = (context.codingPath, context.debugDescription)
        default: return error.localizedDescription
        }
        return path.isEmpty ? "not JSON" : "\(path.map(\.stringValue).joined(separator: ".")): \(text)"
    }
}

/// A line of `metrics.jsonl`.
private enum MetricsRow: Decodable {
    case training(step: Int, crossEntropy: Double?)
    case evaluation(EvaluationRow)
    /// A save, or a row of a later version.
    case other

    private enum Key: String, CodingKey {
        case step, ce, domains, frequency, entropy, tokens
        case validation = "validation_ce"
        case uniformMean = "uniform_mean"
        case worst = "worst_ce"
        case bitsPerByte = "bits_per_byte"
        case calibrationError = "calibration_error"
        case entropyShare = "entropy_share"
    }

    init(from decoder: any Decoder) throws {
        let row = try decoder.container(keyedBy: Key.self)
        let step = try row.decode(Int.self, forKey: .step)
        if row.contains(.validation) {
            var values: [MeasuredColumn: Double] = [:]
            let single: [(Key, MeasuredColumn)] = [
                (.validation, .validation), (.uniformMean, .uniformMean), (.worst, .worst),
                (.bitsPerByte, .bitsPerByte), (.calibrationError, .calibrationError),
            ]
            for (key, column) in single { values[column] = try row.decodeIfPresent(Double.self, forKey: key) }
            func table(_ key: Key) throws -> [String: Double] {
                (try row.decodeIfPresent([String: Double?].self, forKey: key) ?? [:]).compactMapValues { $0 }
            }
            for (name, value) in try table(.domains) { values[.domain(name)] = value }
            for (name, value) in try table(.frequency) { values[.frequency(name)] = value }
            for (name, value) in try table(.entropy) { values[.entropy(name)] = value }
            self = .evaluation(EvaluationRow(step: step, values: values, entropyShares: try table(.entropyShare)))
        } else if row.contains(.tokens) {
            self = .training(step: step, crossEntropy: try row.decodeIfPresent(Double.self, forKey: .ce))
        } else {
            self = .other
        }
    }
}
