// FolderReferencesTests - no cycles among the folders of a module, and what counts as a reference.

import Foundation
import TestSupport
import Testing

@Suite struct FolderReferencesTests {
    private static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources").path

    private func references(_ files: [String: String]) throws -> FolderReferences {
        let folder = try TemporaryFolder()
        for (path, text) in files { try folder.write(text, to: path) }
        return try FolderReferences(ofModule: folder.path)
    }

    /// Modules of fewer lines are one room.
    private static let smallest = 1000

    /// Folders that still need each other, "." being the module's own. The list may only become shorter.
    private static let known: [String: [[String]]] = [:]

    @Test func foldersOfAModuleFormNoNewCycle() throws {
        let modules = try FileManager.default.contentsOfDirectory(atPath: Self.sources).filter { !$0.hasPrefix(".") }
        var checked: Set<String> = []
        for module in modules.sorted() {
            let references = try FolderReferences(ofModule: "\(Self.sources)/\(module)")
            guard references.lineCount > Self.smallest else { continue }
            checked.insert(module)
            let cycles = references.cycles
            #expect(
                cycles == Self.known[module] ?? [],
                "\(module): \(cycles.map { references.explanation(of: $0) }.joined(separator: "\n"))")
        }
        #expect(checked.isSuperset(of: Self.known.keys))
    }

    /// Control: the module that this one was cut from had one cycle of all its folders. The fixture has one reference for each pair
    /// of folders that had any.
    @Test func theFormerTrainingModuleIsACycle() throws {
        let fixture = try #require(Bundle.module.url(forResource: "Fixtures/FormerTraining", withExtension: nil))
        let references = try FolderReferences(ofModule: fixture.path)
        #expect(
            references.cycles == [
                [
                    "Bench", "Commands", "Comparison", "Doctor", "Doctor/Facts", "Doctor/Judgement", "Evaluation",
                    "Launch", "Output", "Planning", "Run", "Saving", "Tasks",
                ]
            ])
        let both = references.references.keys.filter { edge in
            edge.from < edge.to && references.references[.init(from: edge.to, to: edge.from)] != nil
        }
        #expect(both.count == 12)
    }

    @Test func referencesAreCountedByFileAndName() throws {
        let references = try references([
            "A/One.swift": "public struct One {}\nprivate struct Hidden {}\n",
            "B/Two.swift": "final class Two { let one: One; var ones = [One]() }\nstruct Own { struct Hidden {} }\n",
        ])
        #expect(references.folders == ["A", "B"] && references.lineCount == 4)
        #expect(references.references == [.init(from: "B", to: "A"): ["B/Two.swift: One": 2]])
        #expect(references.cycles.isEmpty)
    }

    @Test func aLongWayRoundIsACycle() throws {
        let references = try references([
            "A/A.swift": "struct A { var b: B? }\n", "B/B.swift": "enum B { case c(C) }\n",
            "C/C.swift": "indirect enum C { case a(A) }\n", "D/D.swift": "protocol D { var a: A { get } }\n",
        ])
        #expect(references.cycles == [["A", "B", "C"]])
        #expect(
            references.explanation(of: ["A", "B", "C"])
                == "A -> B: A/A.swift: B (1)\nB -> C: B/B.swift: C (1)\nC -> A: C/C.swift: A (1)")
    }

    /// A module's own files are a folder too.
    @Test func theModulesFolderCounts() throws {
        let references = try references([
            "Top.swift": "struct Top { let low: Low }\n", "L/Low.swift": "struct Low { let top: Top }\n",
        ])
        #expect(references.cycles == [[".", "L"]])
    }

    /// Neither comments, nor texts, nor members, nor types of the file itself.
    @Test(arguments: [
        "// One\nstruct Two {}\n", "/* One /* nested */ One */ struct Two {}\n", "let two = \"One\"\n",
        "let two = \"\"\"\n    One \"One\"\n    \"\"\"\n",
        "let two = #\"One \" \\(One)\"#\n", "let two = Other.One.self\n",
        "enum Two { struct One {}; let one: One }\n", "let two = \"\\\"One\"\n",
    ])
    func isNoReference(source: String) throws {
        let references = try references(["A/One.swift": "struct One {}\n", "B/Two.swift": source])
        #expect(references.references.isEmpty)
    }

    @Test(arguments: [
        "let two = \"text \\(One()) text\"\n", "let two = \"\\(\"\\(One.self)\")\"\n", "extension One {}\n",
        "let two = #\"\\#(One.self)\"#\n", "let two = One.self // text\n", "let two = \"a\" + \"\\(f((1), One()))\"\n",
    ])
    func isAReference(source: String) throws {
        let references = try references(["A/One.swift": "struct One {}\n", "B/Two.swift": source])
        #expect(references.references == [.init(from: "B", to: "A"): ["B/Two.swift: One": 1]])
    }

    /// Lines stay where they are.
    @Test func codeKeepsItsLines() {
        #expect(codeOnly("a // b\n/* c\n d */ e\n\"f\\(g)h\"") == "a     \n    \n      e\n   (g)  ")
    }
}
