// HTMLReport - a comparison as one HTML file without scripts and links, with its charts as inline SVG.

internal import Configuration
internal import Foundation

/// The HTML report of a comparison.
package struct HTMLReport: Sendable {
    private let comparison: StudyComparison
    private let table: ComparisonTable

    package init(_ comparison: StudyComparison) {
        self.comparison = comparison
        table = ComparisonTable(comparison)
    }

    private var study: Study { comparison.study }

    /// The file's text.
    package var text: String { "<!DOCTYPE html>\n" + document.rendered }

    private var document: Markup {
        let title = "Comparison of losses: " + study.arms.map(\.name).joined(separator: ", ")
        let head: [Markup] = [
            .element("meta", [("charset", "utf-8")], []),
            .element("meta", [("name", "viewport"), ("content", "width=device-width, initial-scale=1")], []),
            .element("title", [], title), .element("style", [], Self.style),
        ]
        let body = [Markup.element("h1", [], "Comparison of losses")] + summary + figures + results + runs + method
        return .element(
            "html", [("lang", "en")], [.element("head", [], head), .element("body", [], [.element("main", [], body)])])
    }

    private var percent: String { NumberText.percent(comparison.demands.confidence) }

    // MARK: - Summary

    private var summary: [Markup] {
        let seeds = study.seeds.map(String.init).joined(separator: ", ")
        let arms = study.arms.map(\.name).joined(separator: ", ")
        let plural = study.seeds.count == 1 ? "seed" : "seeds"
        let text = """
            \(study.arms.count) losses (\(arms)), \(study.seeds.count) \(plural) each (\(seeds)), evaluated after step \
            \(study.step). Differences are to \(study.baseline.name) with the same seed, that is the same initial \
            weights and the same order of the data. Every number is unweighted; less is better.
            """
        return [
            .element("p", [], text),
            .element("ul", [], comparison.notes.map { .element("li", [], $0) }),
        ] + conclusions
    }

    /// One sentence for each arm but the baseline.
    private var conclusions: [Markup] {
        let sentences = study.arms.indices.dropFirst().map { arm -> Markup in
            func columns(_ conclusion: Conclusion) -> String {
                let columns = comparison.columns.filter { comparison.cell(arm: arm, $0)?.conclusion == conclusion }
                return columns.isEmpty ? "none" : columns.map(\.key).joined(separator: ", ")
            }
            let parts = Conclusion.allCases.map { "\($0.rawValue): \(columns($0))" }
            return .element(
                "li", [],
                [
                    .element("strong", [], study.arms[arm].name),
                    .text(" - " + parts.joined(separator: "; ") + "."),
                ])
        }
        return [.element("ul", [], sentences)]
    }

    // MARK: - Figures

    private var figures: [Markup] {
        let charts = ReportCharts(comparison)
        var figures = [
            Self.figure("Loss curves", charts.curves),
            Self.figure("Loss curves: difference to \(study.baseline.name)", charts.curveDifferences),
        ]
        for (title, chart) in charts.differences { figures.append(Self.figure(title, chart)) }
        if let shares = charts.entropyShares { figures.append(Self.figure("Entropy of the predictions", shares)) }
        return figures.flatMap { $0 }
    }

    private static func figure(_ title: String, _ chart: (svg: Markup, caption: String)) -> [Markup] {
        [
            .element("h2", [], title),
            .element("figure", [], [chart.svg, .element("figcaption", [], chart.caption)]),
        ]
    }

    // MARK: - Tables

    private var results: [Markup] {
        let head = table.headers.map { Markup.element("th", [("scope", "col")], $0) }
        let rows = table.rows.map { row in
            Markup.element(
                "tr", row.isFirst ? [("class", "first")] : [],
                row.texts.enumerated().map { index, text in
                    var attributes: Markup.Attributes = ComparisonTable.isNumeric(index) ? [("class", "number")] : []
                    if index == row.texts.count - 1, let conclusion = row.conclusion, conclusion != .noConclusion {
                        // "suggests better" is two classes: `suggests` and `better`.
                        attributes = [("class", conclusion.rawValue)]
                    }
                    return .element("td", attributes, text)
                })
        }
        return [.element("h2", [], "Results")]
            + [Self.table("Means over seeds, and paired differences to \(study.baseline.name).", head, rows)]
    }

    private var runs: [Markup] {
        let keys = study.executionKeys
        let head = (["run", "arm", "seed", "validation_ce"] + keys).map { Markup.element("th", [("scope", "col")], $0) }
        let rows = study.arms.flatMap { arm in
            arm.runs.map { run -> Markup in
                let value = run.evaluations.last?.values[.validation]
                let settings = run.settings
                let texts =
                    [run.directory, arm.name, "\(run.seed)", value.map(NumberText.value) ?? "-"]
                    + keys.map { key in settings.first { $0.key == key }?.text ?? "" }
                return .element("tr", [], texts.map { .element("td", [], $0) })
            }
        }
        let caption =
            keys.isEmpty
            ? "The configurations differ in losses, seeds and directories only."
            : "Beside losses, seeds and directories the configurations differ in "
                + "\(keys.joined(separator: ", ")), which changes no more than rounding."
        return [.element("h2", [], "Runs"), Self.table(caption, head, rows)] + common
    }

    /// The keys with the same value in all runs. Why: a reader can repeat the study.
    private var common: [Markup] {
        let settings = study.runs.map(\.settings)
        let shared = settings[0].enumerated().filter { index, setting in
            settings.allSatisfy { $0[index].text == setting.text }
        }.map(\.element)
        let lines = shared.map { "\($0.key): \($0.text)" }.joined(separator: "\n")
        return [.element("h2", [], "Common configuration"), .element("pre", [], lines)]
    }

    private static func table(_ caption: String, _ head: [Markup], _ rows: [Markup]) -> Markup {
        .element(
            "table", [],
            [
                .element("caption", [], caption), .element("thead", [], [.element("tr", [], head)]),
                .element("tbody", [], rows),
            ])
    }

    // MARK: - Method

    private var method: [Markup] {
        let demands = comparison.demands
        let level = String(format: "%.10g", 1 - demands.confidence)
        let n = study.seeds.count
        let notes = [
            "Runs are arms by their loss and pairs by training.seed. Runs that differ in model, data, schedule, batch or "
                + "evaluation are refused, at whatever steps, and so are pairs that began with different weights, runs that "
                + "have not come to the end that their own configuration sets "
                + "(schedule.total_steps, or training.stop_at_step before it) and those whose checkpoints say that they were "
                + "trained on other tokens under the same paths. What is compared is the last evaluation of "
                + "each run, after the same step.",
            "The interval is Student's, two-sided, of the mean of the n = \(n) paired differences d: mean(d) +- t * s / "
                + "sqrt(n), where s is the standard deviation of d and t the quantile with n - 1 degrees of freedom. p is that of "
                + "the two-sided paired t test. It takes differences to be normally distributed over seeds.",
            "p (Holm) is corrected for the \(comparison.testCount) tests of all arms and columns together. bits_per_byte is "
                + "validation_ce in another unit and no test of its own.",
            "detectable is the minimum detectable difference: (t(1 - \(level)/2) + t(\(demands.power))) * s / sqrt(n), with "
                + "n - 1 degrees of freedom: the t test would find a true difference of this size with probability "
                + "\(NumberText.percent(demands.power)) %. (The exact condition on the noncentral t distribution asks for 1.2 % "
                + "more with 5 pairs.)",
            "Verdicts: better or worse where the observed difference is at least the detectable one, which is stricter than "
                + "the t test, and p (Holm) is at most \(level); suggests better or suggests worse where the difference is as "
                + "large but p (Holm) is above \(level), so that it may be chance among so many tests; no conclusion "
                + "otherwise, which does not mean that there is no difference.",
            "Seeds vary the initial weights and the order of the data, not the data: conclusions are about this data and this "
                + "size of model.",
            "worst_ce is of each model's own worst domain. calibration_error is the expected calibration error. Entropy "
                + "buckets are in nats.",
        ]
        return [.element("h2", [], "Method"), .element("ul", [], notes.map { .element("li", [], $0) })]
    }

    /// The style sheet, without quotes, brackets and ampersands. Why: HTML reads no escapes in a style element.
    private static let style = """
        body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; margin: 0; }
        main { max-width: 980px; margin: 0 auto; padding: 16px; }
        h1 { font-size: 24px; } h2 { font-size: 18px; margin-top: 32px; }
        table { border-collapse: collapse; font-size: 12.5px; width: 100%; }
        caption, figcaption { text-align: left; color: #333; padding: 4px 0; font-size: 13px; }
        th, td { padding: 2px 6px; text-align: left; border-bottom: 1px solid #ddd; }
        tr.first td { border-top: 2px solid #888; }
        td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
        td.better { font-weight: bold; color: #0072B2; } td.worse { font-weight: bold; color: #B34700; }
        td.suggests { font-weight: normal; font-style: italic; }
        figure { margin: 0; } svg { width: 100%; height: auto; } svg text { font: 12px sans-serif; fill: #111; }
        pre { font-size: 12px; white-space: pre-wrap; }
        @media print { * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          figure, tr { break-inside: avoid; } }
        """
}
