// InitializationTests - initial values: their distribution, and their dependence on seed, name and index.

import Kernels
import LlamaModel
import TestSupport
import Tensors
import Testing

struct InitializationTests {
    private func initialized(_ model: ModelConfiguration, seed: UInt64 = 111, threads: Int = 1) -> FloatSlice {
        let parameters = Arena(count: model.tensorTable.count).all
        // Earlier contents must not matter.
        parameters.fill(.nan)
        model.initialize(parameters, seed: seed, pool: makePool(threads))
        return parameters
    }

    private func tensors(_ model: ModelConfiguration, _ parameters: FloatSlice) -> [String: [Float]] {
        var result: [String: [Float]] = [:]
        for entry in model.tensorTable.entries { result[entry.name] = parameters[entry.range].array }
        return result
    }

    @Test func aTensorDependsOnSeedAndNameOnly() {
        let small = ModelConfiguration.grouped
        var large = small
        large.hiddenLayerCount += 1
        large.vocabularySize += 5
        let (smallTensors, largeTensors) = (tensors(small, initialized(small)), tensors(large, initialized(large)))
        for (name, values) in smallTensors {
            // The longer embedding starts with the shorter one: an element follows from its index, too.
            #expect(bitDifference(Array(largeTensors[name]?.prefix(values.count) ?? []), values) == nil, "\(name)")
        }
        let reseeded = tensors(small, initialized(small, seed: 112))
        let layers = smallTensors.filter { $0.key.contains("proj") }
        for (name, values) in layers { #expect(values[0] != reseeded[name]?[0], "\(name)") }
        #expect(Set(layers.map(\.value[0])).count == layers.count, "no two tensors start alike")
    }

    @Test func theNumberOfThreadsDoesNotMatter() {
        // The embedding has 57,600 elements: four tasks.
        var model = ModelConfiguration.parallel
        model.vocabularySize = 601
        let alone = initialized(model).array
        for threads in [2, 3] { #expect(bitDifference(initialized(model, threads: threads).array, alone) == nil) }
    }

    @Test func valuesAreNormalWithTheConfiguredDeviation() throws {
        var model = ModelConfiguration.parallel
        model.vocabularySize = 2000
        model.initializerRange = 0.02
        let parameters = initialized(model)
        for entry in model.tensorTable.entries where entry.kind != .gain {
            let x = parameters[entry.range].array.doubles.map { $0 / 0.02 }
            let n = Double(x.count)
            let mean = x.reduce(0, +) / n
            let variance = x.reduce(0) { $0 + $1 * $1 } / n - mean * mean
            let fourth = x.reduce(0) { $0 + $1 * $1 * $1 * $1 } / n
            // Five standard errors of each moment of a normal sample: 1, 2 and 96 over n.
            #expect(abs(mean) < 5 * (1 / n).squareRoot(), "\(entry.name)")
            #expect(abs(variance - 1) < 5 * (2 / n).squareRoot(), "\(entry.name)")
            #expect(abs(fourth - 3) < 5 * (96 / n).squareRoot(), "\(entry.name)")
            // No stretch repeats. It would if tasks counted from their own start. A few numbers round to one float.
            #expect(Set(x).count > x.count * 9 / 10, "\(entry.name)")
            // Neighbours (within a Box-Muller pair, and from pair to pair) and tensors are uncorrelated.
            let neighbours = dot(Array(x.dropLast()), Array(x.dropFirst())) / n
            #expect(abs(neighbours) < 5 * (1 / n).squareRoot(), "\(entry.name)")
        }
        let table = model.tensorTable
        let q = parameters[try #require(table["model.layers.0.self_attn.q_proj.weight"]).range].array.doubles
        let o = parameters[try #require(table["model.layers.1.self_attn.q_proj.weight"]).range].array.doubles
        let correlation: Double = abs(dot(q, o)) / (0.02 * 0.02)
        #expect(correlation < 5 * Double(q.count).squareRoot())
    }

    @Test(arguments: [ModelConfiguration.grouped, .tied])
    func gainsAreExactlyOne(model: ModelConfiguration) {
        let parameters = initialized(model)
        for entry in model.tensorTable.entries where entry.kind == .gain {
            #expect(parameters[entry.range].array.allSatisfy { $0 == 1 }, "\(entry.name)")
        }
    }

    /// Pinned, because a run that is started again must be the same run: SplitMix64 and Box-Muller as computed by an
    /// independent program. They may differ in the last place where another C library rounds `log` or `cos` otherwise.
    @Test func valuesArePinned() throws {
        let model = ModelConfiguration.grouped
        let entry = try #require(model.tensorTable["model.layers.1.self_attn.k_proj.weight"])
        let values = initialized(model)[entry.range].array.prefix(4).map(Double.init)
        #expect(disagreement(Array(values), Self.pinned, within: 1e-7) == nil)
    }

    private static let pinned: [Double] = [-0.022811914, -0.203369497, 0.262302507, 0.085528160]
}
