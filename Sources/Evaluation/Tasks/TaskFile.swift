// TaskFile - reads task files: one JSON object per line, each a document.

internal import Foundation
internal import Reporting
internal import TokenData
internal import InputFiles

/// Reads the files of `--tasks`.
enum TaskFile {
    static let option = "--tasks"

    /// The documents of all files, in their order.
    ///
    /// - Throws: ``DataError`` naming file and line, also for a task with documents of different forms.
    static func read(_ paths: [String]) throws -> [TaskDocument] {
        let documents = try paths.flatMap { try read($0) }
        var first: [String: TaskDocument] = [:]
        for document in documents {
            let other = first[document.task, default: document]
            first[document.task] = other
            guard other.query.form == document.query.form else {
                throw DataError(
                    key: option, file: document.file, line: document.line,
                    problem: "the task \"\(document.task)\" has \"\(document.query.form.rawValue)\" here and "
                        + "\"\(other.query.form.rawValue)\" at \(other.location)",
                    remedy: "a task's documents must be of one form; give them two names")
            }
        }
        return documents
    }

    /// The documents of one file. Blank lines are no documents.
    static func read(_ path: String) throws -> [TaskDocument] {
        let content: Data
        do {
            content = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            let isMissing = (error as? CocoaError)?.code == .fileReadNoSuchFile
            throw DataError(
                key: option, file: path,
                problem: isMissing
                    ? "there is no such file"
                    : type == .typeDirectory ? "this is a directory" : "cannot be read: \(FileErrors.reason(error))",
                remedy: "give the path of a .jsonl file, relative to the working directory")
        }
        if let foreign = try ForeignContent(path: path) {
            throw DataError(key: option, file: path, problem: foreign.problem, remedy: foreign.remedy)
        }
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let documents = try lines.enumerated().compactMap { index, line -> TaskDocument? in
            guard !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) else { return nil }
            return try TaskLine(Array(line), file: path, number: index + 1).document()
        }
        guard !documents.isEmpty else {
            throw DataError(
                key: option, file: path, problem: "the file holds no document",
                remedy: "each line must be a JSON object; mile-dist help eval shows some")
        }
        return documents
    }
}

/// The fields of one line.
private struct TaskLine {
    private let file: String
    private let number: Int
    private let fields: [String: Field]

    init(_ bytes: [UInt8], file: String, number: Int) throws {
        self.file = file
        self.number = number
        func failure(_ problem: String) -> DataError {
            DataError(
                key: TaskFile.option, file: file, line: number, problem: problem,
                remedy: "each line must be a JSON object in UTF-8")
        }
        // Why checked here: the decoder guesses another encoding from zero bytes.
        guard String(validating: bytes, as: UTF8.self) != nil else { throw failure("the line is not valid UTF-8") }
        guard !bytes.contains(0) else {
            throw failure("the line is not valid JSON: it holds a zero byte\(locationOfMalformedJSON(in: bytes))")
        }
        do {
            fields = try JSONDecoder().decode([String: Field].self, from: Data(bytes))
        } catch DecodingError.typeMismatch {
            throw failure("the line is no JSON object")
        } catch {
            throw failure("the line is not valid JSON\(locationOfMalformedJSON(in: bytes))")
        }
        // Some editors write a byte-order mark, which is no part of JSON.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if let key = repeatedKey(ofObject: bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes) {
            throw failure("the object has two \"\(key)\"")
        }
    }

    func document() throws -> TaskDocument {
        guard let form = TaskForm.allCases.first(where: { fields[$0.rawValue] != nil }) else {
            throw failure(
                "the object has none of \(TaskForm.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))",
                "one of them is required")
        }
        if let unknownKey = fields.keys.sorted().first(where: { !form.keys.contains($0) }) {
            throw failure(
                "unknown key \"\(unknownKey)\"",
                "allowed beside \"\(form.rawValue)\": "
                    + form.keys.filter { $0 != form.rawValue }.joined(separator: ", "))
        }
        let task = try text("task")
        guard !task.isEmpty else { throw failure("\"task\" is empty", "give the task a name") }
        return TaskDocument(task: task, id: try id(), file: file, line: number, query: try query(form))
    }

    private func query(_ form: TaskForm) throws -> TaskQuery {
        switch form {
        case .choices:
            let choices = try texts("choices")
            if let index = choices.firstIndex(of: "") {
                throw failure("\"choices\"[\(index)] is empty", "a choice has at least one character")
            }
            return .choices(
                choices, context: try text("context"),
                delimiter: fields["delimiter"] == nil ? " " : try text("delimiter"), label: try label(choices.count))
        case .contexts:
            let contexts = try texts("contexts")
            return .contexts(contexts, completion: try completion(), label: try label(contexts.count))
        case .completion:
            return .completion(try completion(), context: try text("context"))
        }
    }

    private func completion() throws -> String {
        let completion = try text("completion")
        guard !completion.isEmpty else {
            throw failure("\"completion\" is empty", "a completion has at least one character")
        }
        return completion
    }

    private func label(_ count: Int) throws -> Int {
        let allowed = "allowed: an integer from 0 to \(count - 1), the place of the right one"
        guard case .integer(let label) = try value("label") else {
            throw failure("\"label\" is \(try value("label").name)", allowed)
        }
        guard (0..<count).contains(label) else { throw failure("\"label\" is \(label)", allowed) }
        return label
    }

    private func id() throws -> JSONValue? {
        switch fields["id"] {
        case nil: return nil
        case .string(let text): return .string(text)
        case .integer(let number): return .integer(number)
        case .some(let other): throw failure("\"id\" is \(other.name)", "allowed: a string or an integer")
        }
    }

    private func text(_ key: String) throws -> String {
        guard case .string(let text) = try value(key) else {
            throw failure("\"\(key)\" is \(try value(key).name)", "it must be a string")
        }
        return text
    }

    private func texts(_ key: String) throws -> [String] {
        let remedy = "\"\(key)\" must be a list of at least two strings"
        guard case .list(let elements) = try value(key) else {
            throw failure("\"\(key)\" is \(try value(key).name)", remedy)
        }
        guard elements.count >= 2 else {
            throw failure("\"\(key)\" has \(elements.count == 0 ? "no element" : "one element")", remedy)
        }
        return try elements.enumerated().map { index, element in
            guard case .string(let text) = element else {
                throw failure("\"\(key)\"[\(index)] is \(element.name)", remedy)
            }
            return text
        }
    }

    private func value(_ key: String) throws -> Field {
        guard let value = fields[key] else { throw failure("the object has no \"\(key)\"", "it is required") }
        return value
    }

    private func failure(_ problem: String, _ remedy: String) -> DataError {
        DataError(key: TaskFile.option, file: file, line: number, problem: problem, remedy: remedy)
    }
}

/// A JSON value of a line. A type that no key allows keeps its name only.
private enum Field: Decodable {
    case string(String)
    case integer(Int)
    case list([Field])
    case other(String)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .other("null")
        } else if let text = try? container.decode(String.self) {
            self = .string(text)
        } else if let number = try? container.decode(Int.self) {
            self = .integer(number)
        } else if let elements = try? container.decode([Field].self) {
            self = .list(elements)
        } else if (try? container.decode(Bool.self)) != nil {
            self = .other("true or false")
        } else if (try? container.decode(Double.self)) != nil {
            self = .other("a number that is no integer")
        } else if (try? container.decode([String: Field].self)) != nil {
            self = .other("an object")
        } else {
            // A string with half a surrogate pair, or a value that contains one.
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no JSON value")
        }
    }

    /// The type's name in messages.
    package var name: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .list: "a list"
        case .other(let name): name
        }
    }
}
