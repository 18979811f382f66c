// InspectionTests - the JSON of `inspect`.

@testable import Checkpointing
import LlamaModel
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
                #""lm_head.weight":{"first_moment":"\#(head.firstMoment)","parameter":"\#(head.parameter)","#
                    + #""second_moment":"\#(head.secondMoment)","shape":[4,2]}"#))
        #expect(text.hasSuffix(#","tokens":2304}"#))
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
