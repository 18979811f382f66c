// Study - groups runs into arms by their loss and pairs them across arms by seed.

internal import Configuration
internal import Kernels
internal import Optimization
internal import Reporting

/// The runs of one loss.
struct Arm: Sendable {
    /// The loss, for example `mile 0.5`, and all other keys in which arms differ.
    let name: String
    /// The runs by seed, ascending.
    let runs: [RunRecord]
}

/// Comparable runs: finished, in arms with the same seeds, evaluated after the same step.
package struct Study: Sendable {
    /// The baseline, and then the other arms in the order of their first runs.
    let arms: [Arm]
    let seeds: [UInt64]
    /// The step of the last evaluation of all runs.
    let step: Int
    /// Value of `schedule.total_steps`.
    let totalSteps: Int
    /// Keys with the role `execution` in which runs differ.
    let executionKeys: [String]

    var baseline: Arm { arms[0] }
    var runs: [RunRecord] { arms.flatMap(\.runs) }

    /// Groups and pairs `runs`.
    ///
    /// - Parameter baseline: an arm's name.
    /// - Throws: status 2 with runs and reasons if the runs are not comparable.
    package init(runs: [RunRecord], baseline: String) throws {
        guard let first = runs.first else { throw ProgramFailure(.badInput, "there is no run to compare.") }
        let settings = runs.map(\.settings)
        let varying = settings[0].indices.filter { key in settings.contains { $0[key].text != settings[0][key].text } }
            .map { (index: $0, key: settings[0][$0].key) }
        try Self.refuseDifferences(runs, settings, varying.filter { KeyRole($0.key) == .common }.map(\.index))
        try Self.refuseOtherData(runs)
        executionKeys = varying.map(\.key).filter { KeyRole($0) == .execution }

        // The name of an arm has every key that distinguishes arms and differs between any runs.
        let ofTheArm = varying.filter { KeyRole($0.key) == .ofTheArm && !$0.key.hasPrefix("loss.") }
        let names = zip(runs, settings).map { run, settings in
            ([run.lossName] + ofTheArm.map { "\($0.key) \(settings[$0.index].text)" })
                .joined(separator: ", ")
        }
        var order: [String] = []
        for name in names where !order.contains(name) { order.append(name) }
        guard order.count > 1 else {
            throw ProgramFailure(
                .badInput, "all runs have the loss \(order[0]); a comparison needs runs of at least two losses.")
        }
        guard let position = order.firstIndex(of: baseline) else {
            throw ProgramFailure(
                .badInput,
                "--baseline: no arm is named \"\(baseline)\"; allowed: "
                    + order.map { "\"\($0)\"" }.joined(separator: ", "))
        }
        order.insert(order.remove(at: position), at: 0)
        arms = order.map { name in
            Arm(
                name: name,
                runs: zip(names, runs).filter { $0.0 == name }.map(\.1).sorted { $0.seed < $1.seed })
        }
        seeds = try Self.pair(arms)
        try Self.refuseOtherOrigins(arms)
        step = try Self.commonStep(runs)
        totalSteps = first.configuration.schedule.totalSteps
    }

    /// Name of a loss: its kind, gamma, and every other key that its kind reads and that is not the default.
    static func name(of loss: LossConfiguration) -> String {
        let standard = LossConfiguration()
        var parts = [loss.kind.rawValue]
        // Why a switch: a kind must name each key that it reads, or arms that differ in the key become one arm.
        switch loss.kind {
        case .mile:
            parts.append(Self.short(loss.gamma))
            if loss.sigma != standard.sigma { parts.append("sigma \(Self.short(loss.sigma))") }
            if loss.probabilityFloor > 0 { parts.append("floor \(Self.short(loss.probabilityFloor))") }
        case .focal: parts.append(Self.short(loss.gamma))
        case .crossEntropy: break
        }
        if loss.normalization == .reference {
            parts.append("reference" + (loss.referenceRanks > 0 ? " \(loss.referenceRanks)" : ""))
        }
        return parts.joined(separator: " ")
    }

    /// 1 rather than 1.0.
    private static func short(_ value: Double) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private typealias Settings = [(key: String, text: String)]

    private static func refuseDifferences(_ runs: [RunRecord], _ settings: [Settings], _ keys: [Int]) throws {
        guard !keys.isEmpty else { return }
        let lines = keys.map { key in
            let other = settings.firstIndex { $0[key].text != settings[0][key].text } ?? 0
            return "\n  \(settings[0][key].key): \(runs[0].directory) has \(settings[0][key].text), "
                + "\(runs[other].directory) has \(settings[other][key].text)"
        }
        throw ProgramFailure(
            .badInput,
            "these runs differ in more than their losses, so that a comparison would not be of losses; leave runs out, or "
                + "train them alike:" + lines.joined())
    }

    /// Checks that every arm has the same seeds once each, and returns the seeds.
    private static func pair(_ arms: [Arm]) throws -> [UInt64] {
        for arm in arms {
            for (run, next) in zip(arm.runs, arm.runs.dropFirst()) where run.seed == next.seed {
                throw ProgramFailure(
                    .badInput,
                    "\(run.directory) and \(next.directory) are both \(arm.name) with training.seed \(run.seed); allowed: "
                        + "one run for each loss and seed.")
            }
        }
        for arm in arms {
            let seeds = Set(arm.runs.map(\.seed))
            for other in arms {
                for run in other.runs where !seeds.contains(run.seed) {
                    throw ProgramFailure(
                        .badInput,
                        "\(arm.name) has no run with training.seed \(run.seed), which \(other.name) has "
                            + "(\(run.directory)); runs are compared in pairs of one seed: add the run, or leave that "
                            + "seed out.")
                }
            }
        }
        return arms[0].runs.map(\.seed)
    }

    /// Checks that all runs are finished and were last evaluated after the same step, and returns the step.
    private static func commonStep(_ runs: [RunRecord]) throws -> Int {
        let steps = runs.map { $0.evaluations.last?.step ?? 0 }
        let last = steps.max() ?? 0
        guard last > 0 else {
            throw ProgramFailure(
                .badInput, "\(runs[0].directory)/\(RunFiles.metrics) has no evaluation; all runs need one.")
        }
        func refuse(_ runs: [RunRecord], _ problem: String) throws {
            guard !runs.isEmpty else { return }
            let lines = runs.map { "\n  \($0.directory): \($0.extent)" }
            throw ProgramFailure(.badInput, "\(problem); continue or leave them out:" + lines.joined())
        }
        // Why each configuration is checked: all runs may have stopped early at the same step.
        try refuse(runs.filter { !$0.isFinished }, "unfinished, by their own configurations")
        let complete = zip(runs, steps).first { $0.1 == last }?.0.directory ?? ""
        try refuse(
            zip(runs, steps).filter { $0.1 < last }.map(\.0),
            "\(complete) was last evaluated after step \(last), these were not")
        return last
    }
}
