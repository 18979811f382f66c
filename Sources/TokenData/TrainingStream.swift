// TrainingStream - the endless stream of training sequences: a pure function of (seed, weights, position).

internal import InputFiles
internal import Primitives
public import Tensors

/// One named body of sequences and its share of the training stream.
public struct TokenDomain: Sendable {
    public var name: String
    /// Share of the training sequences, relative to the other domains'. Unused for validation.
    public var weight: Double
    public var source: any SequenceSource
    /// The tokenizer that gave the ids.
    public var origin: TokenOrigin

    public init(name: String, weight: Double, source: any SequenceSource, origin: TokenOrigin = .own) {
        self.name = name
        self.weight = weight
        self.source = source
        self.origin = origin
    }
}

/// The sequences of a run in the order in which they are consumed.
///
/// The sequence at position g depends on the seed, the domains and g only: not on ranks, threads, micro-batches or earlier
/// reads. A resume needs only the position and is instant.
public struct TrainingStream: Sendable {
    public let domains: [TokenDomain]
    /// T: targets per sequence.
    public let sequenceLength: Int
    public let seed: UInt64
    /// `data.tokenizer` as the fingerprint names it.
    public let tokenizerName: String
    private let mixture: Mixture

    /// - Throws: ``DataError`` for no domains, repeated names, or weights that give a domain no sequences.
    public init(
        domains: [TokenDomain], sequenceLength: Int, seed: UInt64, tokenizerName: String = "bytes"
    ) throws {
        try requireDomains(domains.map(\.name), .configuration(.training))
        precondition(sequenceLength > 0, "a sequence has at least one target")
        precondition(domains.allSatisfy { $0.source.sequenceCount > 0 }, "a domain without a whole sequence")
        mixture = try Mixture(weights: domains.map(\.weight), names: domains.map(\.name), seed: seed)
        self.domains = domains
        self.sequenceLength = sequenceLength
        self.seed = seed
        self.tokenizerName = tokenizerName
    }

    /// Domain, epoch and sequence of global position `g`.
    ///
    /// The k-th use of a domain of n sequences is sequence `permutation(k mod n)` of epoch `k div n`. Each epoch has a
    /// permutation of its own, so every sequence is read once before any is read again.
    public func location(of g: Int) -> (domain: Int, epoch: Int, sequence: Int) {
        let (domain, use) = mixture.use(at: g)
        let count = domains[domain].source.sequenceCount
        let (epoch, index) = use.quotientAndRemainder(dividingBy: count)
        let order = KeyedPermutation(count: count, key: SplitMix64.seed(seed, .epoch, domain, epoch))
        return (domain, epoch, order(index))
    }

    /// Number of sequences of each domain at the positions before `g`, computed without history.
    public func uses(before g: Int) -> [Int] { mixture.uses(before: g) }

    /// Fills `batch` with the sequences at global positions `positions`, in their order, in place of what it holds.
    ///
    /// Traps unless the batch has this stream's sequence length and capacity for all positions.
    ///
    /// - Throws: ``InputError`` if a file failed or changed meanwhile.
    public func fill(_ batch: inout TokenBatch, with positions: Range<Int>) throws {
        precondition(
            batch.sequenceLength == sequenceLength && positions.count <= batch.capacity,
            "\(positions.count) sequences of \(sequenceLength) for a batch of \(batch.capacity) of "
                + "\(batch.sequenceLength)")
        batch.removeAll()
        for position in positions {
            let (domain, _, sequence) = location(of: position)
            try domains[domain].source.append(sequence: sequence, to: &batch)
        }
    }

    /// The data's identity as JSON, which a resume compares; see ``DataFingerprint``. Hashes all tokens at first use.
    public var fingerprint: String {
        get throws {
            DataFingerprint(
                domains: try domains.map {
                    let tokens = $0.source.tokenCount
                    return DataFingerprint.Domain(
                        name: $0.name, weight: $0.weight, tokens: tokens == .max ? nil : tokens,
                        hash: try $0.source.fingerprint, documents: try $0.source.documentFingerprint)
                }, sequenceLength: sequenceLength, tokenizer: tokenizerName
            ).json
        }
    }
}

/// Checks that there are domains and that no two have the same name.
func requireDomains(_ names: [String], _ settings: DataSettingNames) throws {
    guard !names.isEmpty else {
        throw DataError(
            key: settings.list, problem: "the list is empty", remedy: "give at least one domain with name and path")
    }
    guard names.count <= Mixture.blockSize else {
        throw DataError(
            key: settings.list, problem: "\(names.count) domains", remedy: "allowed: at most \(Mixture.blockSize)")
    }
    var seen: [String: Int] = [:]
    for (index, name) in names.enumerated() {
        guard !name.isEmpty else {
            throw DataError(key: settings.name(index), problem: "the name is empty", remedy: "name the domain")
        }
        if let first = seen.updateValue(index, forKey: name) {
            throw DataError(
                key: settings.name(index), problem: "\"\(name)\" is also the name of \(settings.domain(first))",
                remedy: "give each domain a name of its own")
        }
    }
}
