// LoadedModel - a checkpoint's weights and tokenizer, ready to compute: what eval and generate start from.

internal import Checkpointing
internal import Configuration
internal import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Tensors
internal import TokenData

/// Parameters of a verified checkpoint on every rank.
struct LoadedModel {
    let model: ModelConfiguration
    let parameters: FloatSlice
    /// What the checkpoint has of a tokenizer; text needs one, prepared data do not.
    let checkpointTokenizer: CheckpointTokenizer
    /// The configuration of the run that wrote it; nil for an imported checkpoint.
    let run: RunConfiguration?
    let path: String
    let step: Int
    /// Occurrences of every token id in the training data; empty where the checkpoint has none.
    let tokenCounts: [Int]

    /// Opens CHECKPOINT (a step directory or a checkpoints directory) and reads its parameters; collective.
    init(_ session: Session, path: String) throws {
        let reader = try CheckpointFinder(communicator: session.communicator, console: session.console).open(path)
        let index = reader.index
        model = index.model
        parameters = Arena(count: index.model.tensorTable.count).all
        self.path = reader.directory
        step = index.step
        tokenCounts = index.tokenCounts
        let target = parameters
        (checkpointTokenizer, run) = try session.communicator.agreed {
            try CheckpointFinder.reading { try reader.read(.parameter, range: 0..<target.count, into: target) }
            let run =
                index.isImported ? nil : try RunConfiguration.fromJSON(index.configuration, file: reader.directory)
            let stored = index.tokenizer
            let tokenizer = try CheckpointTokenizer(
                name: stored.name, modelBytes: stored.bytes, origin: reader.directory)
            return (tokenizer, run)
        }
    }

    /// Nil where only prepared data can be read.
    var tokenizer: (any TokenData.Tokenizer)? { checkpointTokenizer.tokenizer }

    /// Sequence length that the model was trained with.
    var sequenceLength: Int { run?.data.sequenceLength ?? model.maxPositionEmbeddings }
}
