// SentencePieceProcessorTests - ids, texts and mistakes, against the library's other front ends.

import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import SentencePieceText

@Suite struct SentencePieceProcessorTests {
    /// Empty, blank, many scripts, emoji, zero bytes, all kinds of bytes that are no UTF-8.
    @Test(arguments: GoldenModel.names)
    func idsAndTextsArePythons(name: String) throws {
        let golden = try GoldenModel.load(name)
        let processor = try golden.processor()
        #expect(golden.cases.count > 30)
        for (index, example) in golden.cases.enumerated() {
            let text = Array(example.text)
            #expect(try processor.encode(text) == example.ids, "text \(index) of \(name)")
            #expect(try processor.decode(example.ids) == Array(example.decoded), "text \(index) of \(name)")
        }
    }

    @Test(arguments: GoldenModel.names)
    func specialIdsArePythons(name: String) throws {
        let golden = try GoldenModel.load(name)
        let processor = try golden.processor()
        func id(_ id: Int32) -> Int32? { id < 0 ? nil : id }
        #expect(processor.pieceCount == golden.pieces)
        #expect(processor.unknownId == id(golden.unknown) && processor.beginId == id(golden.begin))
        #expect(processor.endId == id(golden.end) && processor.paddingId == id(golden.padding))
        // The fields of the file agree.
        let model = processor.model
        #expect(model.unknownId.map { Int32($0) } == processor.unknownId)
        #expect(model.beginId.map { Int32($0) } == processor.beginId)
        #expect(model.endId.map { Int32($0) } == processor.endId)
        #expect(model.paddingId.map { Int32($0) } == processor.paddingId)
    }

    /// Zero bytes and bytes that are no UTF-8: the library's documented behaviour.
    @Test func everyByteOfMalformedTextIsReplaced() throws {
        let processor = try GoldenModel.load("bpe").processor()
        let replaced = Array("x\u{FFFD}\u{FFFD}y".utf8)
        let malformed: [UInt8] = [0x78, 0xFF, 0xFE, 0x79]
        #expect(try processor.encode(malformed) == processor.encode(replaced))
        #expect(try processor.decode(processor.encode(malformed)) == replaced)
        // Half a character and a surrogate: three bytes, three times U+FFFD.
        #expect(try processor.decode(processor.encode([0xED, 0xA0, 0x80])) == Array("\u{FFFD}\u{FFFD}\u{FFFD}".utf8))
        let zeros: [UInt8] = [0x61, 0, 0, 0x62]
        #expect(try processor.decode(processor.encode(zeros)) == zeros)
        #expect(try processor.encode([0x61]).count < processor.encode(zeros).count)
    }

    /// With bytes for unknown characters, and blanks kept, nothing is lost.
    @Test func textComesBack() throws {
        let processor = try GoldenModel.load("bpe").processor()
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let scalars = (0..<(generator.next() % 40)).compactMap { _ in
                // U+2581 is encoded as a blank and decoded as one.
                Unicode.Scalar(UInt32(truncatingIfNeeded: generator.next() % 0x2_0000)).flatMap {
                    $0.value == 0x2581 ? nil : $0
                }
            }
            let text = Array(String(String.UnicodeScalarView(scalars)).utf8)
            #expect(try processor.decode(processor.encode(text)) == text)
        }
    }

    @Test func piecesAreTheTextsOfTheIds() throws {
        let golden = try GoldenModel.load("bpe")
        let processor = try golden.processor()
        for example in golden.cases {
            let pieces = try processor.pieces(Array(example.text))
            #expect(pieces == example.ids.map { processor.model.pieces[Int($0)].text })
        }
        // Unknown pieces give their text, as spm_encode does.
        let unigram = try GoldenModel.load("unigram").processor()
        let pieces = try unigram.pieces(Array("the \u{1F600}".utf8))
        #expect(pieces.last == Array("\u{1F600}".utf8))
        #expect(try unigram.encode(Array("the \u{1F600}".utf8)).last == unigram.unknownId)
    }

    @Test func manyThreadsGetTheSameIds() throws {
        for name in GoldenModel.names {
            let golden = try GoldenModel.load(name)
            let processor = try golden.processor()
            let wrong = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 64) { thread in
                for offset in golden.cases.indices {
                    let example = golden.cases[(thread + offset) % golden.cases.count]
                    let ids = try? processor.encode(Array(example.text))
                    let text = try? processor.decode(example.ids)
                    if ids != example.ids || text != Array(example.decoded) {
                        wrong.withLock { $0.append("\(name), thread \(thread), offset \(offset)") }
                    }
                }
            }
            #expect(wrong.withLock { $0 } == [])
        }
    }

    @Test(
        arguments: [[], [0xFF], Array("not a model".utf8), [0x0A, 3, 0x0A, 1, 0x61], Array("{\"a\": 1}".utf8)]
            as [[UInt8]])
    func whatIsNoModelIsRefused(bytes: [UInt8]) {
        let error = #expect(throws: SentencePieceError.self) { try SentencePieceProcessor(modelBytes: bytes) }
        #expect(error?.kind == .notAModel, "\(String(describing: error))")
    }

    /// Every prefix of a model is refused, or equals the model: the fields after the settings are optional.
    @Test(arguments: ["bpe", "unigram"])
    func truncatedModelsAreRefused(name: String) throws {
        let golden = try GoldenModel.load(name)
        let whole = try golden.modelBytes()
        let (text, ids) = (Array(golden.cases[11].text), golden.cases[11].ids)
        var refused = 0
        for count in 0..<whole.count {
            do {
                let processor = try SentencePieceProcessor(modelBytes: Array(whole.prefix(count)))
                #expect(processor.pieceCount == golden.pieces)
                #expect(try processor.encode(text) == ids)
            } catch {
                #expect(error.kind == .notAModel)
                refused += 1
            }
        }
        // All but the few bytes of empty fields behind the settings.
        #expect(refused > whole.count - 10)
    }

    @Test func aModelWithoutUnknownPieceIsRefusedInTheLibrarysWords() {
        var model = HandmadeModel()
        model.pieces[0].kind = 1
        let error = #expect(throws: SentencePieceError.self) { try SentencePieceProcessor(modelBytes: model.bytes) }
        #expect(error?.message == "the SentencePiece model cannot be used: unk is not defined.")
    }

    @Test(arguments: [-1, 420, Int32.max, Int32.min])
    func foreignIdsAreRefused(id: Int32) throws {
        let processor = try GoldenModel.load("bpe").processor()
        let error = #expect(throws: SentencePieceError.self) { try processor.decode([5, id]) }
        #expect(error?.message == "\(id) is no id of the model: allowed are 0 to 419")
    }
}
