// StepLayoutTests - micro-batches, accumulation steps and ownership, against counts by hand.

import Configuration
import Kernels
import LlamaModel
import Optimization
import Reporting
import Sharding
import Tensors
import Testing
import TokenData

@testable import Planning

@Suite struct StepLayoutTests {
    private func makeLayout(
        batch: Int, micro: Int, ranks: Int, loss: LossConfiguration = .init(), reproducible: Bool = false
    ) -> StepLayout {
        var training = TrainingConfiguration(globalBatchSize: batch, microBatchSize: micro)
        training.reproducible = reproducible
        let configuration = RunConfiguration(
            name: "run",
            model: ModelConfiguration(
                hiddenSize: 8, intermediateSize: 12, hiddenLayerCount: 1, attentionHeadCount: 2, keyValueHeadCount: 2,
                vocabularySize: 300, maxPositionEmbeddings: 16),
            data: DataConfiguration(train: [.init(name: "a", path: "a.txt")], sequenceLength: 16), loss: loss,
            training: training)
        return StepLayout(configuration, ranks: ranks)
    }

    /// 10 sequences on 3 ranks: shares of 3, 3 and 4, in micro-batches of at most 2.
    @Test func anOrdinaryStep() throws {
        let layout = makeLayout(batch: 10, micro: 2, ranks: 3)
        let sequences = (0..<3).map { layout.microBatches(rank: $0).map(\.sequences) }
        #expect(sequences == [[0..<2, 2..<3], [3..<5, 5..<6], [6..<8, 8..<10]])
        #expect(layout.referenceRanks == nil && layout.accumulationSteps == 1 && layout.largestMicroBatch == 2)
        try layout.requireWholeAccumulationSteps()
        #expect(layout.fixedPoint == nil && !layout.writesGradientOnce(rank: 0))
    }

    /// The micro-batch size is larger than a rank's share. Activations are those of the share.
    @Test func aShareSmallerThanAMicroBatch() {
        let layout = makeLayout(batch: 4, micro: 8, ranks: 3)
        #expect(layout.largestMicroBatch == 2)
        #expect((0..<3).allSatisfy { layout.writesGradientOnce(rank: $0) })
    }

    /// 10 sequences in micro-batches of 3 are four micro-batches on any number of ranks.
    @Test func aReproducibleStep() {
        let all = (1...5).map { ranks in
            let layout = makeLayout(batch: 10, micro: 3, ranks: ranks, reproducible: true)
            return (0..<ranks).flatMap { layout.microBatches(rank: $0).map(\.sequences) }
        }
        #expect(all.allSatisfy { $0 == [0..<3, 3..<6, 6..<9, 9..<10] })
        let layout = makeLayout(batch: 10, micro: 3, ranks: 2, reproducible: true)
        #expect(layout.largestMicroBatch == 3 && layout.fixedPoint != nil && layout.writesGradientOnce(rank: 0))
    }

    /// Two ranks of the authors' trainer with micro-batches of 2: 12 sequences are three accumulation steps.
    @Test func theReferenceNormalization() throws {
        var loss = LossConfiguration()
        loss.normalization = .reference
        loss.referenceRanks = 2
        let one = makeLayout(batch: 12, micro: 2, ranks: 1, loss: loss)
        #expect(one.referenceRanks == 2 && one.accumulationSteps == 3 && one.largestMicroBatch == 2)
        #expect(one.microBatches(rank: 0).map(\.accumulationStep) == [0, 0, 1, 1, 2, 2])
        try one.requireWholeAccumulationSteps()
        // Without `reference_ranks` the ranks of the job count.
        loss.referenceRanks = 0
        #expect(makeLayout(batch: 12, micro: 2, ranks: 3, loss: loss).accumulationSteps == 2)
        let uneven = makeLayout(batch: 14, micro: 2, ranks: 3, loss: loss)
        let error = #expect(throws: ProgramFailure.self) { try uneven.requireWholeAccumulationSteps() }
        #expect(error?.status == .badInput && error?.message.contains("training.global_batch_size 14") == true)
    }

    /// Every element has one owner. A snapshot holds parameters and state in fp32: AdamW has two tensors, Lion one.
    @Test func ownership() {
        let partition = makeLayout(batch: 4, micro: 2, ranks: 3).partition
        let owned = (0..<3).map { partition.count(rank: $0) }
        #expect(owned.reduce(0, +) == makeLayout(batch: 4, micro: 2, ranks: 3).configuration.model.tensorTable.count)
        for kind in OptimizerConfiguration.Kind.allCases {
            let bytes =
                switch kind {
                case .adamw: 12
                case .lion: 8
                }
            var optimizer = OptimizerConfiguration()
            optimizer.kind = kind
            for rank in 0..<3 {
                #expect(
                    StepLayout.snapshotBytes(partition, rank: rank, optimizer: optimizer) == bytes * owned[rank])
            }
        }
    }
}
