// ComputeRate - the compute rate of this machine on a model, measured with one and with two layers.

package import Configuration
internal import Foundation
package import Kernels
internal import LlamaModel
internal import Reporting
internal import Tensors
internal import TokenData

/// The rate of a model's forward and backward passes on this machine.
package enum ComputeRate {
    /// Floating point operations per second of the model's forward and backward passes, on the threads of the pool.
    ///
    /// Models of one and of two layers are measured. Their difference is a layer; the rest is embedding and head.
    /// Why: the whole model may need too much memory and time.
    package static func measure(_ configuration: RunConfiguration, _ pool: ThreadPool) -> Double {
        let T = configuration.data.sequenceLength
        let sequences = min(configuration.training.microBatchSize, max(1024 / T, 1))
        // Why twice: a disturbance of one measurement would change the time of every layer.
        let pairs = (0..<2).map { _ in
            (
                one: seconds(configuration, layers: 1, sequences: sequences, pool),
                two: seconds(configuration, layers: 2, sequences: sequences, pool)
            )
        }
        let one = pairs.map(\.one).min() ?? .nan
        let two = pairs.map(\.two).min() ?? .nan
        let all = one + Double(configuration.model.hiddenLayerCount - 1) * max(two - one, 0)
        return configuration.model.flopsPerToken(sequenceLength: T) * Double(sequences * T) / all
    }

    /// Seconds of a micro-batch: the shortest of two, after one to warm up.
    private static func seconds(
        _ configuration: RunConfiguration, layers: Int, sequences: Int, _ pool: ThreadPool
    ) -> Double {
        var model = configuration.model
        model.hiddenLayerCount = layers
        let table = model.tensorTable
        let parameters: ParameterReplica
        switch configuration.training.precision {
        case .fp32: parameters = .fp32(table)
        case .bf16: parameters = .bf16(table, staysFP32: \.kind.staysFP32)
        }
        let transformer = Transformer(
            model, parameters: parameters, sequenceLength: configuration.data.sequenceLength,
            maximumSequences: sequences, forTraining: true,
            recomputesLayers: configuration.training.activationCheckpointing == .layer, pool: pool)
        // The initial parameters pass through the gradient's memory.
        model.initialize(transformer.gradient, seed: 1, pool: pool)
        pool.load(transformer.gradient, into: parameters)
        let T = configuration.data.sequenceLength
        var batch = TokenBatch(capacity: sequences, sequenceLength: T)
        for sequence in 0..<sequences {
            batch.append(((sequence * T)...(sequence * T + T)).map { Int32($0 * 7919 % model.vocabularySize) })
        }
        let weighting = configuration.loss.tokenWeighting
        func seconds() -> Double {
            Stopwatch.seconds {
                _ = transformer.lossAndGradient(batch, weighting: weighting, adding: false) { _ in }
            }
        }
        _ = seconds()
        return min(seconds(), seconds())
    }
}
