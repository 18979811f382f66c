// PreparedTokenizer - the tokenizer of a prepared pair, as its summary records it.

internal import Digests
internal import InputFiles
internal import Tokenizers

/// The tokenizer that `prepare` used for a pair.
public struct PreparedTokenizer: Sendable, Equatable {
    /// `bytes`, or the name of the model's file at that time.
    let name: String
    /// `bytes`, or the SHA-256 of the model, whose file may have another name now.
    let identity: String
    /// Id that ends documents where the model does not say it, as in a `tokenizer.json`; nil where it does.
    let endToken: Int32?

    init(name: String, identity: String, endToken: Int32?) {
        self.name = name
        self.identity = identity
        self.endToken = endToken
    }

    init(_ tokenizer: any Tokenizer) {
        self.init(
            name: tokenizer.name, identity: Self.identity(name: tokenizer.name, modelBytes: tokenizer.modelBytes),
            endToken: tokenizer.kind == JSONTokenizer.kindName ? tokenizer.endToken : nil)
    }

    /// Whether both give a text the same ids, as far as their end tokens are known.
    func isSame(as other: PreparedTokenizer) -> Bool {
        guard identity == other.identity else { return false }
        guard let endToken, let otherEnd = other.endToken else { return true }
        return endToken == otherEnd
    }

    /// The name and, for a model, the first digits of its hash. Why: most models are called tokenizer.model.
    var words: String {
        guard name != identity else { return name }
        return "\(name) (SHA-256 \(identity.prefix(12))\(endToken.map { ", end token \($0)" } ?? ""))"
    }

    /// The identity of the tokenizer `name`; `modelBytes` is empty for a tokenizer without a model.
    package static func identity(name: String, modelBytes: [UInt8]) -> String {
        modelBytes.isEmpty ? name : hexadecimalDigits(of: SHA256.hash(data: modelBytes))
    }
}

extension PreparedTokenizer {
    /// The result of a search for a pair's summary.
    enum Record: Equatable {
        /// The tokenizer, and the summary's path.
        case found(PreparedTokenizer, summary: String)
        /// No summary records the tokenizer; the reason in words.
        case unrecorded(String)
    }

    /// The members of a summary that are read here. Summaries of every version have them.
    private struct Summary: Decodable {
        struct Output: Decodable {
            var prefix: String
            var binBytes: Int
            var idxBytes: Int
        }
        struct Manifest: Decodable {
            struct Tokenizer: Decodable {
                var identity: String
                var endToken: Int32?
            }
            var tokenizer: Tokenizer
        }

        var tokenizer: String
        var outputs: [Output]
        var manifest: Manifest
    }

    /// Largest summary in bytes. A summary of 100,000 files has some 20 MB; another file of that name may be larger.
    private static let largestFile = 256 << 20

    /// Finds the summary of the pair `prefix`: `prefix.json`, or `pile.json` for `pile-Books` if domains have pairs of
    /// their own.
    ///
    /// Why sizes are compared: another pair may have replaced the prepared one.
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
            // A pair may have been renamed together with its summary. So only the domain's part of the name must agree.
            let isListed = summary.outputs.contains {
                $0.prefix.hasSuffix(suffix) && sizes == [.regular(size: $0.binBytes), .regular(size: $0.idxBytes)]
            }
            guard isListed else {
                if suffix.isEmpty || summary.outputs.contains(where: { $0.prefix.hasSuffix(suffix) }) {
                    reason = "\(path) describes files of other sizes"
                }
                continue
            }
            let tokenizer = summary.manifest.tokenizer
            return .found(
                PreparedTokenizer(
                    name: summary.tokenizer, identity: tokenizer.identity,
                    endToken: summary.tokenizer.hasSuffix(JSONTokenizer.suffix) ? tokenizer.endToken : nil),
                summary: path)
        }
        return .unrecorded(reason)
    }

    /// `prefix`, then `prefix` cut before each hyphen of the file's name, the longest first; each with the part that is
    /// cut off.
    private static func candidates(_ prefix: String) -> [(prefix: String, suffix: String)] {
        let start = prefix.lastIndex(of: "/").map { prefix.index(after: $0) } ?? prefix.startIndex
        let cuts = prefix[start...].indices.filter { prefix[$0] == "-" && $0 > start }
        return [(prefix, "")] + cuts.reversed().map { (String(prefix[..<$0]), String(prefix[$0...])) }
    }
}

/// The tokenizer of a domain's ids, as far as it is known.
public enum TokenOrigin: Sendable, Equatable {
    /// The run's tokenizer.
    case own
    /// The recorded tokenizer of prepared data, with the path of the summary; the run has no tokenizer.
    case recorded(PreparedTokenizer, summary: String)
    /// An unknown tokenizer; the reason in words.
    case unrecorded(String)

    /// The reason of ``unrecorded(_:)``; nil for a known tokenizer.
    public var unrecordedReason: String? {
        if case .unrecorded(let reason) = self { reason } else { nil }
    }
}

extension TokenDomain {
    /// Checks that all prepared data come from one tokenizer, as far as it is recorded. For a run without tokenizer.
    ///
    /// - Parameters:
    ///   - domains: all that the run reads.
    ///   - key: the setting that errors name.
    /// - Throws: ``DataError`` naming two that do not.
    public static func requireOneTokenizer(_ domains: [TokenDomain], key: String) throws {
        var first: (tokenizer: PreparedTokenizer, summary: String)?
        for domain in domains {
            guard case .recorded(let tokenizer, let summary) = domain.origin else { continue }
            guard let first else {
                first = (tokenizer, summary)
                continue
            }
            guard tokenizer.isSame(as: first.tokenizer) else {
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
    ///   - key: the setting that errors name.
    /// - Throws: ``DataError`` naming a domain that was prepared with another tokenizer.
    public static func requireTokenizer(
        _ domains: [TokenDomain], name: String, modelBytes: [UInt8], key: String
    ) throws {
        let own = PreparedTokenizer(
            name: name, identity: PreparedTokenizer.identity(name: name, modelBytes: modelBytes), endToken: nil)
        for domain in domains {
            guard case .recorded(let tokenizer, let summary) = domain.origin, !tokenizer.isSame(as: own) else {
                continue
            }
            throw DataError(
                key: key, file: summary,
                problem: "\(domain.name) was prepared with \(tokenizer.words), but the checkpoint's tokenizer is "
                    + own.words,
                remedy: "give prepared data whose ids the model's own tokenizer made")
        }
    }

    /// One line about the domains whose ids may come from another tokenizer; nil if there are none.
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
            // The lists for training and validation may name one text twice.
            if let reason, !reasons.contains(reason) { reasons.append(reason) }
        }
        guard !reasons.isEmpty else { return nil }
        let shown = reasons.prefix(4).joined(separator: ", ")
        let more = reasons.count > 4 ? " and \(reasons.count - 4) others" : ""
        return "it cannot be checked that prepared data have the ids of the model's tokenizer: \(shown)\(more); "
            + consequence
    }
}
