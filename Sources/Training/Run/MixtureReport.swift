// MixtureReport - a run's sequences by domain: planned at the start, counted at the end.

internal import Foundation
internal import Reporting
internal import TokenData

/// The domains of a training stream; computed from the number of sequences, so right after a resume.
struct MixtureReport {
    /// Repeating text this often is nearly as good as new text; beyond it brings little and in the end nothing (Muennighoff et
    /// al. 2023, arXiv 2305.16264).
    static let usefulEpochs = 4.0

    private let stream: TrainingStream

    init(_ stream: TrainingStream) { self.stream = stream }

    /// The share of each domain of the first `position` sequences; nil for a single domain.
    func fractions(_ position: Int) -> [(domain: String, fraction: Double)]? {
        guard stream.domains.count > 1, position > 0 else { return nil }
        return zip(stream.domains, stream.uses(before: position)).map { ($0.name, Double($1) / Double(position)) }
    }

    /// Sequences that a run of `steps` steps takes: those that were taken before it goes on, of whatever batches, and
    /// `batch` a step from there.
    static func sequences(steps: Int, batch: Int, after step: Int, position: Int) -> Int {
        position + max(0, steps - step) * batch
    }

    /// A line per domain: its size, and how much of it the `sequences` of `steps` steps take.
    func plan(steps: Int, sequences: Int) -> [String] {
        guard isWorthATable else { return [] }
        let (shares, uses) = (shares, stream.uses(before: sequences))
        return stream.domains.indices.map { index in
            let domain = stream.domains[index]
            let part = stream.domains.count > 1 ? String(format: "%.2f %% of the sequences; ", 100 * shares[index]) : ""
            let epochs = epochs(of: domain, uses: uses[index])
            let amount = epochs.map { Self.words($0) + " epochs of its \(domain.source.tokenCount) tokens" }
            return "domain \(domain.name): \(part)\(steps) steps take \(amount ?? "what has no end")"
        }
    }

    /// Warnings for a run whose steps take this many sequences.
    func warnings(steps: Int, sequences: Int) -> [String] {
        zip(stream.domains, stream.uses(before: sequences)).compactMap { domain, uses in
            guard let epochs = epochs(of: domain, uses: uses), epochs > Self.usefulEpochs else { return nil }
            return "domain \(domain.name) is repeated: \(Self.words(epochs)) epochs of it by step \(steps). Beyond "
                + "\(Int(Self.usefulEpochs)) epochs repeated text brings little (Muennighoff et al. 2023, arXiv "
                + "2305.16264): give it more text, a lower weight, or train for fewer steps."
        }
    }

    /// A table of the domains of the first `position` sequences.
    func table(_ position: Int) -> [String] {
        guard isWorthATable, position > 0 else { return [] }
        let (shares, uses) = (shares, stream.uses(before: position))
        let rows = stream.domains.indices.map { index in
            let (domain, uses) = (stream.domains[index], uses[index])
            return [
                domain.name, String(format: "%.3f %%", 100 * shares[index]),
                String(format: "%.3f %%", 100 * Double(uses) / Double(position)), "\(uses * stream.sequenceLength)",
                epochs(of: domain, uses: uses).map(Self.words) ?? "-",
            ]
        }
        return TextTable.lines([["domain", "weight", "achieved", "tokens", "epochs"]] + rows)
    }

    /// Of a single text without end there is nothing to say.
    private var isWorthATable: Bool {
        stream.domains.count > 1 || stream.domains[0].source.sequenceCount != .max
    }

    /// The weights' shares, which sum to 1.
    private var shares: [Double] {
        // Divided by the largest first, so that no sum overflows.
        let largest = stream.domains.map(\.weight).max() ?? 1
        let weights = stream.domains.map { $0.weight / largest }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }

    /// How often `uses` sequences go through `domain`; nil where it has no end.
    private func epochs(of domain: TokenDomain, uses: Int) -> Double? {
        domain.source.sequenceCount == .max ? nil : Double(uses) / Double(domain.source.sequenceCount)
    }

    private static func words(_ epochs: Double) -> String { String(format: "%.2f", epochs) }
}
