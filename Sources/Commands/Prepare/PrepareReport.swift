// PrepareReport - the output of `prepare`: the progress line and the summary.

internal import Foundation
internal import Preparation
internal import Reporting
internal import TokenData
internal import Training

/// The progress line: bytes read, tokens per second, ETA.
struct PrepareProgress {
    private var line: OccasionalProgress
    private let totalBytes: Int
    private let begin = ContinuousClock.now

    init(_ console: Console, totalBytes: Int) {
        line = OccasionalProgress(console)
        self.totalBytes = totalBytes
    }

    /// Shows the progress.
    ///
    /// - Parameters:
    ///   - bytes: bytes read, those of earlier starts included.
    ///   - newBytes: bytes read since this start, which give the ETA.
    ///   - newTokens: tokens made since this start.
    mutating func show(bytes: Int, newBytes: Int, newTokens: Int) {
        let seconds = begin.secondsAgo
        let rest = seconds * Double(totalBytes - bytes) / Double(newBytes)
        let tokens = String(format: "%.0f tokens/s", Double(newTokens) / seconds)
        let read = "\(ByteSize.text(bytes)) of \(ByteSize.text(totalBytes)) read"
        line.show(
            "prepare: \(read), \(tokens), ETA \(ProgressLine.duration(rest))",
            share: Double(bytes) / Double(max(totalBytes, 1)))
    }
}

/// The summary at the end.
struct PrepareReport {
    let summary: PreparationSummary
    let reusedParts: Int

    /// Most domains that are listed.
    private static let mostDomains = 40

    func print(to console: Console) {
        for line in lines { console.line(line) }
        for list in [summary.skipped.lines, summary.replacedLines] where !list.isEmpty {
            console.warning(list.joined(separator: "\n"))
        }
    }

    var lines: [String] {
        var list = summary.outputs.map { output in
            "\(output.prefix).bin, .idx: \(output.documents) documents, \(output.tokens) tokens (\(summary.elementType))"
        }
        let ratio = String(format: "%.4f", summary.tokensPerByte)
        list.append(
            "\(summary.documents) documents, \(summary.tokens) tokens of \(summary.bytes) bytes of text, \(ratio) tokens "
                + "per byte")
        let domains = summary.domains
        if domains.count > 1 || domains.first?.name != nil {
            list += domains.prefix(Self.mostDomains).map { domain in
                let ratio = String(format: "%.4f", domain.bytes > 0 ? Double(domain.tokens) / Double(domain.bytes) : 0)
                return "  \(domain.name ?? "(no domain)"): \(domain.documents) documents, \(domain.tokens) tokens, "
                    + "\(domain.bytes) bytes, \(ratio) tokens per byte"
            }
            if domains.count > Self.mostDomains {
                list.append("  and \(domains.count - Self.mostDomains) more domains, all in the .json")
            }
        }
        if summary.blankLines > 0 { list.append("\(summary.blankLines) blank lines, which are no documents") }
        list.append("\(summary.parts) parts, \(reusedParts) of them from an earlier start")
        return list
    }
}
