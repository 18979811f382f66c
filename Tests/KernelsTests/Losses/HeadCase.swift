// HeadCase - a head pass with everything it needs, for the tests of the loss.

import Kernels
import TestSupport
import Tensors
import Testing

/// N tokens of D features over a vocabulary of V.
struct HeadCase: Sendable, CustomTestStringConvertible {
    let (N, D, V): (Int, Int, Int)
    var (hidden, weight): ([Float], [Float])
    var targets: [Int32]
    let initial: [Float]
    var loss: LossConfiguration
    var testDescription: String { "\(N) tokens, \(D) features, \(V) words, \(loss.kind) \(loss.gamma)" }

    /// Random hidden rows and weights whose logits deviate by about `deviation`; every `ignoring`-th target is ignored.
    init(
        _ N: Int, _ D: Int, _ V: Int, _ loss: LossConfiguration = LossConfiguration(), deviation: Double = 2,
        ignoring: Int = 0
    ) {
        (self.N, self.D, self.V, self.loss) = (N, D, V, loss)
        var generator = SeededGenerator(seed: UInt64(N * 1000 + V))
        hidden = generator.normals(N * D)
        weight = generator.normals(V * D, deviation: deviation / Double(D).squareRoot())
        targets = generator.integers(N, below: V)
        initial = generator.normals(V * D)
        if ignoring > 0 { for n in stride(from: 0, to: N, by: ignoring) { targets[n] = -1 } }
    }

    /// Rows that are `logits` themselves. The weight is the identity, whose matmul is exact, so dhidden equals dlogits.
    init(logits: [Float], targets: [Int32], _ loss: LossConfiguration) {
        let V = logits.count / targets.count
        self.init(
            N: targets.count, D: V, V: V, hidden: logits, weight: (0..<(V * V)).map { $0 / V == $0 % V ? 1 : 0 },
            targets: targets, initial: [Float](repeating: 0, count: V * V), loss: loss)
    }

    struct Result {
        let (hiddenGradient, weightGradient): ([Float], [Float])
        let (crossEntropy, entropy, weight): ([Float], [Float], [Float])
        let sums: LossSums
        /// All numbers, for comparisons of bits.
        var everything: [Float] { hiddenGradient + weightGradient + crossEntropy + entropy + weight }
    }

    func run(_ pool: ThreadPool = makePool(), adding: Bool = false) -> Result {
        let head = FusedHead(features: D, vocabulary: V)
        let hiddenGradient = GuardedBuffer(count: N * D)
        let weightGradient = adding ? GuardedBuffer(initial) : GuardedBuffer(count: V * D)
        let scratch = GuardedBuffer(count: head.scratchCount(tokens: N))
        let losses = TokenLosses(count: N)
        head.lossAndGradient(
            pool, hidden: .fp32(unaligned(hidden)), weight: .fp32(unaligned(weight)), targets: targets,
            weighting: loss.tokenWeighting,
            hiddenGradient: hiddenGradient.slice, weightGradient: weightGradient.slice, adding: adding, losses: losses,
            scratch: scratch.slice)
        #expect(hiddenGradient.isIntact && weightGradient.isIntact && scratch.isIntact)
        return Result(
            hiddenGradient: hiddenGradient.array, weightGradient: weightGradient.array,
            crossEntropy: losses.crossEntropy.array,
            entropy: losses.entropy.array, weight: losses.weight.array, sums: losses.sums(targets: targets))
    }

    /// The losses of the pass without gradients.
    func evaluate(_ pool: ThreadPool = makePool()) -> TokenLosses {
        let head = FusedHead(features: D, vocabulary: V)
        let losses = TokenLosses(count: N)
        let scratch = GuardedBuffer(count: head.scratchCount(tokens: N))
        head.evaluate(
            pool, hidden: .fp32(unaligned(hidden)), weight: .fp32(unaligned(weight)), targets: targets,
            weighting: loss.tokenWeighting,
            losses: losses, scratch: scratch.slice)
        #expect(scratch.isIntact)
        return losses
    }

    /// The tokens in `range` as a pass of their own.
    func part(_ range: Range<Int>) -> HeadCase {
        HeadCase(
            N: range.count, D: D, V: V, hidden: Array(hidden[(range.lowerBound * D)..<(range.upperBound * D)]),
            weight: weight, targets: Array(targets[range]), initial: initial, loss: loss)
    }

    private init(
        N: Int, D: Int, V: Int, hidden: [Float], weight: [Float], targets: [Int32], initial: [Float],
        loss: LossConfiguration
    ) {
        (self.N, self.D, self.V, self.hidden, self.weight) = (N, D, V, hidden, weight)
        (self.targets, self.initial, self.loss) = (targets, initial, loss)
    }

    var reference: ReferenceHead {
        let logits = Reference.matmul(hidden.doubles, weight.doubles, m: N, n: V, k: D, bTransposed: true)
        return ReferenceHead(
            logits: logits, targets: targets, weighting: loss.referenceWeight, probabilityFloor: loss.probabilityFloor)
    }
}
