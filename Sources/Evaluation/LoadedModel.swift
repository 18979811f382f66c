// LoadedModel - a checkpoint's weights and tokenizer, ready to compute, for eval and generate.

package import Checkpointing
package import Configuration
package import JobRuntime
internal import Kernels
package import LlamaModel
internal import MessagePassing
internal import Reporting
package import Tensors
internal import TokenData
package import Tokenizers

/// A verified checkpoint's model on every rank.
package struct LoadedModel {
    package let model: ModelConfiguration
    package let parameters: FloatSlice
    /// The checkpoint's tokenizer. Text needs one, prepared data do not.
    package let checkpointTokenizer: CheckpointTokenizer
    /// The tokenizer's record in the checkpoint.
    package let storedTokenizer: CheckpointIndex.Tokenizer
    /// The carried settings of the model and of generation; none unless the model was imported.
    package let settings: [CarriedFile]
    /// The configuration of the run that wrote the checkpoint; nil for an imported one.
    package let run: RunConfiguration?
    package let path: String
    package let step: Int
    /// Occurrences of every token id in the training data, [V]; empty if the checkpoint has none.
    package let tokenCounts: [Int]

    /// Opens CHECKPOINT (a step directory or a checkpoints directory) and reads its parameters; collective.
    package init(_ process: ProcessContext, path: String) throws {
        let finder = CheckpointFinder(communicator: process.communicator, console: process.console)
        let (reader, target, settings) = try finder.withCheckpoint(path) { reader in
            let count = reader.index.model.tensorTable.count
            try process.communicator.agreed {
                try AddressSpace.current.require(
                    MemoryLayout<Float>.stride * count + AddressSpace.reserveBytes, for: "this model")
            }
            let target = Arena(count: count).all
            try process.communicator.agreed {
                try CheckpointFinder.reading { try reader.read(.parameter, range: 0..<target.count, into: target) }
            }
            let settings = try process.communicator.agreed {
                try CheckpointFinder.reading { try reader.carriedFiles(where: CarriedFile.settingsNames.contains) }
            }
            return (reader, target, settings)
        }
        let index = reader.index
        model = index.model
        parameters = target
        self.settings = settings
        self.path = reader.directory
        step = index.step
        tokenCounts = index.tokenCounts
        storedTokenizer = index.tokenizer
        (checkpointTokenizer, run) = try process.communicator.agreed {
            let nonFinite = NonFiniteTensors(index.model.tensorTable, in: target)
            guard nonFinite.isEmpty else {
                throw ProgramFailure(
                    .runtimeFailure,
                    "\(reader.directory): \(nonFinite): the model cannot compute; use a checkpoint from before")
            }
            let run =
                index.isImported ? nil : try RunConfiguration.fromJSON(index.configuration, file: reader.directory)
            let stored = index.tokenizer
            let tokenizer = try CheckpointTokenizer(
                name: stored.name, modelBytes: stored.bytes, endToken: stored.endToken, origin: reader.directory)
            return (tokenizer, run)
        }
    }

    /// The tokenizer; nil if only prepared data can be read.
    package var tokenizer: (any Tokenizers.Tokenizer)? { checkpointTokenizer.tokenizer }

    /// Sequence length of training, or the longest that the model computes.
    package var sequenceLength: Int { run?.data.sequenceLength ?? model.longestSequence }
}
