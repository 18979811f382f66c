// Preparation+Join - joins all parts, in the order of the input, into the output.

internal import TokenData
internal import InputFiles
internal import Tokenizers

extension Preparation {
    /// Joins the parts, gives the output its names, and removes the parts. Rank 0 only, with the lock.
    ///
    /// - Parameters:
    ///   - chunkCounts: number of chunks of each file.
    /// - progress: called repeatedly with the joined share of the tokens, 0 to 1.
    /// - Throws: ``OutputError`` for a missing or altered part and for a failed write. ``DataError`` if no document
    ///   exists, if a file has changed, and for a domain without a possible output.
    public func join(chunkCounts: [Int], progress: (Double) -> Void = { _ in }) throws -> PreparationSummary {
        try requireUnchanged()
        let headers = try readHeaders(chunkCounts)
        let domains = try chooseDomains(headers)
        let skipped = self.skipped(headers)
        guard headers.contains(where: { $0.sections.contains { $0.documents > 0 } }) else {
            // The parts are useless, and would block the command for other files.
            try removeFolder()
            let blankLines = headers.reduce(0) { $0 + $1.blankLines }
            throw DataError(
                problem: "the files hold no document that can be used",
                remedy: (["nothing was written"] + skipped.lines
                    + (blankLines > 0 ? ["\(blankLines) blank lines, which are no documents"] : []))
                    .joined(separator: "\n"))
        }
        let outputs = try join(headers, domains, progress: progress)
        let summary = self.summary(headers, outputs, skipped)
        try requireFree(outputs.map(\.prefix))
        try allowReplacing()
        for (index, output) in outputs.enumerated() {
            try OutputFolder.rename(joined(index, ".bin"), to: output.prefix + ".bin")
        }
        // A pair is readable once its index exists, so that indexes are renamed last.
        for (index, output) in outputs.enumerated() {
            try OutputFolder.rename(joined(index, ".idx"), to: output.prefix + ".idx")
        }
        let parent = OutputFolder.parent(of: request.output)
        try OutputFolder.sync(parent)
        let written = folder + "/" + Self.joinedPrefix + ".json"
        try OutputFolder.write(try PreparationJSON.text(summary), to: written)
        try OutputFolder.rename(written, to: summaryPath)
        try OutputFolder.sync(parent)
        try removeFolder()
        return summary
    }

    private func joined(_ output: Int, _ ending: String) -> String {
        folder + "/" + Self.joinedPrefix + "-\(output)" + ending
    }

    private func readHeaders(_ chunkCounts: [Int]) throws -> [PartHeader] {
        precondition(chunkCounts.count == layout.files.count, "a count for each file")
        return try chunkCounts.enumerated().flatMap { file, count in
            try (0..<count).map { index in
                let number = ChunkNumber(file: file, index: index)
                guard let header = try PartFile.header(number, in: folder, checksData: false) else {
                    throw OutputError(
                        folder + "/" + PartFile.name(number), "the part is missing or damaged",
                        remedy: "with ranks on several nodes the directory must be shared; run the same command again")
                }
                return header
            }
        }
    }

    /// The domains that have an output; one nil where domains have none of their own.
    ///
    /// - Throws: ``DataError`` for a domain that can have no output: it is never left out, whatever may be skipped.
    private func chooseDomains(_ headers: [PartHeader]) throws -> [String?] {
        guard request.splitsDomains else { return [nil] }
        var names = DomainNames(most: request.mostDomains)
        for section in headers.flatMap(\.sections) {
            if let name = section.domain { try names.add(name) }
        }
        return names.domains.values.sorted()
    }

    /// Counts of skipped files and lines.
    private func skipped(_ headers: [PartHeader]) -> SkippedCounts {
        var skipped = skippedFiles
        var (file, lines) = (0, 0)
        for header in headers {
            if header.number.file != file { (file, lines) = (header.number.file, 0) }
            skipped.add(header.skipped, file: layout.files[file].text.name, linesBefore: lines)
            lines += header.lines
        }
        return skipped
    }

    private func join(
        _ headers: [PartHeader], _ domains: [String?], progress: (Double) -> Void
    ) throws -> [PreparationSummary.Output] {
        let total = headers.reduce(0) { $0 + $1.sections.reduce(0) { $0 + $1.bytes } }
        var done = 0
        return try domains.enumerated().map { output, domain in
            let writer = try IndexedDatasetWriter(
                data: joined(output, ".bin"), index: joined(output, ".idx"), elementType: elementType)
            for header in headers {
                // Only texts are cut within documents, and a text has one section.
                guard let sectionIndex = header.sections.firstIndex(where: { $0.domain == domain && $0.documents > 0 })
                else {
                    continue
                }
                let section = try PartFile.section(sectionIndex, of: header, in: folder)
                try writer.append(section.ids)
                for (index, length) in section.lengths.enumerated() {
                    try writer.extendDocument(by: length)
                    let isLast = index == section.lengths.count - 1
                    if !isLast || header.endsDocument { try writer.endDocument() }
                }
                done += section.ids.count
                progress(Double(done) / Double(total))
            }
            let size = try writer.finish()
            return PreparationSummary.Output(
                prefix: prefix(domain), domain: domain, documents: writer.documents, tokens: writer.tokens,
                binBytes: size.data, idxBytes: size.index)
        }
    }

    private func summary(
        _ headers: [PartHeader], _ outputs: [PreparationSummary.Output], _ skipped: SkippedCounts
    ) -> PreparationSummary {
        var counts = DomainCounts()
        var replaced = ReplacedBytes()
        var ofFile = [InvalidUTF8](repeating: InvalidUTF8(), count: layout.files.count)
        for header in headers {
            for domain in header.domains { counts.add(domain) }
            ofFile[header.number.file].add(header.replaced)
        }
        for (file, bytes) in zip(layout.files, ofFile) { replaced.add(bytes, file: file.text.name) }
        let total = counts.total
        precondition(
            total.tokens == outputs.reduce(0) { $0 + $1.tokens }
                && total.documents == outputs.reduce(0) { $0 + $1.documents }, "what was counted is what was written")
        return PreparationSummary(
            tokenizer: request.tokenizer.name, elementType: "\(elementType)", outputs: outputs,
            documents: total.documents, tokens: total.tokens, bytes: total.bytes, domains: counts.list,
            blankLines: headers.reduce(0) { $0 + $1.blankLines }, skippedCount: skipped.count, skipped: skipped,
            replaced: replaced, parts: headers.count, manifest: manifest)
    }
}
