// AgreedOrigins - which tokenizer gave prepared data their ids, as far as every rank can tell.

internal import MessagePassing
package import TokenData

extension Communicator {
    /// Takes the origin of a domain for known only where every rank knows it. Collective.
    ///
    /// Why: each rank looks for PREFIX.json itself, and what only some of them see would give a wrong sum of bytes.
    ///
    /// - Parameter domains: those of this rank; each rank has the same number.
    /// - Returns: the domains, with the reason of the first rank that has one.
    /// - Throws: ``MPIError``.
    package func agreeingOnOrigins(_ domains: [TokenDomain]) throws -> [TokenDomain] {
        guard size > 1, !domains.isEmpty else { return domains }
        let own = domains.map { $0.origin.unrecordedReason ?? "" }
        let unknown = try sum(own.map { $0.isEmpty ? 0 : 1 })
        var agreed = domains
        for place in domains.indices where unknown[place] > 0 {
            let reasons = try allGather(Array(own[place].utf8))
            guard let first = reasons.firstIndex(where: { !$0.isEmpty }) else { continue }
            let reason = String(decoding: reasons[first], as: UTF8.self)
            agreed[place].origin = .unrecorded(first == 0 ? reason : "on rank \(first) \(reason)")
        }
        return agreed
    }
}
