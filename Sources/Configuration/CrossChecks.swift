// CrossChecks - checks of values that contradict one another.

internal import Kernels
internal import LlamaModel
internal import Optimization
internal import TokenData

/// Checks of a configuration whose values are all allowed by themselves.
enum CrossChecks {
    /// The contradictions in `run`, each at the key to change. `node` has the places of the keys.
    static func issues(_ run: RunConfiguration, node: YAMLNode) -> [LocatedIssue] {
        var issues: [LocatedIssue] = []
        func report(_ key: String, found: String, allowed: String) {
            issues.append(LocatedIssue(at: node.origin(of: key), key: key, found: found, allowed: allowed))
        }
        checkModel(run, report)
        checkData(run, report)
        checkSteps(run, report)
        checkStableDecay(run.schedule, report)
        checkReproducible(run, report)
        return issues
    }

    private typealias Report = (_ key: String, _ found: String, _ allowed: String) -> Void

    /// Most parameters of a model: a thousand times the largest that anybody has trained on CPUs.
    private static let mostParameters = 1e13

    private static func checkModel(_ run: RunConfiguration, _ report: Report) {
        let model = run.model
        let heads = model.attentionHeadCount
        if !model.hiddenSize.isMultiple(of: heads), model.headsShareHidden || model.architecture == .llama {
            report(
                "model.num_attention_heads", "\(heads), which does not divide model.hidden_size \(model.hiddenSize)",
                "a divisor of \(model.hiddenSize)")
        } else if !model.headSize.isMultiple(of: 2), model.headsShareHidden {
            report(
                "model.num_attention_heads",
                "\(heads), which makes heads of size \(model.headSize); rotary embeddings turn pairs of features",
                "a divisor of model.hidden_size \(model.hiddenSize) with an even quotient")
        }
        if !heads.isMultiple(of: model.keyValueHeadCount) {
            report(
                "model.num_key_value_heads",
                "\(model.keyValueHeadCount), which does not divide model.num_attention_heads \(heads)",
                "a divisor of \(heads)")
        }
        for contradiction in model.contradictions {
            report("model." + contradiction.key, contradiction.found, contradiction.allowed)
        }
        // In floating point: the sizes of a typing mistake may overflow an integer.
        let (D, F) = (Double(model.hiddenSize), Double(model.intermediateSize))
        // Heads that share the hidden features make two matrices of D x D; a head size of its own makes others.
        let width = model.headsShareHidden ? D : Double(heads) * Double(model.headSize)
        let count =
            Double(model.hiddenLayerCount) * D * (2 * D + 2 * width + 3 * F) + 2 * Double(model.vocabularySize) * D
        if count > mostParameters {
            report(
                "model.hidden_size", "\(model.hiddenSize), which with the other sizes makes about \(count) parameters",
                "a model of at most \(mostParameters) parameters")
        }
        if run.data.tokenizer == "bytes", model.vocabularySize < Schema.bytesVocabulary {
            report(
                "model.vocab_size", "\(model.vocabularySize), which the tokenizer bytes exceeds",
                "at least \(Schema.bytesVocabulary): 256 bytes and the end of a document")
        }
    }

    private static func checkData(_ run: RunConfiguration, _ report: Report) {
        let data = run.data
        if data.train.isEmpty {
            report("data.train", "an empty list", "at least one mapping, as in [{name: ..., path: ...}]")
        } else if data.train.allSatisfy({ $0.weight == 0 }) {
            report("data.train", "domains that are all switched off by weight 0", "at least one weight above 0")
        }
        for (list, domains) in [("data.train", data.train), ("data.validation", data.validation)] {
            var names: Set<String> = []
            for (index, domain) in domains.enumerated() where !names.insert(domain.name).inserted {
                report(
                    "\(list.appending(index: index)).name", "\(OutputValue.quoted(domain.name)) a second time",
                    "each name once in \(list)")
            }
        }
        if data.sequenceLength > run.model.longestSequence {
            let most = run.model.longestSequence
            report(
                "data.sequence_length",
                "\(data.sequenceLength), more than model.\(run.model.longestSequenceKey) \(most)",
                "an integer from 1 to \(most)")
        }
        for (index, token) in data.ignoredTargets.enumerated() where Int(token) >= run.model.vocabularySize {
            report(
                "data.ignored_targets".appending(index: index),
                "\(token), which is no token of a vocabulary of this size",
                "an integer from 0 to \(run.model.vocabularySize - 1)")
        }
    }

    /// The conditions of bit-identical results on any number of ranks.
    private static func checkReproducible(_ run: RunConfiguration, _ report: Report) {
        let training = run.training
        guard training.reproducible else { return }
        let units = (training.globalBatchSize + training.microBatchSize - 1) / training.microBatchSize
        if units > FixedPoint.mostTerms {
            report(
                "training.micro_batch_size",
                "\(training.microBatchSize), with which a step has \(units) units",
                "at least \((training.globalBatchSize + FixedPoint.mostTerms - 1) / FixedPoint.mostTerms) with "
                    + "training.reproducible: at most \(FixedPoint.mostTerms) units can be added exactly")
        }
        if run.loss.normalization == .reference, run.loss.referenceRanks == 0 {
            report(
                "loss.reference_ranks", "0, which stands for the MPI ranks",
                "a number of ranks: with training.reproducible nothing may depend on the MPI ranks")
        }
    }

    /// Checks the keys that only the schedule warmup-stable-decay (wsd) reads.
    private static func checkStableDecay(_ schedule: LearningRateSchedule, _ report: Report) {
        let (warmup, decay, total) = (schedule.warmupSteps, schedule.decaySteps, schedule.totalSteps)
        guard schedule.kind == .wsd else {
            let kind = schedule.kind.rawValue
            if decay > 0 {
                report(
                    "schedule.decay_steps", "\(decay) with schedule.kind \(kind), which has no such decay",
                    "0, or schedule.kind wsd")
            }
            let standard = LearningRateSchedule().decayShape
            if schedule.decayShape != standard {
                report(
                    "schedule.decay_shape",
                    "\(schedule.decayShape.rawValue) with schedule.kind \(kind), which has no such decay",
                    "\(standard.rawValue) (the default), or schedule.kind wsd")
            }
            return
        }
        // A warm-up that is too long for the run alone has its own message.
        if warmup <= total, decay > total - warmup {
            report(
                "schedule.decay_steps",
                "\(decay), more than schedule.total_steps \(total) - schedule.warmup_steps \(warmup)",
                "an integer from 0 to \(total - warmup)")
        }
    }

    private static func checkSteps(_ run: RunConfiguration, _ report: Report) {
        let total = run.schedule.totalSteps
        let training = run.training
        if run.schedule.warmupSteps > total {
            report(
                "schedule.warmup_steps", "\(run.schedule.warmupSteps), more than schedule.total_steps \(total)",
                "an integer from 0 to \(total)")
        }
        if training.stopAtStep > total {
            report(
                "training.stop_at_step", "\(training.stopAtStep), more than schedule.total_steps \(total)",
                "an integer from 0 to \(total)")
        }
        let sequence = training.globalBatchSize.multipliedReportingOverflow(by: run.data.sequenceLength)
        if sequence.overflow || sequence.partialValue.multipliedReportingOverflow(by: total).overflow {
            report(
                "schedule.total_steps", "\(total), with which the run's tokens cannot be counted",
                "fewer than 2^63 tokens: total_steps * global_batch_size * sequence_length")
        }
        if run.loss.normalization == .reference, run.loss.referenceRanks > 0 {
            let unit = training.microBatchSize * run.loss.referenceRanks
            if !training.globalBatchSize.isMultiple(of: unit) {
                report(
                    "training.global_batch_size",
                    "\(training.globalBatchSize), which training.micro_batch_size \(training.microBatchSize) * "
                        + "loss.reference_ranks \(run.loss.referenceRanks) does not divide",
                    "a multiple of \(unit) with loss.normalization reference")
            }
        }
    }
}
