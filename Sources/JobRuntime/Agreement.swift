// Agreement - a piece of work that must succeed on every rank, or fail on every rank with one message.

public import MessagePassing
internal import Reporting

extension Communicator {
    /// Runs `body` on every rank; collective. `body` must not communicate unless it fails on all ranks alike.
    ///
    /// Why: a rank that failed alone would leave the others waiting for it in the next collective call.
    ///
    /// - Throws: on every rank the same ``ProgramFailure``, that of the first rank on which `body` throws.
    public func agreed<Value>(_ body: () throws -> Value) throws -> Value {
        let outcome = Result { try body() }
        var report: [UInt8] = []
        if case .failure(let error) = outcome {
            let failure = ProgramFailure(error)
            report = [UInt8(failure.status.rawValue)] + Array(failure.message.utf8)
        }
        let reports = try allGather(report)
        guard let failed = reports.firstIndex(where: { !$0.isEmpty }) else { return try outcome.get() }
        let hosts = try allGather(Array(host.utf8))
        let first = reports[failed]
        let text = String(decoding: first.dropFirst(), as: UTF8.self)
        let isEverywhere = reports.allSatisfy { $0 == first }
        throw ProgramFailure(
            ExitStatus(rawValue: Int32(first[0])) ?? .runtimeFailure,
            isEverywhere || failed == 0
                ? text : "rank \(failed) on \(String(decoding: hosts[failed], as: UTF8.self)): \(text)",
            isShared: true)
    }

    /// Whether `value` is true on any rank; collective.
    package func isTrueOnAny(_ value: Bool) throws -> Bool { try maximum(value ? 1 : 0) > 0 }

    /// The bytes of `body`, which only rank 0 runs, on every rank; collective.
    ///
    /// - Throws: on every rank the error of `body`.
    public func fromRankZero(_ body: () throws -> [UInt8]) throws -> [UInt8] {
        let own = try agreed { rank == 0 ? try body() : [] }
        return try broadcast(rank == 0 ? own : nil, root: 0)
    }

    /// The text of `body`, which only rank 0 runs, on every rank; collective.
    ///
    /// - Throws: on every rank the error of `body`.
    public func textFromRankZero(_ body: () throws -> String) throws -> String {
        String(decoding: try fromRankZero { Array(try body().utf8) }, as: UTF8.self)
    }
}
