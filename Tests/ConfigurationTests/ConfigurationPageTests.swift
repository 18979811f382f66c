// ConfigurationPageTests - the page of all keys is the one that the schema gives.

import Foundation
import TestSupport
import Testing

@testable import Configuration

@Suite struct ConfigurationPageTests {
    static let path = "\(SharedData.packageRoot)/Sources/mile-dist/mile-dist.docc/Configuration.md"

    /// With the environment variable `MILE_WRITE_PAGES` set to 1 the page is written instead.
    @Test func pageFollowsTheSchema() throws {
        let expected = ConfigurationPage.text
        if ProcessInfo.processInfo.environment["MILE_WRITE_PAGES"] == "1" {
            try expected.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        let page = try String(contentsOfFile: Self.path, encoding: .utf8)
        // Lines that differ, not two whole pages.
        let (found, wanted) = (Self.lines(page), Self.lines(expected))
        let differences = found.difference(from: wanted)
        #expect(differences.isEmpty, "write the page with MILE_WRITE_PAGES=1 (see CONTRIBUTING.md): \(differences)")
        #expect(page.hasSuffix("|\n"))
    }

    /// A page that left keys out would agree with itself.
    @Test func pageNamesEveryKey() {
        let lines = Self.lines(ConfigurationPage.text)
        for field in Schema.fields {
            let key = String(field.name.drop { $0 != "." }.dropFirst())
            #expect(lines.contains { $0.hasPrefix("| `\(key)` | ") && $0.contains(field.help) }, "\(field.name)")
        }
        #expect(lines.filter { $0.hasPrefix("## ") }.count == 9)
    }

    private static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}

/// The page `Configuration.md`.
enum ConfigurationPage {
    static var text: String {
        var lines = [introduction]
        var section = ""
        var lists: [(name: String, elements: [FieldDescription])] = []
        for field in Schema.fields {
            let parts = field.name.split(separator: ".").map(String.init)
            if parts[0] != section {
                lines += tables(lists)
                lists = []
                section = parts[0]
                lines += [
                    "", "## \(section)", "", "| key | default | values | meaning | resume |", "|---|---|---|---|---|",
                ]
            }
            var description = field.description(defaults: Schema.defaults)
            description.name = parts[1]
            let resume = field.resume == .mustMatch ? "fixed" : "may change"
            lines.append("\(row(description)) \(resume) |")
            if !description.elements.isEmpty { lists.append((field.name, description.elements)) }
        }
        lines += tables(lists)
        return lines.joined(separator: "\n") + "\n"
    }

    private static let introduction = """
        # Configuration

        Every key of the configuration, with its default, its values and its meaning.

        <!-- ConfigurationPageTests writes this page from the schema: see CONTRIBUTING.md. -->

        A configuration is a YAML file of nine sections. Only the keys marked "required" must be there.
        `mile-dist train --help-keys` prints this list, `--print-config` prints the resolved configuration, and
        `--set section.key=value` overrides a key.

        The column "resume" tells whether a resumed run may have another value than its checkpoint. "fixed" keys are
        refused with a message that names each difference. Changes of the others are logged. Of `data.train`, names
        and weights are fixed and paths may change. Of `data.tokenizer`, the path may change and the model may not.
        """

    /// The tables of the elements of lists.
    private static func tables(_ lists: [(name: String, elements: [FieldDescription])]) -> [String] {
        lists.flatMap { list in
            ["", "### Elements of \(list.name)", "", "| key | default | values | meaning |", "|---|---|---|---|"]
                + list.elements.map(row)
        }
    }

    private static func row(_ field: FieldDescription) -> String {
        let standard = field.standard.map { "`\($0)`" } ?? "required"
        let cells = ["`\(field.name)`", standard, field.allowed, field.help]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
}
