// ImportCommand - `mile-dist import`: a Hugging Face directory as a checkpoint to train on.

internal import Checkpointing
internal import LlamaModel
internal import MessagePassing
internal import Tensors

/// `mile-dist import DIR --output CHECKPOINT`
public struct ImportCommand: Sendable {
    public var directory: String
    /// The checkpoints directory that gets `step-00000000`.
    public var output: String

    public init(directory: String, output: String) {
        self.directory = directory
        self.output = output
    }

    public func run(_ session: Session) throws -> ExitStatus {
        // One rank reads and writes; an error is everybody's.
        try session.communicator.agreed {
            guard session.communicator.rank == 0 else { return }
            let source = try HuggingFaceImport(directory: directory)
            for note in source.notes { session.console.warning(note) }
            let path = try source.write(
                to: output, processor: MachineIdentity.processor, blas: MachineIdentity.libraries)
            let count = MemoryLayoutPlan.grouped(source.model.tensorTable.count)
            session.console.line("\(path): \(count) parameters of \(directory)")
            session.console.line("to continue from it, a configuration needs\n\(section(source.model))")
        }
        return .done
    }

    /// The model as a configuration must describe it.
    private func section(_ model: ModelConfiguration) -> String {
        """
        model: {hidden_size: \(model.hiddenSize), intermediate_size: \(model.intermediateSize), \
        num_hidden_layers: \(model.hiddenLayerCount), num_attention_heads: \(model.attentionHeadCount),
                num_key_value_heads: \(model.keyValueHeadCount), vocab_size: \(model.vocabularySize), \
        max_position_embeddings: \(model.maxPositionEmbeddings), rms_norm_eps: \(model.rmsNormEpsilon),
                rope_theta: \(model.ropeTheta), initializer_range: \(model.initializerRange), \
        tie_word_embeddings: \(model.tieWordEmbeddings)}
        """
    }
}
