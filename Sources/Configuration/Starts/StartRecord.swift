// StartRecord - a row of `starts.jsonl`: one start of a run.

internal import Foundation
internal import Reporting

/// One start of a run that trained or evaluated something.
///
/// The rows of a run directory, in order, tell which configuration computed each step. A start from step s replaces all
/// steps after s of earlier starts.
package struct StartRecord: Sendable, Equatable {
    /// The source of the weights of a start.
    package enum Origin: String, Sendable, Codable {
        /// Weights that the seed decides.
        case new
        /// The weights of a checkpoint (`--initialize-from`).
        case weights
        /// A checkpoint that `import` wrote, which has weights and no steps.
        case imported
        /// A checkpoint of a run.
        case checkpoint

        /// Whether a run begins here, so that nothing before it counts.
        package var isBeginning: Bool { self != .checkpoint }
    }

    /// Step of the checkpoint; 0 where a run begins.
    package var fromStep: Int
    package var origin: Origin
    /// The checkpoint that it began with; nil for ``Origin/new``.
    package var path: String?
    /// SHA-256 of the parameters where a run begins with a checkpoint's weights.
    package var parameters: String?
    /// Whether earlier rows tell the history of the checkpoint; always true where a run begins.
    package var isHistoryKnown = true
    /// The name that `--branch` gave.
    package var branch: String?
    package var ranks = 1
    /// Time of the start in ISO 8601, for people.
    package var time = ""
    package var configuration: RunConfiguration

    package init(
        fromStep: Int, origin: Origin, path: String? = nil, parameters: String? = nil, isHistoryKnown: Bool = true,
        branch: String? = nil, ranks: Int = 1, time: String = "", configuration: RunConfiguration
    ) {
        self.fromStep = fromStep
        self.origin = origin
        self.path = path
        self.parameters = parameters
        self.isHistoryKnown = isHistoryKnown
        self.branch = branch
        self.ranks = ranks
        self.time = time
        self.configuration = configuration
    }

    /// A line of the file, without its end.
    package var line: String {
        var pairs: [(key: String, value: JSONValue)] = [
            ("time", .string(time)), ("from_step", .integer(fromStep)), ("origin", .string(origin.rawValue)),
        ]
        if let path { pairs.append(("path", .string(path))) }
        if let parameters { pairs.append(("parameters", .string(parameters))) }
        if let branch { pairs.append(("branch", .string(branch))) }
        pairs += [("history_known", .boolean(isHistoryKnown)), ("ranks", .integer(ranks))]
        // The configuration writes itself as JSON, on one line.
        return JSONValue.object(pairs).text.dropLast() + ", \"configuration\": \(configuration.json)}"
    }
}

extension StartRecord {
    /// The fields of a row beside the configuration.
    private struct Row: Decodable {
        var fromStep: Int
        var origin: Origin
        var path: String?
        var parameters: String?
        var branch: String?
        var isHistoryKnown: Bool
        var ranks: Int
        var time: String

        enum CodingKeys: String, CodingKey {
            case fromStep = "from_step"
            case isHistoryKnown = "history_known"
            case origin, path, parameters, branch, ranks, time
        }
    }

    /// Reads the text of ``line``.
    ///
    /// - Parameter place: file and line, for errors.
    /// - Throws: ``ProgramFailure`` with status 2 for text that is no such row.
    package init(line: some StringProtocol, place: String) throws {
        let row: Row
        let json: String
        do {
            let data = Data(line.utf8)
            row = try JSONDecoder().decode(Row.self, from: data)
            guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any],
                let settings = object["configuration"] as? [String: Any], row.fromStep >= 0
            else { throw CocoaError(.propertyListReadCorrupt) }
            json = String(decoding: try JSONSerialization.data(withJSONObject: settings), as: UTF8.self)
        } catch {
            throw ProgramFailure(
                .badInput, "\(place): found \"\(line.prefix(80))\"; allowed: a row of this program, one JSON object")
        }
        self.init(
            fromStep: row.fromStep, origin: row.origin, path: row.path, parameters: row.parameters,
            isHistoryKnown: row.isHistoryKnown, branch: row.branch, ranks: row.ranks, time: row.time,
            configuration: try RunConfiguration.fromJSON(json, file: place))
    }
}
