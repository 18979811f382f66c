// PreparationJoin - all parts in the order of the input become the output.

extension Preparation {
    /// Joins the parts, gives the output its names, and removes the parts. Rank 0 only, with the lock.
    ///
    /// - Parameters:
    ///   - chunkCounts: number of chunks of each file.
    ///   - progress: called now and then with the share of the tokens that is joined.
    /// - Throws: ``OutputError`` for a part that is missing or altered and for what cannot be written; ``DataError`` if
    ///   there is no document at all, and for files that have changed.
    public func join(chunkCounts: [Int], progress: (Double) -> Void = { _ in }) throws -> PreparationSummary {
        try requireUnchanged()
        let headers = try readHeaders(chunkCounts)
        let outputs = try join(headers, progress: progress)
        let summary = try self.summary(headers, outputs)
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

    private func join(
        _ headers: [PartHeader], progress: (Double) -> Void
    ) throws -> [PreparationSummary.Output] {
        var domains: [String?] = [nil]
        if request.splitsDomains {
            var names = DomainNames()
            for domain in headers.flatMap(\.domains) { if let name = domain.name { try names.add(name) } }
            domains = names.domains.values.sorted()
        }
        let total = headers.reduce(0) { $0 + $1.sections.reduce(0) { $0 + $1.bytes } }
        guard total > 0 else {
            throw DataError(
                problem: "the files hold no document that can be used", remedy: "look at what was skipped, and why")
        }
        var done = 0
        return try domains.enumerated().map { place, domain in
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
        _ headers: [PartHeader], _ outputs: [PreparationSummary.Output]
    ) throws -> PreparationSummary {
        var domains = DomainCounts()
        var skipped = skippedFiles
        var (file, lines) = (0, 0)
        for header in headers {
            if header.number.file != file { (file, lines) = (header.number.file, 0) }
            for domain in header.domains { domains.add(domain) }
            skipped.add(header.skipped, file: layout.files[file].text.path, linesBefore: lines)
            lines += header.lines
        }
        let total = domains.total
        precondition(
            total.tokens == outputs.reduce(0) { $0 + $1.tokens }
                && total.documents == outputs.reduce(0) { $0 + $1.documents }, "what was counted is what was written")
        return PreparationSummary(
            tokenizer: request.tokenizer.name, elementType: "\(elementType)", outputs: outputs,
            documents: total.documents, tokens: total.tokens, bytes: total.bytes, domains: domains.list,
            blankLines: headers.reduce(0) { $0 + $1.blankLines }, skippedCount: skipped.count, skipped: skipped,
            parts: headers.count, manifest: manifest)
    }
}
