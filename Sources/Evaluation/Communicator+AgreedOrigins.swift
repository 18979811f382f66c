// Communicator+AgreedOrigins - the tokenizer of prepared data, as far as every rank knows it.

internal import MessagePassing
package import TokenData

extension Communicator {
    /// Replaces the origin of each domain by an unknown one unless every rank knows it. Collective.
    ///
    /// Why: each rank searches PREFIX.json itself. A summary that only some ranks see would give a wrong sum of bytes.
    ///
    /// - Parameter domains: this rank's domains; every rank has an equal number.
    /// - Returns: the domains; an unknown origin has the reason of the first rank with one.
    /// - Throws: ``MPIError``.
    package func agreeingOnOrigins(_ domains: [TokenDomain]) throws -> [TokenDomain] {
        guard size > 1, !domains.isEmpty else { return domains }
        let own = domains.map { $0.origin.unrecordedReason ?? "" }
        let unknown = try sum(own.map { $0.isEmpty ? 0 : 1 })
        var agreed = domains
        for index in domains.indices where unknown[index] > 0 {
            let reasons = try allGather(Array(own[index].utf8))
            guard let first = reasons.firstIndex(where: { !$0.isEmpty }) else { continue }
            let reason = String(decoding: reasons[first], as: UTF8.self)
            agreed[index].origin = .unrecorded(first == 0 ? reason : "on rank \(first) \(reason)")
        }
        return agreed
    }
}
