// PreparedTokenizer - which tokenizer gave a prepared pair its ids, as the summary beside the pair tells.

internal import Digests
internal import InputFiles
internal import Tokenizers

/// The tokenizer that `prepare` used for a pair.
public struct PreparedTokenizer: Sendable, Equatable {
    /// `bytes`, or the name that the SentencePiece model's file had.
    let name: String
    /// `bytes`, or the SHA-256 of the model: its file may have another name now.
    let identity: String

    /// Whether `tokenizer` gives the ids of the pair.
    func isSame(as tokenizer: any Tokenizer) -> Bool {
        identity == Self.identity(name: tokenizer.name, modelBytes: tokenizer.modelBytes)
    }

    /// The name, with the start of the hash where there is one: most models are called tokenizer.model.
    var words: String { Self.words(name: name, identity: identity) }

    /// The words for `tokenizer` beside those of ``words``.
    static func words(_ tokenizer: any Tokenizer) -> String {
        words(name: tokenizer.name, identity: Self.identity(name: tokenizer.name, modelBytes: tokenizer.modelBytes))
    }

    /// The identity of the tokenizer `name`; `modelBytes` is empty for a tokenizer without a model.
    package static func identity(name: String, modelBytes: [UInt8]) -> String {
        modelBytes.isEmpty ? name : hexadecimalDigits(of: SHA256.hash(data: modelBytes))
    }

    private static func words(name: String, identity: String) -> String {
        name == identity ? name : "\(name) (SHA-256 \(identity.prefix(12)))"
    }
}

extension PreparedTokenizer {
    /// What the summary of a pair says.
    enum Record: Equatable {
        /// The tokenizer, and the summary's path.
        case found(PreparedTokenizer, summary: String)
        /// No summary tells; the reason in words.
        case unrecorded(String)
    }

    /// The part of a summary that is read here. Summaries of every version have it, whatever else they hold.
    private struct Summary: Decodable {
        struct Output: Decodable {
            var prefix: String
            var binBytes: Int
            var idxBytes: Int
        }
        struct Manifest: Decodable {
            struct Tokenizer: Decodable { var identity: String }
            var tokenizer: Tokenizer
        }

        var tokenizer: String
        var outputs: [Output]
        var manifest: Manifest
    }

    /// Largest summary that is read. A summary of 100,000 files has some 20 MB; a text of that name may have any size.
    private static let largestFile = 256 << 20

    /// Looks for the summary of the pair `prefix`: `prefix.json`, or that of the preparation that gave each domain a pair of
    /// its own (`pile.json` for `pile-Books`).
    ///
    /// Sizes are compared, because a pair of another origin may stand where a prepared one was.
    static func record(of prefix: String) -> Record {
        let sizes = [".bin", ".idx"].map { FileKind.at(prefix + $0) }
        var reason = "there is no \(prefix).json"
        for (candidate, suffix) in candidates(prefix) {
            let path = candidate + ".json"
            let kind = FileKind.at(path)
            guard kind != .missing else { continue }
            guard case .regular(...largestFile) = kind, let summary = PreparationJSON.read(Summary.self, at: path)
            else {
                if suffix.isEmpty { reason = "\(path) is no summary of prepare" }
                continue
            }
            // A pair may have been renamed together with its summary, so only the domain's part of the name must agree.
            let isListed = summary.outputs.contains {
                $0.prefix.hasSuffix(suffix) && sizes == [.regular(size: $0.binBytes), .regular(size: $0.idxBytes)]
            }
            guard isListed else {
                if suffix.isEmpty || summary.outputs.contains(where: { $0.prefix.hasSuffix(suffix) }) {
                    reason = "\(path) describes files of other sizes"
                }
                continue
            }
            return .found(
                PreparedTokenizer(name: summary.tokenizer, identity: summary.manifest.tokenizer.identity),
                summary: path)
        }
        return .unrecorded(reason)
    }

    /// `prefix` itself, then what remains of it where the file's name is cut before a hyphen, the longest first; each with
    /// the part that was cut off.
    private static func candidates(_ prefix: String) -> [(prefix: String, suffix: String)] {
        let start = prefix.lastIndex(of: "/").map { prefix.index(after: $0) } ?? prefix.startIndex
        let cuts = prefix[start...].indices.filter { prefix[$0] == "-" && $0 > start }
        return [(prefix, "")] + cuts.reversed().map { (String(prefix[..<$0]), String(prefix[$0...])) }
    }
}

/// What is known of the tokenizer that gave a domain its ids.
public enum TokenOrigin: Sendable, Equatable {
    /// The run's tokenizer gave them.
    case own
    /// The run has no tokenizer; this one gave the ids, as the summary at a path tells.
    case recorded(PreparedTokenizer, summary: String)
    /// Nobody wrote down which tokenizer gave them; the reason in words.
    case unrecorded(String)

    /// Why nobody knows the tokenizer; nil where somebody does.
    public var unrecordedReason: String? {
        if case .unrecorded(let reason) = self { reason } else { nil }
    }
}

extension TokenDomain {
    /// Checks that the prepared data of a run without tokenizer come from one tokenizer, as far as that is recorded.
    ///
    /// - Parameters:
    ///   - domains: all that the run reads.
    ///   - key: what errors name.
    /// - Throws: ``DataError`` naming two that do not.
    public static func requireOneTokenizer(_ domains: [TokenDomain], key: String) throws {
        var first: (tokenizer: PreparedTokenizer, summary: String)?
        for domain in domains {
            guard case .recorded(let tokenizer, let summary) = domain.origin else { continue }
            guard let first else {
                first = (tokenizer, summary)
                continue
            }
            guard tokenizer.identity == first.tokenizer.identity else {
                throw DataError(
                    key: key, file: summary,
                    problem: "\(domain.name) was prepared with \(tokenizer.words), but \(first.summary) says "
                        + first.tokenizer.words,
                    remedy: "prepare all texts of a model with its tokenizer")
            }
        }
    }

    /// Checks that prepared data of a run without tokenizer are not known to be of another than a checkpoint's.
    ///
    /// Why: a SentencePiece model without end token reads no text, but the ids of its checkpoint are still its own.
    ///
    /// - Parameters:
    ///   - domains: all that the run reads.
    ///   - name: the checkpoint's name of the model.
    ///   - modelBytes: the model, which the checkpoint holds.
    ///   - key: what errors name.
    /// - Throws: ``DataError`` naming a domain that was prepared with another tokenizer.
    public static func requireTokenizer(
        _ domains: [TokenDomain], name: String, modelBytes: [UInt8], key: String
    ) throws {
        let own = PreparedTokenizer(
            name: name, identity: PreparedTokenizer.identity(name: name, modelBytes: modelBytes))
        for domain in domains {
            guard case .recorded(let tokenizer, let summary) = domain.origin, tokenizer.identity != own.identity else {
                continue
            }
            throw DataError(
                key: key, file: summary,
                problem: "\(domain.name) was prepared with \(tokenizer.words), but the checkpoint's tokenizer is "
                    + own.words,
                remedy: "give prepared data whose ids the model's own tokenizer made")
        }
    }

    /// One line about the domains whose ids nobody can tell to be the tokenizer's; nil where there is none.
    ///
    /// - Parameters:
    ///   - domains: all that are read.
    ///   - consequence: the end of the line.
    public static func uncheckedNote(
        _ domains: [TokenDomain], consequence: String = "their bits per byte are not known"
    ) -> String? {
        var reasons: [String] = []
        for domain in domains {
            let reason: String? =
                switch domain.origin {
                case .own: nil
                case .recorded(let tokenizer, _): "\(domain.name) (prepared with \(tokenizer.words))"
                case .unrecorded(let reason): "\(domain.name) (\(reason))"
                }
            // A list for training and one for validation may name the same text.
            if let reason, !reasons.contains(reason) { reasons.append(reason) }
        }
        guard !reasons.isEmpty else { return nil }
        let shown = reasons.prefix(4).joined(separator: ", ")
        let more = reasons.count > 4 ? " and \(reasons.count - 4) others" : ""
        return "it cannot be checked that prepared data have the ids of the model's tokenizer: \(shown)\(more); "
            + consequence
    }
}
