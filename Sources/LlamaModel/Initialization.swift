// Initialization - initial parameter values: a function of the seed, the tensor's name and the element's index.

internal import Glibc
public import Kernels
internal import Primitives
public import Tensors

extension ModelConfiguration {
    /// Fills `parameters` with initial values: gains 1, biases 0, matrices and embeddings N(0, `initializer_range`).
    ///
    /// Element `i` of a tensor follows from `(seed, name, i)` alone (a counter-based generator), so the values depend
    /// neither on ranks and threads nor on other tensors' sizes.
    public func initialize(_ parameters: FloatSlice, seed: UInt64, pool: ThreadPool) {
        let table = tensorTable
        precondition(parameters.count == table.count, "\(parameters.count) floats for a model of \(table.count)")
        for entry in table.entries {
            let tensor = parameters[entry.range]
            switch entry.kind {
            case .gain:
                tensor.fill(1)
                continue
            case .bias:
                tensor.fill(0)
                continue
            case .matrix, .embedding: break
            }
            let key = CounterGenerator.key(seed: seed, name: entry.name)
            let standardDeviation = initializerRange
            // An even grain keeps the two values of a Box-Muller pair in one task.
            pool.runRanges(count: tensor.count, grain: 1 << 14) { range, _ in
                for pair in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
                    let (first, second) = CounterGenerator.normalPair(key: key, index: UInt64(pair / 2))
                    tensor.view[pair] = Float(first * standardDeviation)
                    if pair + 1 < range.upperBound { tensor.view[pair + 1] = Float(second * standardDeviation) }
                }
            }
        }
    }
}

/// Random numbers that follow from key and index: SplitMix64's finaliser over their sum (Steele et al., OOPSLA 2014).
enum CounterGenerator {
    /// A key that differs for every seed and tensor name (FNV-1a of the name, mixed with the seed).
    static func key(seed: UInt64, name: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return SplitMix64.mix(hash ^ SplitMix64.mix(seed &+ SplitMix64.increment))
    }

    /// Two independent standard normal values (Box and Muller, 1958).
    static func normalPair(key: UInt64, index: UInt64) -> (Double, Double) {
        let first = SplitMix64.mix(key &+ (2 &* index &+ 1) &* SplitMix64.increment)
        let second = SplitMix64.mix(key &+ (2 &* index &+ 2) &* SplitMix64.increment)
        // The argument of the logarithm is in (0, 1], so the logarithm is finite.
        let radius = (-2 * log((Double(first >> 11) + 1) * 0x1p-53)).squareRoot()
        let angle = 2 * Double.pi * Double(second >> 11) * 0x1p-53
        return (radius * cos(angle), radius * sin(angle))
    }
}
