// NonFiniteExportTests - weights that are not finite, on their way out and in.

import CheckpointFixtures
import Foundation
import LlamaModel
import Tensors
import Testing

@testable import Checkpointing
@testable import HuggingFace

struct NonFiniteExportTests {
    /// An export says so, and the directory that it writes is not imported.
    @Test func anExportSaysSoAndAnImportRefuses() throws {
        let files = try TemporaryFiles()
        let store = CheckpointStore(directory: files.directory)
        let temporary = try store.begin(step: 3)
        let values = Values(count: 56)
        let head = ModelConfiguration.tiny.tensorTable.entries[ModelConfiguration.tiny.tensorTable.entries.count - 1]
            .range
        (values.parameters[head.lowerBound], values.parameters[head.lowerBound + 3]) = (.nan, -.infinity)
        let shards = try writeShards(in: temporary, layout: [[0..<20], [20..<56]], values: values)
        let index = makeIndex(step: 3, model: .tiny, shards: shards)
        let reader = try CheckpointReader(directory: store.complete(temporary, index: index))
        let notes = try HuggingFaceExport(reader).write(to: files.path("out"))
        #expect(
            notes.contains { $0.contains("1 of 12 tensors holds NaN or infinite numbers: lm_head.weight (2 of 8)") })
        let error = try #require(throws: HuggingFaceError.self) {
            try HuggingFaceImport.checkpoint(files.path("out"), at: files.path("back"))
        }
        #expect(error.kind == .nonFinite && error.message.contains("lm_head.weight (2 of 8)"), "\(error)")
        #expect(try names(in: files.directory).sorted() == ["out", "step-00000003"])
    }
}
