// InspectionTests - the JSON of `inspect`.

import CheckpointFixtures
@testable import Checkpointing
import Foundation
import LlamaModel
import Tensors
import Testing

struct InspectionTests {
    @Test func `the summary is one object with the documented keys`() throws {
        let files = try TemporaryFiles()
        let store = CheckpointStore(directory: files.directory)
        let configuration =
            #"{"a":[1,2.5,1e-08,true,null],"big":18446744073709551615,"rate":0.0003,"text":"żółć/\"x\""}"#
        let temporary = try store.begin(step: 3)
        let shards = try writeShards(in: temporary, layout: [[0..<56], []], values: Values(count: 56))
        var index = makeIndex(step: 3, model: .tiny, shards: shards)
        index.configuration = configuration
        let reader = try CheckpointReader(directory: store.complete(temporary, index: index))
        let text = try reader.inspectionJSON()

        // Keys are sorted, so the beginning and the first tensor are known to the letter.
        let inside = #""format":1,"position":36,"ranks_written":2,"step":3,"tensors":{"lm_head.weight":{"#
        #expect(text.hasPrefix("{\"configuration\":\(configuration),\(inside)"))
        let head = try #require(reader.tensorHashes().last)
        #expect(
            text.contains(
                #""lm_head.weight":{"first_moment":"\#(head.hashes[.firstMoment] ?? "")","parameter":"\#(head.hashes[.parameter] ?? "")","#
                    + #""second_moment":"\#(head.hashes[.secondMoment] ?? "")","shape":[4,2]}"#))
        #expect(text.hasSuffix(#","tokens":2304}"#))
    }

    /// Numbers that are not finite are counted by tensor and role; without any there is no word of them.
    @Test func `numbers that are not finite are counted`() throws {
        let files = try TemporaryFiles()
        let store = CheckpointStore(directory: files.directory)
        let temporary = try store.begin(step: 3)
        let values = Values(count: 56)
        let head = ModelConfiguration.tiny.tensorTable.entries[ModelConfiguration.tiny.tensorTable.entries.count - 1]
            .range
        (values.parameters[head.lowerBound], values.parameters[head.lowerBound + 3]) = (.nan, -.infinity)
        values.secondMoment[head.lowerBound] = .infinity
        values.firstMoment[0] = .nan
        let shards = try writeShards(in: temporary, layout: [[0..<20], [20..<56]], values: values)
        let index = makeIndex(step: 3, model: .tiny, shards: shards)
        let reader = try CheckpointReader(directory: store.complete(temporary, index: index))
        let hashes = try reader.tensorHashes()
        #expect(
            "\(reader.nonFiniteTensors(hashes))" == "2 of 12 tensors hold NaN or infinite numbers: "
                + "model.embed_tokens.weight (1 of 8), lm_head.weight (2 of 8)")
        let text = try reader.inspectionJSON(hashes)
        #expect(text.contains(#""non_finite":{"first_moment":0,"parameter":2,"second_moment":1}"#), "\(text)")
        #expect(text.contains(#""non_finite":{"first_moment":1,"parameter":0,"second_moment":0}"#), "\(text)")
        #expect(text.components(separatedBy: "non_finite").count == 3)
    }

    @Test func `an imported checkpoint has an empty configuration`() throws {
        let files = try TemporaryFiles()
        let store = CheckpointStore(directory: files.directory)
        let temporary = try store.begin(step: 0)
        let shards = try writeShards(in: temporary, layout: [[0..<56]], values: Values(count: 56))
        var index = makeIndex(step: 0, model: .tiny, shards: shards)
        index.configuration = ""
        let reader = try CheckpointReader(directory: store.complete(temporary, index: index))
        #expect(try reader.inspectionJSON().hasPrefix(#"{"configuration":{},"format":1,"#))
    }
}
