// BenchModel - the model of `bench gemm` and `bench kernels`: a configuration's, or one of 60M parameters.

internal import Configuration
package import JobRuntime
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Optimization
internal import Reporting
internal import TokenData

/// A model and the sizes of a micro-batch.
package struct BenchModel {
    let model: ModelConfiguration
    let tokens: Int
    let sequenceLength: Int
    let optimizer: OptimizerConfiguration

    var sequences: Int { tokens / sequenceLength }

    /// - Parameters:
    ///   - config: path of a configuration file; nil: hidden 512, 8 layers, ffn 1536, V 32000, T 512.
    ///   - tokens: tokens of a micro-batch, a multiple of the sequence length.
    /// - Throws: `ProgramFailure` for several ranks, an unreadable configuration, or another number of tokens.
    package init(_ process: ProcessContext, config: String?, tokens: Int) throws {
        guard process.communicator.size == 1 else {
            throw ProgramFailure(
                .badInput, "bench gemm and bench kernels measure one process: run them without mpirun", isShared: true)
        }
        if let config {
            let configuration = try ConfigurationSource(process, path: config).load(overrides: [])
            (model, sequenceLength) = (configuration.model, configuration.data.sequenceLength)
            optimizer = configuration.optimizer
        } else {
            model = ModelConfiguration(
                hiddenSize: 512, intermediateSize: 1536, hiddenLayerCount: 8, attentionHeadCount: 8,
                keyValueHeadCount: 8, vocabularySize: 32000, maxPositionEmbeddings: 512)
            sequenceLength = 512
            optimizer = OptimizerConfiguration()
        }
        guard tokens >= sequenceLength && tokens % sequenceLength == 0 && tokens <= 1 << 20 else {
            throw ProgramFailure(
                .badInput,
                "--tokens \(tokens): a multiple of the sequence length \(sequenceLength), at most 1048576, is needed",
                isShared: true)
        }
        self.tokens = tokens
    }
}
