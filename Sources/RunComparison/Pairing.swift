// Pairing - runs sorted into arms, which differ in their loss, and paired across them by seed.

internal import Configuration
package import Kernels
internal import Optimization
internal import Reporting

/// What a key means when runs are compared.
enum KeyRole {
    /// Makes a run one of several of its arm.
    case ofTheRun
    /// Makes an arm.
    case ofTheArm
    /// Must be the same in all runs: a comparison would be of something else than losses.
    case common
    /// How a run was computed: no effect but rounding.
    case execution

    /// The role of `key`; a key that is not known here makes an arm, so that no difference goes unseen.
    init(_ key: String) {
        switch key {
        case "training.seed", "logging.directory", "checkpoint.directory": self = .ofTheRun
        case "training.global_batch_size": self = .common
        case "training.micro_batch_size", "training.reproducible", "training.blas", "training.gradient_reduction",
            "training.activation_checkpointing", "training.threads", "training.stop_at_step", "training.time_limit",
            "training.bucket_mib", "training.maximum_skipped_steps", "training.watchdog_seconds", "evaluation.every":
            self = .execution
        default:
            switch key.prefix(while: { $0 != "." }) {
            case "model", "data", "schedule", "evaluation": self = .common
            case "checkpoint", "logging": self = .execution
            default: self = .ofTheArm
            }
        }
    }
}

extension KeyRole {
    /// Whether the value of a key at each step made the model what it is, and not only the value at the end. The model itself
    /// and its data cannot change on the way; evaluations before the last one are not compared.
    static func isOfEachStep(_ key: String) -> Bool {
        switch KeyRole(key) {
        case .ofTheArm: true
        case .common: key == "training.global_batch_size" || key.hasPrefix("schedule.")
        case .ofTheRun, .execution: false
        }
    }
}

/// The runs of one loss.
package struct Arm: Sendable {
    /// For example `mile 0.5`; with other keys that make it differ, where any do.
    let name: String
    /// By seed, ascending.
    let runs: [RunRecord]
}

/// Runs that can be compared: finished, in arms with the same seeds, evaluated after the same step.
package struct Study: Sendable {
    /// The baseline first, the others in the order of their first runs.
    let arms: [Arm]
    package let seeds: [UInt64]
    /// After which all runs were last evaluated.
    package let step: Int
    /// Configured steps of the runs.
    package let totalSteps: Int
    /// Keys without an effect on the mathematics in which runs differ all the same.
    let executionKeys: [String]

    package var baseline: Arm { arms[0] }
    package var runs: [RunRecord] { arms.flatMap(\.runs) }

    /// - Parameter baseline: an arm's name.
    /// - Throws: status 2 when the runs cannot be compared, naming runs and reasons.
    package init(runs: [RunRecord], baseline: String) throws {
        guard let first = runs.first else { throw ProgramFailure(.badInput, "there is no run to compare.") }
        let settings = runs.map(\.settings)
        let varying = settings[0].indices.filter { key in settings.contains { $0[key].text != settings[0][key].text } }
            .map { (index: $0, key: settings[0][$0].key) }
        try Self.refuseDifferences(runs, settings, varying.filter { KeyRole($0.key) == .common }.map(\.index))
        try Self.refuseOtherData(runs)
        executionKeys = varying.map(\.key).filter { KeyRole($0) == .execution }

        // Arms by name: a name holds all that makes an arm and differs anywhere.
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

    /// What a loss is called: its kind, gamma, and what else is not the default of what its kind reads.
    package static func name(of loss: LossConfiguration) -> String {
        let standard = LossConfiguration()
        var parts = [loss.kind.rawValue]
        if loss.kind != .crossEntropy { parts.append(Self.short(loss.gamma)) }
        if loss.kind == .mile {
            if loss.sigma != standard.sigma { parts.append("sigma \(Self.short(loss.sigma))") }
            if loss.probabilityFloor > 0 { parts.append("floor \(Self.short(loss.probabilityFloor))") }
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

    /// The seeds that every arm has, once each.
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

    /// The step of every run's last evaluation.
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
        // By its own configuration: all of them may have been cut off at the same place.
        try refuse(runs.filter { !$0.isFinished }, "unfinished, by their own configurations")
        let complete = zip(runs, steps).first { $0.1 == last }?.0.directory ?? ""
        try refuse(
            zip(runs, steps).filter { $0.1 < last }.map(\.0),
            "\(complete) was last evaluated after step \(last), these were not")
        return last
    }
}
