// SaveOutcome - how a save ended, and how ranks tell one another.

internal import Checkpointing
internal import Reporting

/// A checkpoint that is complete.
struct SavedCheckpoint: Sendable, Equatable {
    let step: Int
    /// The step directory.
    let path: String
    /// Seconds that the training loop did nothing else.
    var stallSeconds: Double
    /// Seconds from the beginning of the save to the end of its last part, the removal of older checkpoints.
    let writeSeconds: Double
    /// Problems beside the save itself; known to rank 0.
    let problems: [String]

    /// The row of `metrics.jsonl`; no other kind of row has the key `saved`.
    var json: JSONValue {
        .object([
            ("step", .integer(step)), ("saved", .string(path.split(separator: "/").last.map(String.init) ?? path)),
            ("stall_seconds", .number(stallSeconds)), ("write_seconds", .number(writeSeconds)),
        ])
    }
}

/// A save that did not succeed; the same on every rank.
struct SaveFailure: Sendable, Equatable {
    /// Rank, host, file and cause.
    var message: String
    /// Ranks see different checkpoints directories: no later save can succeed either.
    let isNotShared: Bool

    init(message: String, isNotShared: Bool = false) {
        self.message = message
        self.isNotShared = isNotShared
    }

    /// The failure at `place`, a rank and its host.
    init(_ error: any Error, at place: String) {
        self.init(
            message: "\(place): \(error)", isNotShared: (error as? CheckpointError)?.kind == .notShared)
    }
}

/// The end of a save; the same case on every rank.
enum SaveOutcome: Sendable, Equatable {
    case saved(SavedCheckpoint)
    case failed(step: Int, SaveFailure)
}

/// A path or a failure on its way to other ranks.
enum SaveMessage: Sendable, Equatable {
    case path(String)
    case failure(SaveFailure)

    private static let pathMark: UInt8 = 0
    private static let failureMark: UInt8 = 1
    private static let notSharedMark: UInt8 = 2

    var bytes: [UInt8] {
        switch self {
        case .path(let path): [Self.pathMark] + Array(path.utf8)
        case .failure(let failure):
            [failure.isNotShared ? Self.notSharedMark : Self.failureMark] + Array(failure.message.utf8)
        }
    }

    /// Reads the ``bytes`` of another rank.
    init(bytes: [UInt8]) {
        let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
        switch bytes.first {
        case Self.pathMark: self = .path(text)
        case Self.failureMark: self = .failure(SaveFailure(message: text))
        case Self.notSharedMark: self = .failure(SaveFailure(message: text, isNotShared: true))
        default: preconditionFailure("a message about a save begins with \(bytes.first.map(String.init) ?? "nothing")")
        }
    }
}
