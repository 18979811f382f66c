// Fingerprint - what a checkpoint remembers of the data, and what a resume compares.

internal import Crypto
internal import Foundation
internal import Synchronization

/// The SHA-256 of a run of tokens, computed when it is first asked for: one rank needs it, the others do not.
final class TokenHash: Sendable {
    private let tokens: any TokenSequence
    private let result = Mutex<String?>(nil)

    init(_ tokens: any TokenSequence) { self.tokens = tokens }

    /// Hex digits over the ids as 32-bit little-endian integers, so that a text and what was prepared from it agree.
    var hexadecimal: String {
        result.withLock { result in
            if let result { return result }
            var hasher = SHA256()
            let chunk = 1 << 16
            for start in stride(from: 0, to: tokens.count, by: chunk) {
                let ids = tokens.tokens(in: start..<min(start + chunk, tokens.count)).map(\.littleEndian)
                unsafe ids.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
            }
            let hex = hexadecimalDigits(of: hasher.finalize())
            result = hex
            return hex
        }
    }
}

/// Two lower-case digits per byte.
func hexadecimalDigits(of bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

/// What the data of a run are. Two runs with equal fingerprints read the same sequences in the same order, given the
/// same seed.
public struct DataFingerprint: Codable, Equatable, Sendable {
    public struct Domain: Codable, Equatable, Sendable {
        public var name: String
        public var weight: Double
        /// Number of tokens; null if the domain has no end.
        public var tokens: Int?
        /// SHA-256 of the tokens, or the identity of their generator.
        public var hash: String
    }

    public var domains: [Domain]
    public var sequenceLength: Int
    public var tokenizer: String

    /// JSON with sorted keys: equal fingerprints give equal text.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            // Weights are finite (checked by TrainingStream); nothing else can fail to encode.
            preconditionFailure("a fingerprint with a weight that is not finite")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Reads what ``json`` wrote.
    ///
    /// - Throws: ``DataError`` if `json` is no fingerprint.
    public init(json: String) throws {
        do {
            self = try JSONDecoder().decode(DataFingerprint.self, from: Data(json.utf8))
        } catch {
            throw DataError(
                problem: "the stored data fingerprint cannot be read",
                remedy: "the checkpoint was written by another version, or altered")
        }
    }

    init(domains: [Domain], sequenceLength: Int, tokenizer: String) {
        self.domains = domains
        self.sequenceLength = sequenceLength
        self.tokenizer = tokenizer
    }

    /// How `other` differs, one sentence each, this one being the checkpoint's; empty if they are equal.
    public func differences(from other: DataFingerprint) -> [String] {
        var found: [String] = []
        if tokenizer != other.tokenizer {
            found.append("data.tokenizer is \(other.tokenizer), the checkpoint's is \(tokenizer)")
        }
        if sequenceLength != other.sequenceLength {
            found.append("data.sequence_length is \(other.sequenceLength), the checkpoint's is \(sequenceLength)")
        }
        let names = domains.map(\.name)
        let otherNames = other.domains.map(\.name)
        for name in names where !otherNames.contains(name) {
            found.append("data.train lacks the checkpoint's domain \"\(name)\"")
        }
        for name in otherNames where !names.contains(name) {
            found.append("data.train has a domain \"\(name)\" that the checkpoint has not")
        }
        if found.isEmpty && names != otherNames {
            found.append("data.train lists its domains in another order than the checkpoint: \(otherNames), \(names)")
        }
        for domain in domains {
            guard let match = other.domains.first(where: { $0.name == domain.name }) else { continue }
            if match.weight != domain.weight {
                found.append(
                    "the weight of \"\(domain.name)\" is \(match.weight), the checkpoint's is \(domain.weight)")
            }
            if match.tokens != domain.tokens {
                found.append(
                    "\"\(domain.name)\" has \(Self.words(match.tokens)) tokens, the checkpoint's has "
                        + Self.words(domain.tokens))
            } else if match.hash != domain.hash {
                found.append("the tokens of \"\(domain.name)\" are others than the checkpoint's")
            }
        }
        return found
    }

    private static func words(_ tokens: Int?) -> String { tokens.map(String.init) ?? "endlessly many" }
}
