// CheckpointIndexTokenizerTests - conflicts between the tokenizers of a run and of the checkpoint from which it starts.

import Checkpointing
import TestSupport
import Testing
import Tokenizers

@testable import Evaluation

@Suite struct CheckpointIndexTokenizerTests {
    private let tokenizer = ByteTokenizer()

    /// A run or a checkpoint without tokenizer. `bytes`, the default of a configuration, must not replace none.
    @Test func noneStaysNone() throws {
        let none = CheckpointIndex.Tokenizer(name: "none")
        var endless = HandmadeModel()
        endless.pieces[2].text = "</x>"
        let noEnd = CheckpointIndex.Tokenizer(name: "tokenizer.model", bytes: endless.bytes)
        let whole = CheckpointIndex.Tokenizer(name: "tokenizer.model", bytes: HandmadeModel().bytes)
        let model = try SentencePieceTokenizer(modelBytes: whole.bytes, name: "my.model", origin: "")

        let fromNothing = try #require(none.lackConflict(with: tokenizer))
        let start = "data.tokenizer: the checkpoint has none, the configuration bytes: set it to none"
        #expect(fromNothing.hasPrefix(start), "\(fromNothing)")
        #expect(none.lackConflict(with: nil) == nil)
        // A configuration that names a model's file decides, with a note that it is not checked.
        #expect(none.lackConflict(with: model) == nil)
        #expect(none.assumption(of: model)?.contains("my.model") == true && none.assumption(of: nil) == nil)
        for stored in [CheckpointIndex.Tokenizer(name: "bytes"), whole] {
            let lost = try #require(stored.lackConflict(with: nil))
            let start = "data.tokenizer: the checkpoint has \(stored.name), the configuration none"
            #expect(lost.hasPrefix(start), "\(lost)")
            #expect(stored.assumption(of: model) == nil)
        }
        #expect(whole.conflict(with: model) == nil && whole.conflict(with: tokenizer) != nil)
        // A model without end token reads no text and counts as none. The run's checkpoints keep it.
        #expect(noEnd.conflict(with: nil) == nil && noEnd.conflict(with: model) != nil)
        for other in [tokenizer, model] as [any Tokenizers.Tokenizer] {
            let conflict = try #require(noEnd.conflict(with: other))
            let start =
                "data.tokenizer: the checkpoint has tokenizer.model, which has no end token (eos, \"</s>\"), the "
                + "configuration \(other.name): set it to none"
            #expect(conflict.hasPrefix(start) && conflict.contains("--tokenizer \(other.name)"), "\(conflict)")
        }
        #expect(noEnd.isEndless && !whole.isEndless && !none.isEndless)
        #expect(CheckpointIndex.Tokenizer(nil, origin: noEnd) == noEnd)
        #expect(CheckpointIndex.Tokenizer(nil, origin: nil) == none)
        #expect(CheckpointIndex.Tokenizer(tokenizer, origin: none) == .init(name: "bytes"))
    }
}
