// TraceFile - `trace.json`: the phases of steps in Chrome's trace event format, which Perfetto opens.

internal import Foundation
package import Kernels
internal import Reporting

/// The file that events are appended to; rank 0 only.
///
/// The format allows an array without its closing bracket, so a run that is killed leaves a file that opens.
package final class TraceFile {
    private let handle: FileHandle
    private let path: String
    private var isEmpty = true

    /// Starts a new file at `path`.
    package init(path: String) throws {
        self.path = path
        do {
            try Data("[".utf8).write(to: URL(fileURLWithPath: path))
            handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try handle.seekToEnd()
        } catch {
            throw ProgramFailure(.badInput, "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// Names a rank's row.
    package func name(rank: Int, _ name: String) throws {
        try append([
            .object([
                ("name", .string("process_name")), ("ph", .string("M")), ("pid", .integer(rank)), ("tid", .integer(0)),
                ("args", .object([("name", .string(name))])),
            ])
        ])
    }

    /// Appends a rank's events of a step; times count from `origin`, in nanoseconds.
    package func append(_ events: [PhaseEvent], rank: Int, step: Int) throws {
        try append(
            events.map { event in
                var args: [(key: String, value: JSONValue)] = [("step", .integer(step))]
                if event.detail >= 0 { args.append(("layer", .integer(event.detail))) }
                return .object([
                    ("name", .string(event.phase.name)), ("cat", .string("step")), ("ph", .string("X")),
                    ("ts", .number(Double(event.start) / 1e3)), ("dur", .number(Double(event.duration) / 1e3)),
                    ("pid", .integer(rank)), ("tid", .integer(0)), ("args", .object(args)),
                ])
            })
    }

    /// Ends the array.
    package func close() throws {
        try write("\n]\n")
        try handle.close()
    }

    private func append(_ values: [JSONValue]) throws {
        var text = ""
        for value in values {
            text += (isEmpty ? "\n" : ",\n") + value.text
            isEmpty = false
        }
        try write(text)
    }

    private func write(_ text: String) throws {
        do {
            try handle.write(contentsOf: Data(text.utf8))
        } catch {
            throw ProgramFailure(.runtimeFailure, "\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}
