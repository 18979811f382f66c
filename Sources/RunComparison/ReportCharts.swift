// ReportCharts - the charts of the report, made from the numbers of a comparison.

/// The charts of a report with their captions.
struct ReportCharts: Sendable {
    typealias Chart = (svg: Markup, caption: String)

    private let comparison: StudyComparison

    init(_ comparison: StudyComparison) { self.comparison = comparison }

    private var study: Study { comparison.study }

    // MARK: - Curves

    /// Most points of a curve.
    private static let mostPoints = 300

    /// Length of the moving average, as a share of the steps.
    private static let smoothing = 0.02
    /// Share of the steps at the start that are not drawn. Why: the first steps would flatten the rest of the curve.
    private static let hidden = 0.1

    /// Chart of the CE of the training batches and of validation_ce over steps.
    var curves: Chart {
        let series = study.arms.enumerated().map { index, arm in
            LineChart.Series(
                name: arm.name, style: SeriesStyle(arm: index),
                curve: Self.thinned(Self.smoothed(meanCurve(of: arm), window: window)).filter { $0.x > Double(first) },
                points: points(of: arm).filter { $0.x > Double(first) })
        }
        let last = series.map { series in
            "\(series.name) \(series.points.last.map { NumberText.value($0.y) } ?? "-")"
        }
        let chart = LineChart(
            id: "curves", title: "Cross-entropy over optimizer steps",
            description: "validation_ce at the last step: \(last.joined(separator: ", ")).", xName: "optimizer step",
            yName: "CE, nats", series: series, valueText: NumberText.value)
        return (
            chart.svg,
            "Lines: unweighted CE of the training batches, mean over seeds, each step's mean with those of "
                + "\(window) steps up to it; the first \(first) steps are not drawn. Points: validation_ce, mean over seeds; "
                + "whiskers from the lowest to the highest seed."
        )
    }

    /// Chart of the paired differences of both CE to the baseline over steps.
    var curveDifferences: Chart {
        let baseline = study.baseline
        let series = study.arms.enumerated().dropFirst().map { index, arm in
            // A step is drawn if no run of either arm skipped it.
            let values = Dictionary(uniqueKeysWithValues: meanCurve(of: baseline).map { ($0.x, $0.y) })
            let curve = meanCurve(of: arm).compactMap { point in values[point.x].map { (point.x, point.y - $0) } }
            return LineChart.Series(
                name: arm.name, style: SeriesStyle(arm: index),
                curve: Self.thinned(Self.smoothed(curve, window: window)).filter { $0.x > Double(first) },
                points: differences(of: arm, to: baseline).filter { $0.x > Double(first) })
        }
        let chart = LineChart(
            id: "curve-differences", title: "Difference of cross-entropy to \(baseline.name) over optimizer steps",
            description: "The table below has the differences at the last step, in the column validation_ce.",
            xName: "optimizer step", yName: "difference of CE, nats", series: series, valueText: NumberText.difference)
        let percent = NumberText.percent(comparison.demands.confidence)
        return (
            chart.svg,
            "The curves above minus that of \(baseline.name), seed by seed; below 0 is better. Points: mean paired difference "
                + "of validation_ce" + (study.seeds.count > 1 ? "; whiskers: its \(percent) % interval." : ".")
        )
    }

    /// The last step that is not drawn.
    private var first: Int { Int(Double(study.step) * Self.hidden) }

    private var window: Int { max(1, Int(Double(study.step) * Self.smoothing)) }

    /// CE by step, mean over an arm's runs, at steps that no run skipped.
    private func meanCurve(of arm: Arm) -> [(x: Double, y: Double)] {
        let steps = arm.runs.dropFirst().reduce(Set(arm.runs[0].curve.keys)) { $0.intersection($1.curve.keys) }
        return steps.sorted().map { step in
            (Double(step), SampleSummary(arm.runs.compactMap { $0.curve[step] }).mean)
        }
    }

    /// Moving average of a curve over the last `window` points.
    static func smoothed(_ curve: [(x: Double, y: Double)], window: Int) -> [(x: Double, y: Double)] {
        var sum = 0.0
        return curve.indices.map { index in
            sum += curve[index].y
            if index >= window { sum -= curve[index - window].y }
            return (curve[index].x, sum / Double(min(index + 1, window)))
        }
    }

    /// Every k-th point of a curve, including the last, at most `mostPoints`.
    static func thinned(_ curve: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        let stride = (curve.count + mostPoints - 1) / mostPoints
        return curve.indices.filter { (curve.count - 1 - $0).isMultiple(of: max(stride, 1)) }.map { curve[$0] }
    }

    /// validation_ce of each seed, by step, at steps where all runs of an arm evaluated.
    private func validation(of arm: Arm) -> [Int: [Double]] {
        let rows = arm.runs.map { run in
            Dictionary(
                uniqueKeysWithValues: run.evaluations.compactMap { row in
                    row.values[.validation].map { (row.step, $0) }
                })
        }
        let steps = rows.dropFirst().reduce(Set(rows[0].keys)) { $0.intersection($1.keys) }
        return Dictionary(uniqueKeysWithValues: steps.map { step in (step, rows.compactMap { $0[step] }) })
    }

    private func points(of arm: Arm) -> [LineChart.Point] {
        validation(of: arm).sorted { $0.key < $1.key }.map { step, values in
            let mean = SampleSummary(values).mean
            return LineChart.Point(
                x: Double(step), y: mean, range: (values.min() ?? mean)...(values.max() ?? mean))
        }
    }

    private func differences(of arm: Arm, to baseline: Arm) -> [LineChart.Point] {
        let ofBaseline = validation(of: baseline)
        return validation(of: arm).sorted { $0.key < $1.key }.compactMap { step, values in
            guard let others = ofBaseline[step] else { return nil }
            let statistics = PairedStatistics(arm: values, baseline: others, demands: comparison.demands)
            let mean = statistics.meanDifference
            return LineChart.Point(x: Double(step), y: mean, range: statistics.spread?.interval ?? mean...mean)
        }
    }

    // MARK: - Bars

    /// Charts of the paired differences, one for each kind of column.
    var differences: [(title: String, chart: Chart)] {
        let groups: [(id: String, title: String, columns: [MeasuredColumn])] = [
            ("overall", "Overall", columns { [.validation, .uniformMean, .worst].contains($0) }),
            ("domains", "Domains", columns { if case .domain = $0 { true } else { false } }),
            ("frequency", "Token frequency", columns { if case .frequency = $0 { true } else { false } }),
        ]
        return groups.filter { !$0.columns.isEmpty }.map { group in
            ("\(group.title): difference to \(study.baseline.name)", bars(group.id, group.title, group.columns))
        }
    }

    private func columns(where condition: (MeasuredColumn) -> Bool) -> [MeasuredColumn] {
        comparison.columns.filter(condition)
    }

    private func bars(_ id: String, _ title: String, _ columns: [MeasuredColumn]) -> Chart {
        let series = study.arms.indices.dropFirst().map { arm in
            let statistics = columns.map { comparison.cell(arm: arm, $0)?.statistics }
            return BarChart.Series(
                name: study.arms[arm].name, style: SeriesStyle(arm: arm, isFilled: true),
                values: statistics.map { $0?.meanDifference }, intervals: statistics.map { $0?.spread?.interval })
        }
        let chart = BarChart(
            id: id, title: "\(title): mean paired difference of CE to \(study.baseline.name)",
            description:
                "The table below has the numbers, in the columns \(columns.map(\.key).joined(separator: ", ")).",
            yName: "difference of CE, nats", categories: columns.map(Self.shortName), series: series,
            valueText: NumberText.difference)
        let percent = NumberText.percent(comparison.demands.confidence)
        let whiskers = study.seeds.count > 1 ? "; whiskers: the \(percent) % interval" : ""
        return (
            chart.svg,
            "Bars: mean over seeds of arm minus \(study.baseline.name), in the order of the legend; below 0 is "
                + "better\(whiskers)."
        )
    }

    /// Name of a column without its section, which is the heading of the chart.
    private static func shortName(_ column: MeasuredColumn) -> String {
        switch column {
        case .domain(let name), .frequency(let name), .entropy(let name): name
        default: column.key
        }
    }

    // MARK: - Entropy

    /// Chart of the shares of targets by entropy bucket; nil without entropy buckets.
    var entropyShares: Chart? {
        let buckets = comparison.entropyBuckets
        guard !buckets.isEmpty else { return nil }
        let series = study.arms.indices.map { arm in
            BarChart.Series(
                name: study.arms[arm].name, style: SeriesStyle(arm: arm, isFilled: true),
                values: buckets.map { comparison.entropyShare(arm: arm, $0) }, intervals: buckets.map { _ in nil })
        }
        let chart = BarChart(
            id: "entropy", title: "Shares of the validation targets by entropy of the prediction",
            description: "Mean over seeds, for each loss and entropy bucket.", yName: "share of targets",
            categories: buckets, series: series, valueText: NumberText.value)
        return (
            chart.svg,
            "Share of the validation targets at which the model's own entropy (nats) lies in each bucket, mean over seeds. Each "
                + "model sorts the targets by its own entropy: a bucket does not hold the same targets in all runs."
        )
    }
}
