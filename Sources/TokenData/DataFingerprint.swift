// DataFingerprint - the identity of a run's data, which a checkpoint stores and a resume compares.

internal import Digests
internal import Foundation
internal import Synchronization
internal import InputFiles

/// The SHA-256 of a token sequence, computed at first use. Why: one rank needs it, the others do not.
final class TokenHash: Sendable {
    private let tokens: any TokenSequence
    private let result = Mutex<String?>(nil)

    init(_ tokens: any TokenSequence) { self.tokens = tokens }

    /// Hex digits of the hash over the ids as 32-bit little-endian integers. A text and its prepared pair have equal
    /// hashes.
    var hexadecimal: String {
        get throws {
            try result.withLock { result in
                if let result { return result }
                let hasher = SHA256()
                let chunk = 1 << 16
                for start in stride(from: 0, to: tokens.count, by: chunk) {
                    let ids = try tokens.tokens(in: start..<min(start + chunk, tokens.count)).map(\.littleEndian)
                    unsafe ids.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
                }
                let hex = hexadecimalDigits(of: hasher.finalize())
                result = hex
                return hex
            }
        }
    }
}

/// The SHA-256 of the positions at which documents begin, computed at each use.
struct DocumentHash: Sendable {
    private let tokens: any TokenSequence

    init(_ tokens: any TokenSequence) { self.tokens = tokens }

    /// Hex digits of the hash over the positions as 64-bit little-endian integers; nil where documents are unknown.
    var hexadecimal: String? {
        get throws {
            guard try tokens.documentCount() != nil else { return nil }
            let hasher = SHA256()
            let chunk = 1 << 20
            for start in stride(from: 1, to: tokens.count, by: chunk) {
                let starts = try tokens.documentStarts(in: start..<min(start + chunk, tokens.count))
                unsafe starts.map { Int64($0).littleEndian }.withUnsafeBytes {
                    unsafe hasher.update(bufferPointer: $0)
                }
            }
            return hexadecimalDigits(of: hasher.finalize())
        }
    }
}

/// The identity of a run's data. Runs with equal fingerprints and seeds read equal sequences in equal order.
public struct DataFingerprint: Codable, Equatable, Sendable {
    public struct Domain: Codable, Equatable, Sendable {
        public var name: String
        public var weight: Double
        /// Number of tokens; nil for a domain without end.
        public var tokens: Int?
        /// SHA-256 of the tokens, or the identity of the generator.
        public var hash: String
        /// SHA-256 of the documents' borders; nil where the run does not use them.
        public var documents: String?
    }

    public var domains: [Domain]
    public var sequenceLength: Int
    public var tokenizer: String

    /// JSON with sorted keys. Equal fingerprints give equal text.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            // Weights are finite (checked by TrainingStream); nothing else can fail to encode.
            preconditionFailure("a fingerprint with a weight that is not finite")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Reads a fingerprint from the text of ``json``.
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

    /// The differences in tokens of the domains that both fingerprints have, one sentence each.
    /// Other members of a fingerprint are configuration, which a resume compares key by key.
    ///
    /// - Parameter earlier: the checkpoint's fingerprint.
    public func differences(from earlier: DataFingerprint) -> [String] {
        domains.compactMap { domain in
            guard let before = earlier.domains.first(where: { $0.name == domain.name }) else { return nil }
            if domain.tokens != before.tokens {
                return "\"\(domain.name)\" has \(Self.words(domain.tokens)) tokens, the checkpoint's has "
                    + Self.words(before.tokens)
            }
            if domain.hash != before.hash {
                return "the tokens of \"\(domain.name)\" are others than the checkpoint's"
            }
            return domain.documents == before.documents
                ? nil : "the documents of \"\(domain.name)\" have other borders than the checkpoint's"
        }
    }

    private static func words(_ tokens: Int?) -> String { tokens.map(String.init) ?? "endlessly many" }
}
