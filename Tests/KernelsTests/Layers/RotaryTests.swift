// RotaryTests - rotation of query and key heads against Hugging Face's formula.

import Kernels
import TestSupport
import Tensors
import Testing

struct RotaryTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let (N, positions, heads, headSize, padding): (Int, Int, Int, Int, Int)
        var x: [Float]
        var stride: Int { heads * headSize + padding }
        var testDescription: String { "\(N) tokens, \(heads) heads of \(headSize), \(padding) more" }

        init(_ N: Int, positions: Int, heads: Int, headSize: Int, padding: Int) {
            (self.N, self.positions, self.heads, self.headSize) = (N, positions, heads, headSize)
            self.padding = padding
            var generator = SeededGenerator(seed: UInt64(N * 1000 + headSize))
            x = generator.normals(N * (heads * headSize + padding))
        }

        func position(_ n: Int) -> Int { n % positions }

        func run(_ pool: ThreadPool, inverse: Bool = false) -> [Float] {
            let buffer = GuardedBuffer(x)
            let (positions, headSize) = (positions, headSize)
            Rotary(headSize: headSize, positions: positions, theta: 10_000).apply(
                pool, to: buffer.slice, stride: stride, heads: heads, inverse: inverse, position: position)
            #expect(buffer.isIntact)
            return buffer.array
        }

        /// Applies `turn` to every head. Features behind the heads stay unchanged.
        func expected(_ turn: (_ head: [Double], _ position: Int) -> [Double]) -> [Double] {
            var result = x.doubles
            for n in 0..<N {
                for head in 0..<heads {
                    let range = (n * stride + head * headSize)..<(n * stride + (head + 1) * headSize)
                    result.replaceSubrange(range, with: turn(Array(result[range]), position(n)))
                }
            }
            return result
        }
    }

    static let cases = [
        Case(5, positions: 5, heads: 1, headSize: 2, padding: 0),
        Case(70, positions: 33, heads: 3, headSize: 20, padding: 7),
        Case(130, positions: 65, heads: 2, headSize: 32, padding: 32),
        Case(64, positions: 64, heads: 4, headSize: 66, padding: 1),
        Case(3, positions: 2048, heads: 1, headSize: 128, padding: 0),
    ]

    /// Tolerance: two products and a sum, of factors rounded once: 3 times 2^-24.
    @Test(arguments: cases)
    func turnsAsTheDefinitionDoes(rotary: Case) {
        let expected = rotary.expected { Reference.rotary($0, position: $1, theta: 10_000) }
        #expect(disagreement(rotary.run(makePool(2)), expected, within: 2e-7) == nil)
        let gradient = rotary.expected { Reference.rotaryGradient($0, position: $1, theta: 10_000) }
        #expect(disagreement(rotary.run(makePool(2), inverse: true), gradient, within: 2e-7) == nil)
    }

    /// The map is linear, so finite differences are exact except for rounding.
    @Test func inverseIsTheSlope() {
        var rotary = Case(4, positions: 4, heads: 1, headSize: 6, padding: 0)
        let outputGradient = Case(4, positions: 4, heads: 1, headSize: 6, padding: 0).x
        let gradient = rotary.run(makePool(), inverse: true)
        let slope = numericalGradient(at: rotary.x.doubles, step: 0.5) {
            rotary.x = $0.floats
            return dot(outputGradient.doubles, rotary.run(makePool()).doubles)
        }
        #expect(disagreement(gradient, slope, within: 1e-5) == nil)
    }

    /// Scores depend on the distance of two positions only, which is the purpose of rotary embedding.
    @Test func productsDependOnTheDistanceOnly() {
        var generator = SeededGenerator(seed: 9)
        let (q, k) = (generator.normals(20), generator.normals(20))
        let rotary = Rotary(headSize: 20, positions: 100, theta: 10_000)
        func turned(_ x: [Float], _ position: Int) -> [Double] {
            let slice = unaligned(x)
            rotary.apply(makePool(), to: slice, stride: 20, heads: 1) { _ in position }
            return slice.array.doubles
        }
        let near = dot(turned(q, 9), turned(k, 2))
        // Angles near 97 are rounded to 2^-18 = 4e-6, products of normal numbers are summed.
        #expect(abs(dot(turned(q, 97), turned(k, 90)) - near) < 5e-5)
        #expect(abs(dot(turned(q, 97), turned(k, 91)) - near) > 1e-2)
    }

    /// (theta, position, pair, cosine, sine) of transformers 5.23's LlamaRotaryEmbedding for heads of 64. With exact
    /// angles most of them differ by 1e-5 to 1e-4.
    static let tabulated: [(Double, Int, Int, Double, Double)] = [
        (10_000, 1, 5, 0.9720144271850586, 0.23492106795310974),
        (10_000, 1000, 1, -0.584592878818512, 0.811326801776886),
        (10_000, 2047, 2, 0.2773517668247223, 0.960768461227417),
        (10_000, 2047, 17, -0.9367297291755676, 0.35005342960357666),
        (10_000, 4095, 0, -0.06597599387168884, -0.9978212118148804),
        (10_000, 4095, 1, -0.09004636108875275, -0.9959375858306885),
        (10_000, 4095, 5, -0.9475278258323669, -0.3196733295917511),
        (10_000, 4095, 31, 0.8545684218406677, 0.519338846206665),
        (500_000, 1000, 5, -0.9930554032325745, 0.11764776706695557),
        (500_000, 2047, 1, 0.34005650877952576, 0.940405011177063),
        (500_000, 4095, 2, 0.9996298551559448, 0.027205083519220352),
        (500_000, 4095, 17, -0.7639021873474121, -0.6453320384025574),
    ]

    /// Half a unit in the last place of a number below 1 on either side: 2^-24.
    @Test(arguments: tabulated)
    func anglesAreHuggingFaces(_ row: (theta: Double, position: Int, pair: Int, cosine: Double, sine: Double)) {
        var x = [Float](repeating: 0, count: 64)
        x[row.pair] = 1
        let slice = unaligned(x)
        Rotary(headSize: 64, positions: 4096, theta: row.theta).apply(makePool(), to: slice, stride: 64, heads: 1) {
            _ in
            row.position
        }
        #expect(abs(Double(slice[row.pair]) - row.cosine) < 6e-8)
        #expect(abs(Double(slice[row.pair + 32]) - row.sine) < 6e-8)
    }

    private static let llama31 = Rotary.Scaling.llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192)
    private static let llama32 = Rotary.Scaling.llama3(
        factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192)

    /// (theta, scaling, position, pair, cosine, sine) of transformers 5.24 for heads of 64. Of llama3, pairs up to 14 keep
    /// their frequency, 15 and 16 are mixed, and later ones are divided.
    static let scaled: [(Double, Rotary.Scaling, Int, Int, Double, Double)] = [
        (10_000, .linear(factor: 2.5), 1, 0, 0.9210609793663025, 0.389418363571167),
        (10_000, .linear(factor: 2.5), 1000, 14, 0.6749256253242493, 0.7378857135772705),
        (10_000, .linear(factor: 2.5), 4095, 31, 0.9762386679649353, 0.21669799089431763),
        (500_000, llama31, 1, 0, 0.5403023362159729, 0.8414709568023682),
        (500_000, llama31, 1000, 14, -0.9975612163543701, -0.0697965994477272),
        (500_000, llama31, 4095, 15, 0.7867435812950134, -0.6172799468040466),
        (500_000, llama31, 4095, 16, -0.5467252731323242, 0.8373120427131653),
        (500_000, llama31, 4095, 17, 0.7445142269134521, 0.6676065921783447),
        (500_000, llama31, 4095, 31, 0.9999988079071045, 0.0015427180333063006),
        (500_000, llama32, 4095, 15, 0.5416555404663086, -0.8406005501747131),
        (500_000, llama32, 4095, 16, -0.18712873756885529, 0.9823353886604309),
        (500_000, llama32, 4095, 31, 0.9999999403953552, 0.00038567965384572744),
    ]

    /// Half a unit in the last place of a number below 1 on either side: 2^-24.
    @Test(arguments: scaled)
    func scaledAnglesAreHuggingFaces(
        _ row: (theta: Double, scaling: Rotary.Scaling, position: Int, pair: Int, cosine: Double, sine: Double)
    ) {
        var x = [Float](repeating: 0, count: 64)
        x[row.pair] = 1
        let slice = unaligned(x)
        Rotary(headSize: 64, positions: 4096, theta: row.theta, scaling: row.scaling).apply(
            makePool(), to: slice, stride: 64, heads: 1
        ) { _ in row.position }
        #expect(abs(Double(slice[row.pair]) - row.cosine) < 6e-8)
        #expect(abs(Double(slice[row.pair + 32]) - row.sine) < 6e-8)
    }

    @Test func positionsBeyondTheTableTrap() async {
        await #expect(processExitsWith: .failure) {
            Rotary(headSize: 4, positions: 3, theta: 10).apply(
                makePool(), to: Arena(count: 4).all, stride: 4, heads: 1
            ) { _ in 3 }
        }
    }
}
