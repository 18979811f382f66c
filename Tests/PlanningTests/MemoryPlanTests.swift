// MemoryPlanTests - the memory plan against a calculation by hand.

import Configuration
import Kernels
import LlamaModel
import Optimization
import Testing
import TokenData

@testable import Planning

@Suite struct MemoryPlanTests {
    /// A model of 1 MiB matrices: D 512, F 512, V 512, untied, 2 layers, 8 heads.
    ///
    /// Per layer: q, k, v, o 4 * 512^2; gate, up, down 3 * 512^2; two gains of 512. Embedding and head 512^2 each, the
    /// final gain 512: (2 * 7 + 2) * 512^2 + (2 * 2 + 1) * 512 = 4,194,304 + 2,560 = 4,196,864 parameters.
    private func configuration(
        batch: Int = 8, micro: Int = 2, loss: LossConfiguration = LossConfiguration()
    ) -> RunConfiguration {
        var run = RunConfiguration(
            name: "hand",
            model: ModelConfiguration(
                hiddenSize: 512, intermediateSize: 512, hiddenLayerCount: 2, attentionHeadCount: 8,
                keyValueHeadCount: 8, vocabularySize: 512, maxPositionEmbeddings: 64),
            data: DataConfiguration(train: [], sequenceLength: 64), loss: loss)
        run.training.globalBatchSize = batch
        run.training.microBatchSize = micro
        run.schedule.totalSteps = 300
        return run
    }

    /// Activations of one micro-batch of `B` sequences, in floats.
    ///
    /// Per token and layer: input and middle 2 * 512, qkv 3 * 512, attention 512, gate and up 2 * 512, lse 8, two rstd.
    /// Per token: final, normed, residual and normed gradient 4 * 512, final rstd; gated 512, qkv gradient 3 * 512, with
    /// attention's scratch of (2 + 4) * 64 * 64 for a thread: more than the head's logits, 512 a token, in the same memory.
    ///
    /// - Parameter sharing: layers whose activations lie in the gradient's memory. With one micro-batch a step, a layer's
    ///   7 * 512^2 floats, or the embedding's 512^2 under the first layer, have the capacity.
    private func activations(_ B: Int, sharing: Int = 0) -> Int {
        let perLayer = (2 + 3 + 1 + 2) * 512 + 8 + 2
        let shared = 4 * 512 + 1 + 4 * 512
        return 64 * B * ((2 - sharing) * perLayer + shared) + 6 * 64 * 64
    }

    private func mebibytes(floats: Int) -> Int { (4 * floats + (1 << 20) - 1) / (1 << 20) }

    @Test func theStartUpLine() {
        let plan = MemoryPlan(configuration(), ranks: 3, ranksOnNode: 1)
        #expect(
            plan.summary(threads: 2)
                == "hand: 4,196,864 parameters, 3 ranks x 2 threads, 8 sequences of 64 tokens per step, 300 steps, "
                + "loss mile")
        #expect(
            MemoryPlan(configuration(), ranks: 1, ranksOnNode: 1).summary(threads: 1)
                .contains(" 1 rank x 1 thread, "))
    }

    @Test func oneRank() {
        let details = MemoryPlan(configuration(), ranks: 1, ranksOnNode: 1).details(threads: 1)
        let P = 4_196_864
        // Rounded up: 16.01 MiB of parameters are 17, two moments 33, all three 49.
        #expect(mebibytes(floats: P) == 17 && mebibytes(floats: 2 * P) == 33 && mebibytes(floats: 3 * P) == 49)
        let A = activations(2)
        let total = mebibytes(floats: 7 * P + A)
        #expect(
            details == [
                "memory per rank: parameters 17 MiB, gradients 17 MiB, optimizer shard 33 MiB, snapshot for "
                    + "saves 49 MiB, activations \(mebibytes(floats: A)) MiB; together \(total) MiB, on this node "
                    + "\(total) MiB",
                "layout: 2 buckets, 4,196,864 to 4,196,864 elements owned per rank",
                "checkpoint: 49 MiB in 1 shard",
            ])
    }

    @Test func fourRanksOfWhichTwoAreOnThisNode() {
        let details = MemoryPlan(configuration(), ranks: 4, ranksOnNode: 2).details(threads: 1)
        let P = 4_196_864
        // 65 blocks, the last of 2,560 elements: 17 for rank 0, 16 for each other rank.
        #expect(P == 64 * 65_536 + 2560)
        let (most, least) = (17 * 65_536, 15 * 65_536 + 2560)
        #expect(details[1] == "layout: 2 buckets, 985,600 to 1,114,112 elements owned per rank")
        #expect((least, most) == (985_600, 1_114_112))
        // The largest shard has 3 of optimizer state (two moments, reduced gradient) and 3 of snapshot.
        let total = mebibytes(floats: 2 * P + 6 * most + activations(2, sharing: 1))
        let node = (8 * (2 * P + 6 * most + activations(2, sharing: 1)) + (1 << 20) - 1) / (1 << 20)
        #expect(details[0].contains("optimizer shard \(mebibytes(floats: 3 * most)) MiB"))
        #expect(details[0].contains("snapshot for saves \(mebibytes(floats: 3 * most)) MiB"))
        #expect(details[0].hasSuffix("together \(total) MiB, on this node \(node) MiB"))
        #expect(details[2] == "checkpoint: 49 MiB in 4 shards")
    }

    @Test func aRanksShareLimitsItsMicroBatch() {
        // 8 sequences on 8 ranks: micro-batches of one sequence, although micro_batch_size is 4.
        let one = MemoryPlan(configuration(micro: 4), ranks: 8, ranksOnNode: 1).details(threads: 1)[0]
        #expect(one.contains("activations \(mebibytes(floats: activations(1, sharing: 1))) MiB"))
        let four = MemoryPlan(configuration(micro: 4), ranks: 1, ranksOnNode: 1).details(threads: 1)[0]
        #expect(four.contains("activations \(mebibytes(floats: activations(4))) MiB"))
    }

    @Test func severalReferenceMicroStepsKeepASecondGradient() {
        func gradients(_ batch: Int) -> Bool {
            let loss = LossConfiguration(normalization: .reference, referenceRanks: 2)
            let plan = MemoryPlan(configuration(batch: batch, loss: loss), ranks: 1, ranksOnNode: 1)
            return plan.details(threads: 1)[0].contains("gradients 33 MiB")
        }
        // 8 sequences are two accumulation steps, each of 2 micro-batches of 2 sequences.
        #expect(gradients(8))
        #expect(!gradients(4))
    }
}
