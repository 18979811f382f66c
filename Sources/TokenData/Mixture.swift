// Mixture - the domain of each stream index, and the number of its earlier uses.

internal import InputFiles
internal import Primitives

/// The domains' shares of the training stream. Every block of 1,024 consecutive sequences holds an equal quota of each
/// domain, in an order of its own.
///
/// Why: with equal quotas in every block, the number of earlier uses is a product and not a count. The price is a
/// granularity of 1/1,024. A domain whose quota would be 0 is refused, not silently left out; a weight of 0 asks for
/// it.
package struct Mixture: Sendable {
    package static let blockSize = 1024

    /// Quotas: uses of each domain per block. Their sum is 1,024.
    let quotas: [Int]
    /// Domain of each slot of a block, before the block's permutation.
    private let domainOfSlot: [UInt16]
    private let seed: UInt64

    /// - Throws: ``DataError`` naming `data.train[i].weight` for a weight that is negative, not finite, or too small
    ///   for one use per block; naming `data.train` if no weight is above 0.
    init(weights: [Double], names: [String], seed: UInt64) throws {
        precondition(!weights.isEmpty && weights.count == names.count, "one weight per domain")
        for (index, weight) in weights.enumerated() where !(weight >= 0 && weight.isFinite) {
            throw DataError(
                key: "data.train[\(index)].weight", problem: "the weight of \"\(names[index])\" is \(weight)",
                remedy: "allowed: a number above zero, or 0 to switch the domain off")
        }
        guard weights.contains(where: { $0 > 0 }) else {
            throw DataError(
                key: "data.train", problem: "every weight is 0", remedy: "give at least one domain a weight above zero")
        }
        let quotas = Self.largestRemainder(weights)
        self.quotas = quotas
        if let index = weights.indices.first(where: { weights[$0] > 0 && quotas[$0] == 0 }) {
            let total = weights.reduce(0, +)
            throw DataError(
                key: "data.train[\(index)].weight",
                problem: "the weight of \"\(names[index])\" is \(weights[index]) of a total of \(total): less than one "
                    + "in \(Self.blockSize) sequences",
                remedy: "give at least \(total / Double(Self.blockSize)), or 0 to switch the domain off")
        }
        domainOfSlot = quotas.enumerated().flatMap { Array(repeating: UInt16($0.offset), count: $0.element) }
        self.seed = seed
    }

    /// Quotas of 1,024 by largest remainder (Hamilton's method). Of equal remainders the first wins.
    static func largestRemainder(_ weights: [Double]) -> [Int] {
        // Scaled by the largest weight, so that no sum overflows.
        let largest = weights.max() ?? 1
        let scaled = weights.map { $0 / largest }
        let total = scaled.reduce(0, +)
        let exact = scaled.map { $0 / total * Double(blockSize) }
        var quotas = exact.map { Int($0) }
        let order = exact.indices.sorted {
            let (first, second) = (exact[$0] - Double(quotas[$0]), exact[$1] - Double(quotas[$1]))
            return first != second ? first > second : $0 < $1
        }
        let missing = blockSize - quotas.reduce(0, +)
        for index in order.prefix(max(0, missing)) { quotas[index] += 1 }
        return quotas
    }

    /// Uses of each domain among the first `g` sequences of the stream: a product for whole blocks, a count in the last
    /// one.
    func uses(before g: Int) -> [Int] {
        precondition(g >= 0, "stream indexes start at 0")
        let (block, slotCount) = g.quotientAndRemainder(dividingBy: Self.blockSize)
        var uses = quotas.map { block * $0 }
        let order = KeyedPermutation(count: Self.blockSize, key: SplitMix64.seed(seed, .mixture, block))
        for slot in 0..<slotCount { uses[Int(domainOfSlot[order(slot)])] += 1 }
        return uses
    }

    /// The domain of sequence `g` of the stream, and the number of its uses before `g`.
    ///
    /// Within a block, earlier uses are counted over at most 1,023 slots.
    func use(at g: Int) -> (domain: Int, earlierUses: Int) {
        precondition(g >= 0, "stream indexes start at 0")
        if quotas.count == 1 { return (0, g) }
        let (block, slot) = g.quotientAndRemainder(dividingBy: Self.blockSize)
        let order = KeyedPermutation(count: Self.blockSize, key: SplitMix64.seed(seed, .mixture, block))
        let domain = domainOfSlot[order(slot)]
        var uses = block * quotas[Int(domain)]
        for earlier in 0..<slot where domainOfSlot[order(earlier)] == domain { uses += 1 }
        return (Int(domain), uses)
    }
}
