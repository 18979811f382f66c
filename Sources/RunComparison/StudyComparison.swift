// StudyComparison - the numbers of a comparison: means by arm, paired statistics by arm and column.

internal import Configuration
internal import TokenData

/// The comparison of each arm of a study with the baseline, column by column.
package struct StudyComparison: Sendable {
    /// A column that is not compared because some runs lack it.
    struct Omission: Sendable, Equatable {
        let column: MeasuredColumn
        /// Directories of the runs without it.
        let runs: [String]
    }

    /// The difference of an arm to the baseline in one column.
    struct Cell: Sendable, Equatable {
        let statistics: PairedStatistics
        /// The p-value with Holm's correction for all arms and columns; nil for a single pair.
        var adjustedProbability: Double?

        var conclusion: Conclusion { statistics.conclusion(adjustedProbability: adjustedProbability) }
    }

    let study: Study
    let demands: PairedStatistics.Demands
    /// Columns that every run has.
    let columns: [MeasuredColumn]
    let omissions: [Omission]
    /// By arm and column: the values, one per seed.
    private let values: [[MeasuredColumn: [Double]]]
    /// By arm, without the baseline, and by column.
    private let cells: [[MeasuredColumn: Cell]]

    package init(_ study: Study, demands: PairedStatistics.Demands) {
        self.study = study
        self.demands = demands
        // Every run of a study has an evaluation.
        let rows = study.arms.map { $0.runs.compactMap(\.evaluations.last) }
        let all = MeasuredColumn.all(
            of: rows.flatMap { $0 },
            domains: study.baseline.runs.first?.configuration.data.validation.map(\.name) ?? [])
        let missing = all.map { column in
            Omission(
                column: column,
                runs: zip(study.runs, rows.flatMap { $0 }).filter { $0.1.values[column] == nil }.map(\.0.directory))
        }
        let columns = missing.filter(\.runs.isEmpty).map(\.column)
        let values = rows.map { rows in
            Dictionary(uniqueKeysWithValues: columns.map { column in (column, rows.compactMap { $0.values[column] }) })
        }
        self.columns = columns
        omissions = missing.filter { !$0.runs.isEmpty }
        self.values = values
        let paired = columns.filter(\.isPaired)
        let ofBaseline = values[0]
        var cells = values.dropFirst().map { values in
            Dictionary(
                uniqueKeysWithValues: paired.map { column in
                    let (arm, baseline) = (values[column] ?? [], ofBaseline[column] ?? [])
                    return (
                        column, Cell(statistics: PairedStatistics(arm: arm, baseline: baseline, demands: demands))
                    )
                })
        }
        // The family of tests: every arm and column. A column in two units is one test.
        let family = cells.indices.flatMap { arm in paired.filter { $0.restated == nil }.map { (arm, $0) } }
        let probabilities = family.compactMap { arm, column in cells[arm][column]?.statistics.spread?.probability }
        for ((arm, column), adjusted) in zip(family, Holm.adjusted(probabilities)) {
            cells[arm][column]?.adjustedProbability = adjusted
        }
        for arm in cells.indices {
            for column in paired {
                guard let original = column.restated else { continue }
                let adjusted = cells[arm][original]?.adjustedProbability
                cells[arm][column]?.adjustedProbability = adjusted
            }
        }
        self.cells = cells
    }

    /// Arm 0 is the baseline.
    func values(arm: Int, _ column: MeasuredColumn) -> [Double] { values[arm][column] ?? [] }

    func summary(arm: Int, _ column: MeasuredColumn) -> SampleSummary {
        SampleSummary(values(arm: arm, column))
    }

    /// The difference of an arm to the baseline; nil for the baseline and for columns that are not paired.
    func cell(arm: Int, _ column: MeasuredColumn) -> Cell? { arm == 0 ? nil : cells[arm - 1][column] }

    /// Number of tests in the family that Holm's method corrects for.
    var testCount: Int { (study.arms.count - 1) * columns.count { $0.isPaired && $0.restated == nil } }

    /// Entropy buckets of the last evaluations, ascending.
    var entropyBuckets: [String] {
        Set(study.runs.flatMap { $0.evaluations.last.map { Array($0.entropyShares.keys) } ?? [] })
            .sorted { MeasuredColumn.lowerBound($0) < MeasuredColumn.lowerBound($1) }
    }

    /// Share of the targets in an entropy bucket, mean over an arm's runs; nil if a run does not have it.
    func entropyShare(arm: Int, _ bucket: String) -> Double? {
        let shares = study.arms[arm].runs.map { $0.evaluations.last?.entropyShares[bucket] }
        let known = shares.compactMap { $0 }
        return known.count == shares.count ? SampleSummary(known).mean : nil
    }

    /// Notes on the limits of the comparison, shown with the numbers.
    var notes: [String] {
        var notes: [String] = []
        if study.step < study.totalSteps {
            notes.append("All runs were last evaluated after step \(study.step) of \(study.totalSteps).")
        }
        if study.seeds.count < 2 {
            notes.append("One pair for each arm: no interval, no test and no conclusion; train more seeds.")
        }
        for omission in omissions {
            let others = omission.runs.count > 1 ? " and \(omission.runs.count - 1) more lack" : " lacks"
            notes.append("\(omission.column.key) is left out: \(omission.runs[0])\(others) it.")
        }
        if columns.contains(where: { !$0.isPaired }) {
            notes.append(
                "Entropy buckets are of each model's own entropy: their CE is not of the same targets in all runs, and so "
                    + "is shown without a comparison.")
        }
        let suggestions = study.arms.indices.reduce(0) { count, arm in
            count + columns.count { $0.restated == nil && cell(arm: arm, $0)?.conclusion.isSuggestion == true }
        }
        if suggestions > 0 {
            notes.append(
                "Suggestions, which Holm's correction for \(testCount) tests does not confirm and which may be chance: "
                    + "\(suggestions).")
        }
        return notes + study.originNotes + [study.dataNote]
    }
}
