// PlanTable - predictions for several numbers of ranks as a table and as JSON, with the best one marked.

internal import Foundation
package import Reporting

/// The predictions of `plan`.
package struct PlanTable {
    /// Least efficiency of a layout to which adding ranks pays.
    static let leastEfficiency = 0.5

    /// The predictions by number of ranks, ascending.
    let predictions: [StepPrediction]

    package init(predictions: [StepPrediction]) {
        self.predictions = predictions
    }

    /// The layout with the fewest days that fits the memory; among equals the one with fewest ranks.
    var best: StepPrediction? {
        predictions.filter(\.fits).min { $0.days < $1.days }
    }

    /// The first layout after the last efficient one; nil if the last layout is efficient.
    var firstInefficient: StepPrediction? {
        let last = predictions.lastIndex { $0.efficiency >= Self.leastEfficiency }
        return predictions.dropFirst((last ?? -1) + 1).first
    }

    package var lines: [String] {
        let header = [
            "ranks", "nodes", "batch", "GiB/rank", "GiB/node", "ckpt GiB", "ckpt s", "MB/step", "compute s", "optim. s",
            "reduce s", "gather s", "exposed s", "step s", "tokens/s", "effic.", "days", "",
        ]
        let rows = predictions.map { p in
            [
                "\(p.layout.ranks)", "\(p.layout.nodes)", "\(p.globalBatchSize)", Self.gibibytes(p.rankMemory),
                Self.gibibytes(p.nodeMemory), Self.gibibytes(p.checkpointBytes), Self.short(p.checkpointSeconds),
                Self.short(Double(p.traffic.busiest) / 1e6), Self.short(p.compute), Self.short(p.optimizer),
                Self.short(p.reduction), Self.short(p.gather), Self.short(p.exposed), Self.short(p.step),
                String(format: "%.0f", p.tokensPerSecond), String(format: "%.2f", p.efficiency), Self.short(p.days),
                note(p),
            ]
        }
        var lines = TextTable.lines([header] + rows).map(Self.withoutBlanksAtEnd)
        if let best {
            lines.append(
                "best: \(best.layout.ranks) ranks on \(best.layout.nodes) nodes, \(Self.short(best.days)) days")
        } else {
            lines.append("no layout fits the memory of a node")
        }
        if let first = firstInefficient {
            lines.append(
                "from \(first.layout.ranks) ranks on, more than half of the time is not spent computing: adding ranks "
                    + "does not pay")
        }
        return lines
    }

    /// The predictions as an array of JSON objects.
    package var json: JSONValue { .array(predictions.map(json)) }

    private func isBest(_ p: StepPrediction) -> Bool { p.layout == best?.layout }

    private func note(_ p: StepPrediction) -> String {
        var notes: [String] = []
        if isBest(p) { notes.append("<- best") }
        if !p.fits { notes.append("does not fit") }
        if !p.layout.isRegular { notes.append("uneven nodes: no shared memory") }
        return notes.joined(separator: ", ")
    }

    private func json(_ p: StepPrediction) -> JSONValue {
        .object([
            ("ranks", .integer(p.layout.ranks)), ("nodes", .integer(p.layout.nodes)),
            ("ranks_per_node", .integer(p.layout.ranksPerNode)), ("global_batch_size", .integer(p.globalBatchSize)),
            ("memory_rank_bytes", .integer(p.rankMemory)), ("memory_node_bytes", .integer(p.nodeMemory)),
            ("fits", .boolean(p.fits)), ("checkpoint_bytes", .integer(p.checkpointBytes)),
            ("checkpoint_seconds", .number(p.checkpointSeconds)), ("wire_bytes", .integer(p.traffic.total)),
            ("wire_bytes_busiest_node", .integer(p.traffic.busiest)), ("compute_seconds", .number(p.compute)),
            ("optimizer_seconds", .number(p.optimizer)), ("reduce_seconds", .number(p.reduction)),
            ("gather_seconds", .number(p.gather)), ("exposed_seconds", .number(p.exposed)),
            ("step_seconds", .number(p.step)), ("tokens_per_second", .number(p.tokensPerSecond)),
            ("efficiency", .number(p.efficiency)), ("days", .number(p.days)), ("best", .boolean(isBest(p))),
        ])
    }

    private static func gibibytes(_ bytes: Int) -> String { short(Double(bytes) / 0x1p30) }

    /// A number with three significant digits, or all digits before the decimal point if there are more.
    static func short(_ value: Double) -> String {
        guard value != 0 else { return "0" }
        let decimals = min(max(2 - Int(log10(abs(value)).rounded(.down)), 0), 6)
        return String(format: "%.\(decimals)f", value)
    }

    private static func withoutBlanksAtEnd(_ line: String) -> String {
        String(line.reversed().drop { $0 == " " }.reversed())
    }
}
