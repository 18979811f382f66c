// TaskEvaluation - reads, encodes and scores the files of `--tasks`.

package import JobRuntime
package import Kernels
internal import LlamaModel
internal import MessagePassing
internal import Reporting
internal import TokenData
internal import Tokenizers

/// Encoded tasks, ready to be scored.
package struct TaskEvaluation {
    private let communicator: Communicator
    private let loaded: LoadedModel
    private let documents: [EncodedDocument]

    /// Reads and encodes every document; collective. Why: a mistake in the last document shows before anything is
    /// computed.
    ///
    /// - Throws: ``ProgramFailure``, the same on all ranks.
    package init(_ process: ProcessContext, _ loaded: LoadedModel, files: [String]) throws {
        communicator = process.communicator
        self.loaded = loaded
        documents = try communicator.agreed {
            let tokenizer = try loaded.checkpointTokenizer.required(by: TaskFile.option)
            try TaskEncoder.require(tokenizer, vocabularySize: loaded.model.vocabularySize)
            let encoder = TaskEncoder(
                tokenizer: tokenizer, maximumLength: loaded.model.longestSequence,
                limitKey: loaded.model.longestSequenceKey)
            return try TaskFile.read(files).map { try encoder.encode($0) }
        }
    }

    /// Scores every document; collective.
    ///
    /// - Parameters:
    /// - batchSize: number of requests computed at a time.
    /// - perDocument: path of a file that receives a line per document.
    /// - progress: called on every rank with the finished share, 0 to 1.
    package func run(
        pool: ThreadPool, batchSize: Int, perDocument: String?, progress: (Double) -> Void
    ) throws -> [TaskResult] {
        let writer = try perDocument.map { path in
            try communicator.agreed {
                communicator.rank == 0 ? try JSONLinesFile(path: path, option: "--per-document") : nil
            }
        }
        let scorer = TaskScorer(
            communicator: communicator, model: loaded.model, parameters: loaded.parameters, batchSize: batchSize,
            pool: pool)
        var scores = try scorer.scores(of: documents.flatMap(\.requests), progress: progress)[...]
        let outcomes = try documents.map { document in
            let own = Array(scores.prefix(document.requests.count))
            scores = scores.dropFirst(own.count)
            // All ranks have all scores, so that all throw.
            guard own.allSatisfy({ $0.logLikelihood.isFinite }) else {
                throw ProgramFailure(
                    .runtimeFailure,
                    "\(document.document.location): the model's log-likelihood is not a finite number",
                    isShared: true)
            }
            return DocumentOutcome(document, own)
        }
        if let writer {
            try communicator.agreed { try writer?.append(outcomes.map(\.json)) }
        }
        return TaskResult.all(outcomes)
    }
}
