// HTMLReportTests - the report is one well-formed file with every number and without links.

import Configuration
import Foundation
import FoundationXML
import Kernels
import Testing

@testable import Reporting
@testable import RunComparison

@Suite struct HTMLReportTests {
    /// A parser that collects the names of elements and all text.
    private final class Document: NSObject, XMLParserDelegate {
        var elements: [String] = []
        var attributes: [String] = []
        var text = ""
        private var cell: String?
        var cells: [String] = []

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            elements.append(name)
            self.attributes += attributes.values
            if name == "td" { cell = "" }
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            if name == "td", let cell { cells.append(cell) }
            if name == "td" { cell = nil }
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) {
            text += string
            cell? += string
        }
    }

    private func parse(_ text: String) throws -> Document {
        let document = Document()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = document
        guard parser.parse() else {
            throw ProgramFailure(.runtimeFailure, "line \(parser.lineNumber): \(parser.parserError.debugDescription)")
        }
        return document
    }

    @Test func holdsArmsNumbersAndDrawings() throws {
        let comparison = try CompareSamples.comparison(CompareSamples.four())
        let text = HTMLReport(comparison).text
        #expect(text.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
        let document = try parse(text)
        // Charts: curves, their differences, overall, domains, entropy. These runs have no frequency buckets.
        #expect(document.elements.count { $0 == "svg" } == 5)
        #expect(document.elements.count { $0 == "table" } == 2)
        for row in ComparisonTable(comparison).rows {
            for cell in row.texts { #expect(document.cells.contains(cell), "\(cell)") }
        }
        for run in ["runs/c1", "runs/c2", "runs/m1", "runs/m2"] { #expect(document.cells.contains(run)) }
        for note in comparison.notes { #expect(document.text.contains(note), "\(note)") }
        #expect(
            document.text.contains(
                "better: none; worse: domains.prose; suggests better: none; suggests worse: none; no conclusion: "
                    + "validation_ce, bits_per_byte."))
        #expect(document.text.contains("suggests worse where the difference is as large but p (Holm) is above 0.05,"))
        // Every chart has a title and a description.
        #expect(document.elements.count { $0 == "desc" } == 5)
        #expect(document.text.contains("prose, mile 1: +0.25000"))
        #expect(document.text.contains("0-1, mile 1: 0.7500"))
        #expect(document.text.contains("model.hidden_size: 32"))
        #expect(!document.text.contains("training.seed: "))
    }

    @Test func reachesForNothing() throws {
        let text = HTMLReport(try CompareSamples.comparison(CompareSamples.four())).text
        for word in ["http", "<script", "<link", "<img", "@import", "url(", "src="] {
            #expect(!text.contains(word), "\(word)")
        }
    }

    @Test func namesAreEscaped() throws {
        let name = "<b>\"a\" & 'b'</b>\u{1}"
        let runs = [CompareSamples.mile, CompareSamples.crossEntropy].map { loss in
            CompareSamples.run(
                "runs/<i>\(loss.kind.rawValue)&", loss, seed: 1, values: [.validation: 1, .domain(name): 2])
        }
        let document = try parse(HTMLReport(try CompareSamples.comparison(runs)).text)
        #expect(!document.elements.contains("b") && !document.elements.contains("i"))
        #expect(document.cells.contains("domains.<b>\"a\" & 'b'</b>\u{FFFD}"))
        #expect(document.cells.contains("runs/<i>mile&"))
    }

    @Test func markupIsReadByBothKindsOfReader() {
        let empty = Markup.element("table", [], [.element("td", [], []), .element("meta", [("a", "\"<")], [])])
        // HTML needs the end tag of an empty `td`, and refuses one of `meta`.
        #expect(empty.rendered == "<table><td></td><meta a=\"&quot;&lt;\"/>\n</table>\n")
    }

    @Test func settingsThatDifferAreListed() throws {
        var runs = CompareSamples.four()
        #expect(HTMLReport(try CompareSamples.comparison(runs)).text.contains("in losses, seeds and directories only"))
        runs[0] = CompareSamples.run(
            "runs/m1", CompareSamples.mile, seed: 1, values: runs[0].evaluations[0].values
        ) { $0.training.threads = 37 }
        let document = try parse(HTMLReport(try CompareSamples.comparison(runs)).text)
        #expect(document.text.contains("differ in training.threads, which"))
        #expect(document.cells.contains("37"))
        #expect(!document.text.contains("training.threads: "))
    }
}
