// PreparationJoin - all parts in the order of the input become the output.

extension Preparation {
    /// Joins the parts, gives the output its names, and removes the parts. Rank 0 only, with the lock.
    ///
    /// - Parameters:
    ///   - chunkCounts: number of chunks of each file.
    ///   - progress: called now and then with the share of the tokens that is joined.
    /// - Throws: ``OutputError`` for a part that is missing or altered and for what cannot be written; ``DataError`` if
    ///   there is no document at all, saying what was skipped, and for files that have changed.
    public func join(chunkCounts: [Int], progress: (Double) -> Void = { _ in }) throws -> PreparationSummary {
        try requireUnchanged()
        let headers = try readHeaders(chunkCounts)
        let domains = try chooseDomains(headers)
        let skipped = self.skipped(headers, domains)
        guard headers.contains(where: { $0.sections.contains { $0.documents > 0 && domains.has($0.domain) } }) else {
            // Nothing of it is worth keeping, and parts would be in the way of the same command on other files.
            try removeFolder()
            let blankLines = headers.reduce(0) { $0 + $1.blankLines }
            throw DataError(
                problem: "the files hold no document that can be used",
                remedy: (["nothing was written"] + skipped.lines
                    + (blankLines > 0 ? ["\(blankLines) blank lines, which are no documents"] : []))
                    .joined(separator: "\n"))
        }
        let outputs = try join(headers, domains, progress: progress)
        let summary = self.summary(headers, domains, outputs, skipped)
        try requireFree(outputs.map(\.prefix))
        try allowReplacing()
        for (place, output) in outputs.enumerated() {
            try OutputFolder.rename(joined(place, ".bin"), to: output.prefix + ".bin")
        }
        // An index is what makes a pair readable.
        for (place, output) in outputs.enumerated() {
            try OutputFolder.rename(joined(place, ".idx"), to: output.prefix + ".idx")
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

    /// The domains of all parts.
    private struct ChosenDomains {
        /// Those that have an output; one nil where domains have none of their own.
        var outputs: [String?] = [nil]
        /// Why the others have none.
        var rejected: [String: String] = [:]

        func has(_ domain: String?) -> Bool { domain.map { rejected[$0] == nil } ?? true }
    }

    /// In the order of the input: of two names that would be one file, the first has the output.
    ///
    /// - Throws: ``DataError`` for a domain that can have no output, unless mistakes are skipped.
    private func chooseDomains(_ headers: [PartHeader]) throws -> ChosenDomains {
        var chosen = ChosenDomains()
        guard request.splitsDomains else { return chosen }
        var names = DomainNames(most: request.mostDomains)
        for section in headers.flatMap(\.sections) {
            guard let name = section.domain, chosen.rejected[name] == nil else { continue }
            do { try names.add(name) } catch let error as DataError {
                guard request.skipsMalformed else { throw error }
                chosen.rejected[name] = error.problem
            }
        }
        chosen.outputs = names.domains.values.sorted()
        return chosen
    }

    /// What was left out: files, lines, and the documents of domains without an output.
    private func skipped(_ headers: [PartHeader], _ domains: ChosenDomains) -> SkippedCounts {
        var skipped = skippedFiles
        var (file, lines) = (0, 0)
        for header in headers {
            if header.number.file != file { (file, lines) = (header.number.file, 0) }
            let path = layout.files[file].text.path
            skipped.add(header.skipped, file: path, linesBefore: lines)
            for section in header.sections where section.documents > 0 {
                guard let name = section.domain, let problem = domains.rejected[name] else { continue }
                skipped.add(
                    SkippedCounts.Example(file: path, problem: problem),
                    reason: "the domain can have no output of its own", count: section.documents)
            }
            lines += header.lines
        }
        return skipped
    }

    private func join(
        _ headers: [PartHeader], _ domains: ChosenDomains, progress: (Double) -> Void
    ) throws -> [PreparationSummary.Output] {
        let total = headers.reduce(0) {
            $0 + $1.sections.reduce(0) { $0 + (domains.has($1.domain) ? $1.bytes : 0) }
        }
        var done = 0
        return try domains.outputs.enumerated().map { place, domain in
            let writer = try IndexedDatasetWriter(
                data: joined(place, ".bin"), index: joined(place, ".idx"), elementType: elementType)
            for header in headers {
                // Only a text is cut within documents, and it has one section.
                guard let place = header.sections.firstIndex(where: { $0.domain == domain && $0.documents > 0 }) else {
                    continue
                }
                let section = try PartFile.section(place, of: header, in: folder)
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
        _ headers: [PartHeader], _ domains: ChosenDomains, _ outputs: [PreparationSummary.Output],
        _ skipped: SkippedCounts
    ) -> PreparationSummary {
        var counts = DomainCounts()
        var replaced = ReplacedBytes()
        for header in headers {
            for domain in header.domains where !request.splitsDomains || domains.has(domain.name) { counts.add(domain) }
            replaced.add(header.replaced, file: layout.files[header.number.file].text.path)
        }
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
