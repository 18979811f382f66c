// EvaluationResult - the result of an evaluation, as a row of `metrics.jsonl` and as the object of `eval --json`.

internal import Foundation
public import Reporting

/// The result of an evaluation (design section 5).
public struct EvaluationResult: Sendable, Equatable {
    public struct Domain: Sendable, Equatable {
        public var name: String
        public var sums: EvaluationSums
        /// Whether the number of bytes of the targets' text is known.
        public var hasBytes: Bool

        /// Number of targets that are not ignored.
        public var targets: Int { sums.all.targets }
        /// Mean cross-entropy in nats; NaN without targets.
        public var crossEntropy: Double { sums.all.crossEntropy }

        public init(name: String, sums: EvaluationSums, hasBytes: Bool = true) {
            self.name = name
            self.sums = sums
            self.hasBytes = hasBytes
        }
    }

    public var domains: [Domain]
    /// Whether the frequencies of the targets in training are known.
    var hasFrequencies: Bool

    public init(domains: [Domain], hasFrequencies: Bool) {
        self.domains = domains
        self.hasFrequencies = hasFrequencies
    }

    /// The sums of all domains.
    public var sums: EvaluationSums { domains.reduce(into: EvaluationSums()) { $0 += $1.sums } }

    /// Mean cross-entropy over all targets, in nats.
    public var crossEntropy: Double { sums.all.crossEntropy }

    /// Mean of the domains' cross-entropies, each domain with equal weight, in nats.
    public var uniformMean: Double {
        let values = evaluated.map(\.crossEntropy)
        return values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }

    /// The domain with the highest cross-entropy; nil without targets. A domain whose cross-entropy is not finite is
    /// the worst.
    public var worst: Domain? {
        evaluated.first { !$0.crossEntropy.isFinite } ?? evaluated.max { $0.crossEntropy < $1.crossEntropy }
    }

    /// Total cross-entropy in bits over the bytes of the targets' text, as lm-evaluation-harness has it. End tokens add
    /// to the loss and have no bytes. NaN without bytes, and if the bytes of a domain are unknown.
    public var bitsPerByte: Double { hasBytes ? Self.bitsPerByte(sums) : .nan }

    private var hasBytes: Bool { evaluated.allSatisfy(\.hasBytes) }

    static func bitsPerByte(_ sums: EvaluationSums) -> Double {
        sums.bytes > 0 ? sums.all.crossEntropySum / log(2) / Double(sums.bytes) : .nan
    }

    private var evaluated: [Domain] { domains.filter { $0.targets > 0 } }

    /// - Throws: status 1 naming the first domain whose cross-entropy is not finite, on all ranks.
    package func requireFinite() throws {
        guard let domain = evaluated.first(where: { !$0.crossEntropy.isFinite }) else { return }
        throw ProgramFailure(
            .runtimeFailure, "\(domain.name): the model's cross-entropy is not a finite number", isShared: true)
    }
}

extension EvaluationResult {
    /// The evaluation row of `step` in `metrics.jsonl`.
    public func json(step: Int) -> JSONValue {
        let sums = self.sums
        func entropies(_ share: (EvaluationSums.Bucket) -> Double) -> JSONValue {
            .object(sums.entropy.map { ($0.name, .number(share($0.bucket))) })
        }
        let frequency = JSONValue.object(sums.frequency.map { ($0.name, .number($0.bucket.crossEntropy)) })
        return .object([
            ("step", .integer(step)), ("validation_ce", .number(sums.all.crossEntropy)),
            ("domains", .object(domains.map { ($0.name, .number($0.crossEntropy)) })),
            ("uniform_mean", .number(uniformMean)), ("worst_ce", .number(worst?.crossEntropy ?? .nan)),
            ("worst_domain", worst.map { .string($0.name) } ?? .null),
            ("frequency", hasFrequencies ? frequency : .null), ("entropy", entropies(\.crossEntropy)),
            ("entropy_share", entropies { Double($0.targets) / Double(sums.all.targets) }),
            ("calibration_error", .number(sums.calibrationError)), ("bits_per_byte", .number(bitsPerByte)),
        ])
    }

    /// The object of `eval --json`.
    public var json: JSONValue { .object(members) }

    /// The members of the object of `eval --json`.
    package var members: [(key: String, value: JSONValue)] {
        let sums = self.sums
        func object(_ bucket: EvaluationSums.Bucket) -> JSONValue {
            .object([("tokens", .integer(bucket.targets)), ("ce", .number(bucket.crossEntropy))])
        }
        let worst = self.worst.map {
            JSONValue.object([("name", .string($0.name)), ("ce", .number($0.crossEntropy))])
        }
        let frequency = JSONValue.object(sums.frequency.map { ($0.name, object($0.bucket)) })
        return [
            ("tokens", .integer(sums.all.targets)), ("ce", .number(sums.all.crossEntropy)),
            ("perplexity", .number(exp(sums.all.crossEntropy))), ("bits_per_byte", .number(bitsPerByte)),
            ("uniform_mean", .number(uniformMean)), ("worst", worst ?? .null),
            ("calibration_error", .number(sums.calibrationError)),
            ("domains", .object(domains.map { ($0.name, object($0.sums.all)) })),
            ("frequency", hasFrequencies ? frequency : .null),
            ("entropy", .object(sums.entropy.map { ($0.name, object($0.bucket)) })),
        ]
    }

    /// The tables of `eval` for people.
    package var lines: [String] {
        let sums = self.sums
        func row(_ name: String, _ bucket: EvaluationSums.Bucket) -> [String] {
            let isEmpty = bucket.targets == 0
            return [
                name, "\(bucket.targets)", isEmpty ? "-" : String(format: "%.4f", bucket.crossEntropy),
                isEmpty ? "-" : String(format: "%.3f", exp(bucket.crossEntropy)),
            ]
        }
        func bits(_ sums: EvaluationSums, isKnown: Bool) -> String {
            isKnown && sums.bytes > 0 ? String(format: "%.4f", Self.bitsPerByte(sums)) : "-"
        }
        let header = ["tokens", "CE", "perplexity"]
        var rows = [["domain"] + header + ["bits per byte"]]
        rows += domains.map { row($0.name, $0.sums.all) + [bits($0.sums, isKnown: $0.hasBytes)] }
        rows.append(row("all", sums.all) + [bits(sums, isKnown: hasBytes)])
        var lines = TextTable.lines(rows)
        if domains.count > 1, let worst {
            lines.append(
                String(format: "uniform mean of the domains: CE %.4f; worst: ", uniformMean) + worst.name
                    + String(format: ", CE %.4f", worst.crossEntropy))
        }
        if hasFrequencies {
            let buckets = sums.frequency.map { row($0.name, $0.bucket) }
            lines += [""] + TextTable.lines([["frequency in training"] + header] + buckets)
        }
        let buckets = sums.entropy.map { row($0.name, $0.bucket) }
        lines += [""] + TextTable.lines([["entropy, nats"] + header] + buckets)
        lines += [
            "",
            String(
                format: "expected calibration error: %.4f (%d bins)", sums.calibrationError,
                EvaluationSums.calibrationBins),
        ]
        return lines
    }
}
