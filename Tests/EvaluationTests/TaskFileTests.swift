// TaskFileTests - lines of task files: the three forms, and one message for each mistake.

import Testing
import TestSupport
import TokenData
import InputFiles

@testable import Evaluation
@testable import Reporting

struct TaskFileTests {
    private func read(_ lines: String..., name: String = "tasks.jsonl") throws -> [TaskDocument] {
        let folder = try TemporaryFolder()
        try folder.write(lines.joined(separator: "\n"), to: name)
        return try TaskFile.read([folder.path(name)])
    }

    @Test func theThreeForms() throws {
        let documents = try read(
            #"{"task": "h", "id": 7, "context": "c\n", "choices": ["x", "y", "z"], "label": 2}"#, "  \t\r",
            #"{"label": 0, "choices": ["x", "y"], "context": "", "task": "h", "delimiter": "", "id": "q"}"# + "\r",
            #"{"task": "w", "contexts": ["", "b"], "completion": " x", "label": 1}"#,
            #"{"task": "l", "context": "c", "completion": " \u00e4"}"#)
        #expect(
            documents.map(\.query) == [
                .choices(["x", "y", "z"], context: "c\n", delimiter: " ", label: 2),
                .choices(["x", "y"], context: "", delimiter: "", label: 0),
                .contexts(["", "b"], completion: " x", label: 1), .completion(" \u{E4}", context: "c"),
            ])
        #expect(documents.map(\.task) == ["h", "h", "w", "l"])
        // A blank line is no document, and counts.
        #expect(documents.map(\.line) == [1, 3, 4, 5])
        #expect(documents.map(\.id) == [.integer(7), .string("q"), nil, nil])
    }

    @Test func pairsOfEachForm() {
        func pairs(_ query: TaskQuery) -> [[String]] { query.pairs.map { [$0.context, $0.continuation] } }
        #expect(
            pairs(.choices(["x", "y"], context: "c", delimiter: " ", label: 0)) == [["c", " x"], ["c", " y"]])
        #expect(pairs(.choices(["x", "y"], context: "c", delimiter: "", label: 0)) == [["c", "x"], ["c", "y"]])
        // A completion gets no delimiter.
        #expect(pairs(.contexts(["a", "b"], completion: "x", label: 0)) == [["a", "x"], ["b", "x"]])
        #expect(pairs(.completion("x", context: "c")) == [["c", "x"]])
    }

    /// A byte-order mark, which some editors write, is skipped.
    @Test func aByteOrderMarkIsNoPartOfTheFirstLine() throws {
        let line = #"{"task": "l", "context": "c", "completion": "x"}"#
        #expect(try read("\u{FEFF}" + line).count == 1)
        let twice = #"{"task": "l", "task": "l", "context": "c", "completion": "x"}"#
        let error = try #require(throws: DataError.self) { try read("\u{FEFF}" + twice) }
        #expect(error.problem == "the object has two \"task\"")
    }

    /// A line, and the words that its error must contain.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let line: String
        let names: [String]
        var testDescription: String { names.joined(separator: ", ") }

        init(_ line: String, _ names: String...) {
            self.line = line
            self.names = names
        }
    }

    static let mistakes = [
        Mistake(#"{"context": "c", "completion": "x"}"#, "no \"task\""),
        Mistake(#"{"task": "", "context": "c", "completion": "x"}"#, "\"task\" is empty"),
        Mistake(#"{"task": 3, "context": "c", "completion": "x"}"#, "\"task\" is an integer", "a string"),
        Mistake(#"{"task": "a", "context": "c"}"#, "\"choices\", \"contexts\", \"completion\""),
        Mistake(#"{"task": "a", "completion": "x"}"#, "no \"context\""),
        Mistake(#"{"task": "a", "context": null, "completion": "x"}"#, "\"context\" is null", "a string"),
        Mistake(#"{"task": "a", "context": {"b": []}, "completion": "x"}"#, "\"context\" is an object"),
        Mistake(#"{"task": "a", "context": "c", "completion": ""}"#, "\"completion\" is empty"),
        Mistake(#"{"task": "a", "context": "c", "completion": "x", "label": 0}"#, "unknown key \"label\"", "context"),
        Mistake(#"{"task": "a", "contexts": ["c", "d"], "label": 0}"#, "no \"completion\""),
        Mistake(
            #"{"task": "a", "context": "c", "choices": ["x", "y"], "gold": 0}"#, "unknown key \"gold\"", "delimiter"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", "y"]}"#, "no \"label\""),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", "y"], "label": 2}"#, "\"label\" is 2", "0 to 1"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", "y"], "label": -1}"#, "\"label\" is -1", "0 to 1"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", "y"], "label": "1"}"#, "\"label\" is a string"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", "y"], "label": true}"#, "\"label\" is true or false"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", "y"], "label": 0.5}"#, "a number that is no integer"),
        Mistake(#"{"task": "a", "context": "c", "choices": [], "label": 0}"#, "no element", "at least two"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x"], "label": 0}"#, "one element", "at least two"),
        Mistake(#"{"task": "a", "context": "c", "choices": ["x", ""], "label": 0}"#, "\"choices\"[1] is empty"),
        Mistake(#"{"task": "a", "context": "c", "choices": [null, "x"], "label": 0}"#, "\"choices\"[0] is null"),
        Mistake(#"{"task": "a", "context": "c", "choices": "xy", "label": 0}"#, "\"choices\" is a string"),
        Mistake(#"{"task": "a", "contexts": ["c"], "completion": "x", "label": 0}"#, "\"contexts\" has one element"),
        Mistake(#"{"task": "a", "id": [1], "context": "c", "completion": "x"}"#, "\"id\" is a list"),
        Mistake(#"{"task": "a", "context": "c", "completion": "\ud800"}"#, "not valid JSON"),
        Mistake(#"{"task": "a", "context": "c", "completion": "x""#, "not valid JSON"),
        Mistake(#"{"task": "a", "context": NaN}"#, "not valid JSON: NaN at column 26"),
        // JSONDecoder silently takes one of the two values.
        Mistake(
            #"{"task": "a", "context": "c", "choices": ["x", "y"], "label": 0, "label": 1}"#,
            "the object has two \"label\""),
        Mistake(#"{"task": "a", "context": "c", "completion": "x", "comple\u0074ion": "x"}"#, "two \"completion\""),
        Mistake("{\"task\": \"a\0\"}", "zero byte at column 12"), Mistake("[1]", "no JSON object"),
        Mistake("a", "not valid JSON"),
        // An earlier line gives the task another form.
        Mistake(
            #"{"task": "first", "context": "c", "choices": ["x", "y"], "label": 0}"#, "\"first\"", "\"choices\" here",
            "\"completion\" at ", "tasks.jsonl:1"),
    ]

    @Test(arguments: mistakes) func isNamedWithItsLine(mistake: Mistake) throws {
        let error = try #require(throws: DataError.self) {
            try read(#"{"task": "first", "context": "c", "completion": "x"}"#, "", mistake.line)
        }
        #expect(error.key == "--tasks" && error.line == 3 && error.file?.hasSuffix("/tasks.jsonl") == true, "\(error)")
        for name in mistake.names { #expect("\(error)".contains(name), "\(error)") }
    }

    @Test func filesWithoutDocuments() throws {
        #expect(throws: DataError.self) { try read("", "  ") }
        let folder = try TemporaryFolder()
        let absent = try #require(throws: DataError.self) { try TaskFile.read([folder.path("absent.jsonl")]) }
        #expect("\(absent)".contains("absent.jsonl: there is no such file"), "\(absent)")
        let directory = try #require(throws: DataError.self) { try TaskFile.read([folder.path]) }
        #expect("\(directory)".contains("\(folder.path): this is a directory"), "\(directory)")
        try folder.write("PK\u{3}\u{4}", to: "zip.jsonl")
        let archive = try #require(throws: DataError.self) { try TaskFile.read([folder.path("zip.jsonl")]) }
        #expect(archive.key == "--tasks" && archive.problem == "this is a zip archive", "\(archive)")
        try folder.write("", to: "empty.jsonl")
        let empty = try #require(throws: DataError.self) { try TaskFile.read([folder.path("empty.jsonl")]) }
        #expect("\(empty)".contains("no document"), "\(empty)")
    }

    @Test func aTaskMayBeInSeveralFilesOfOneForm() throws {
        let folder = try TemporaryFolder()
        try folder.write(#"{"task": "a", "context": "c", "completion": "x"}"#, to: "1.jsonl")
        try folder.write(#"{"task": "a", "context": "d", "completion": "x"}"#, to: "2.jsonl")
        try folder.write(#"{"task": "a", "contexts": ["c", "d"], "completion": "x", "label": 0}"#, to: "3.jsonl")
        let files = ["1.jsonl", "2.jsonl", "3.jsonl"].map { folder.path($0) }
        #expect(try TaskFile.read(Array(files[..<2])).map(\.file) == Array(files[..<2]))
        let error = try #require(throws: DataError.self) { try TaskFile.read(files) }
        #expect(error.file == files[2] && error.line == 1 && "\(error)".contains(files[0] + ":1"), "\(error)")
    }
}
