// RunRecord - a run directory, read: its configuration, loss curve and evaluations.

package import Configuration
internal import Foundation
internal import Optimization
internal import Reporting
package import TokenData

/// An evaluation row of `metrics.jsonl` (design section 5).
package struct EvaluationRow: Sendable, Equatable {
    let step: Int
    /// Numbers that are null in the row are missing.
    let values: [MeasuredColumn: Double]
    /// Share of the targets in each entropy bucket, 0 to 1.
    let entropyShares: [String: Double]
}

/// The rows of a `metrics.jsonl` that count.
package struct RunRows: Sendable, Equatable {
    /// Plain CE (nats) of the step's training targets, by step; skipped steps are missing.
    var curve: [Int: Double] = [:]
    /// Of the last training row, skipped or not; 0 where there is none.
    var lastStep = 0
    /// By step, ascending.
    var evaluations: [EvaluationRow] = []

    /// The last step that was taken. An evaluation says so too, where the row of its step was lost.
    var reachedStep: Int { max(lastStep, evaluations.last?.step ?? 0) }
}

/// A run, as its directory tells.
package struct RunRecord: Sendable {
    /// As the user wrote it, without slashes at its end.
    package let directory: String
    package let configuration: RunConfiguration
    /// What it was trained on, by its checkpoints; nil where there is none.
    package let data: DataFingerprint?
    /// How its steps were computed; nil for a run of a version that did not tell.
    package let history: RunHistory?
    /// Every key with its value, in the order of the configuration; of all steps where each step's value matters.
    package let settings: [(key: String, text: String)]
    private let rows: RunRows

    package var seed: UInt64 { configuration.training.seed }
    var curve: [Int: Double] { rows.curve }
    package var evaluations: [EvaluationRow] { rows.evaluations }

    /// How far the run has come, in words.
    var extent: String {
        let last = configuration.lastStep
        let key = last < configuration.schedule.totalSteps ? "training.stop_at_step" : "schedule.total_steps"
        let evaluated = evaluations.last.map { "last evaluated after step \($0.step)" } ?? "never evaluated"
        return "step \(reachedStep) of \(last) (\(key)), \(evaluated)"
    }

    /// Whether it has come to the end that its configuration sets, with the evaluation that belongs there.
    var isFinished: Bool {
        let last = configuration.lastStep
        // A version that told nothing of its starts did not evaluate after training.stop_at_step.
        let isEvaluatedAtStop = history != nil || last == configuration.schedule.totalSteps
        let every = configuration.evaluation.every
        return reachedStep >= last
            && (evaluations.last?.step ?? 0) >= (isEvaluatedAtStop ? last : last / every * every)
    }

    private var reachedStep: Int { rows.reachedStep }

    /// Reads `directory`.
    ///
    /// - Throws: status 2 naming file, line, what was found and what is allowed.
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

    package init(
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

    /// The rows that count: of a kind and step the last. What an earlier pass wrote of steps that a resumed run computed
    /// again, and later ones, counts no more.
    package static func rows(of text: String, file: String) throws -> RunRows {
        var curve: [Int: Double] = [:]
        var evaluations: [Int: EvaluationRow] = [:]
        var last = 0
        // A line without an end is one that a run is writing, or was when it was killed.
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

    /// What the decoder did not like, with the key.
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
    /// A save, and what later versions may add.
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
