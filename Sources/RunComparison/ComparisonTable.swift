// ComparisonTable - a comparison as a table of texts and as JSON.

internal import Configuration
package import Reporting

/// The table of a comparison. It has a row for each measured column and arm.
package struct ComparisonTable: Sendable {
    struct Row: Sendable, Equatable {
        /// One text per header.
        let texts: [String]
        /// Whether the row is the first of its measured column.
        let isFirst: Bool
        let conclusion: Conclusion?
    }

    let headers: [String]
    let rows: [Row]
    private let title: String
    private let notes: [String]

    package init(_ comparison: StudyComparison) {
        let study = comparison.study
        headers = [
            "column", "arm", "mean", "sd", "difference",
            "\(NumberText.percent(comparison.demands.confidence)) % interval",
            "p", "p (Holm)", "detectable", "verdict",
        ]
        rows = comparison.columns.flatMap { column in
            study.arms.enumerated().map { arm, value in
                Self.row(comparison, arm: arm, name: value.name, column)
            }
        }
        let seeds = study.seeds.map(String.init).joined(separator: ", ")
        title =
            "step \(study.step), seeds \(seeds); differences are arm minus \(study.baseline.name) of the same seed, less is "
            + "better"
        notes = comparison.notes
    }

    private static func row(_ comparison: StudyComparison, arm: Int, name: String, _ column: MeasuredColumn) -> Row {
        let summary = comparison.summary(arm: arm, column)
        var texts = [
            arm == 0 ? column.key : "", name, NumberText.value(summary.mean),
            NumberText.spread(summary.standardDeviation),
        ]
        let cell = comparison.cell(arm: arm, column)
        if let cell {
            let spread = cell.statistics.spread
            texts += [
                NumberText.difference(cell.statistics.meanDifference), NumberText.interval(spread?.interval),
                NumberText.probability(spread?.probability), NumberText.probability(cell.adjustedProbability),
                NumberText.spread(spread?.minimumDetectableDifference), cell.conclusion.rawValue,
            ]
        } else {
            texts += ["", "", "", "", "", ""]
        }
        return Row(texts: texts, isFirst: arm == 0, conclusion: cell?.conclusion)
    }

    /// Whether the texts under a header are numbers, which are aligned to the right.
    static func isNumeric(_ header: Int) -> Bool { (2...8).contains(header) }

    /// The table as aligned lines without a final line end.
    package var text: String {
        let widths = headers.indices.map { header in
            ([headers[header]] + rows.map { $0.texts[header] }).map(\.count).max() ?? 0
        }
        func line(_ texts: [String]) -> String {
            let cells = texts.indices.map { index in
                let blanks = String(repeating: " ", count: widths[index] - texts[index].count)
                return Self.isNumeric(index) ? blanks + texts[index] : texts[index] + blanks
            }
            let joined = cells.joined(separator: "  ")
            return String(joined.reversed().drop { $0 == " " }.reversed())
        }
        var lines = [title, "", line(headers)]
        for row in rows {
            if row.isFirst { lines.append("") }
            lines.append(line(row.texts))
        }
        return (lines + [""] + notes).joined(separator: "\n")
    }
}

extension StudyComparison {
    /// The comparison with all numbers in full precision.
    package var json: JSONValue {
        .object([
            ("step", .integer(study.step)), ("seeds", .array(study.seeds.map { .integer(Int($0)) })),
            ("baseline", .string(study.baseline.name)), ("confidence", .number(demands.confidence)),
            ("power", .number(demands.power)), ("tests", .integer(testCount)),
            ("arms", .array(study.arms.indices.map(armJSON))),
            (
                "comparisons",
                .array(
                    study.arms.indices.flatMap { arm in
                        columns.compactMap { column in
                            cell(arm: arm, column).map { cellJSON(study.arms[arm].name, column, $0) }
                        }
                    })
            ),
            ("notes", .array(notes.map { .string($0) })),
        ])
    }

    private func armJSON(_ arm: Int) -> JSONValue {
        let runs = study.arms[arm].runs.enumerated().map { index, run in
            JSONValue.object([
                ("directory", .string(run.directory)), ("seed", .integer(Int(run.seed))),
                ("values", .object(columns.map { ($0.key, .number(values(arm: arm, $0)[index])) })),
                ("origin", run.history?.origin.map { .string($0.origin.rawValue) } ?? .null),
                ("origin_path", run.history?.origin?.path.map { .string($0) } ?? .null),
            ])
        }
        let means = columns.map { column -> (key: String, value: JSONValue) in
            let summary = summary(arm: arm, column)
            return (
                column.key,
                .object([
                    ("mean", .number(summary.mean)),
                    ("standard_deviation", .number(summary.standardDeviation ?? .nan)),
                ])
            )
        }
        let shares = entropyBuckets.map { bucket -> (key: String, value: JSONValue) in
            (bucket, .number(entropyShare(arm: arm, bucket) ?? .nan))
        }
        return .object([
            ("name", .string(study.arms[arm].name)), ("runs", .array(runs)), ("columns", .object(means)),
            ("entropy_share", .object(shares)),
        ])
    }

    private func cellJSON(_ arm: String, _ column: MeasuredColumn, _ cell: Cell) -> JSONValue {
        let spread = cell.statistics.spread
        return .object([
            ("arm", .string(arm)), ("column", .string(column.key)), ("pairs", .integer(cell.statistics.pairs)),
            ("difference", .number(cell.statistics.meanDifference)),
            ("standard_deviation", .number(spread?.standardDeviation ?? .nan)),
            ("standard_error", .number(spread?.standardError ?? .nan)),
            (
                "interval",
                spread.map { .array([.number($0.interval.lowerBound), .number($0.interval.upperBound)]) }
                    ?? .number(.nan)
            ),
            ("t", .number(spread?.t ?? .nan)), ("p", .number(spread?.probability ?? .nan)),
            ("p_holm", .number(cell.adjustedProbability ?? .nan)),
            ("minimum_detectable_difference", .number(spread?.minimumDetectableDifference ?? .nan)),
            ("verdict", .string(cell.conclusion.rawValue)),
        ])
    }
}
