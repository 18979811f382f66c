// PartEncoder - encodes a chunk of text into a part.

internal import TokenData
internal import InputFiles
internal import Tokenizers

/// Encodes chunks into parts. Several threads use it at once.
struct PartEncoder: Sendable {
    let layout: ChunkLayout
    let tokenizer: any Tokenizer
    let elementType: IndexedDataset.ElementType
    /// Whether each domain has an output of its own.
    let splitsDomains: Bool
    /// Whether malformed text is counted and left out. If not, the first mistake is an error.
    let skipsMalformed: Bool

    /// Bytes encoded at a time with a tokenizer that allows any cut.
    private static let pieceSize = 1 << 20

    /// A mistake in a line, or in a text, which has no lines.
    private struct Mistake {
        let line: Int?
        let problem: String
        let remedy: String
        /// The problem without its location, by which mistakes are counted; nil: `problem`.
        var reason: String?
    }

    /// A part under construction.
    private struct PartBuilder {
        var header: PartHeader
        var sections: [Part.Section] = []
        var sectionIndexes: [String?: Int] = [:]
        var counts: DomainCounts

        /// Index of the section of a domain.
        mutating func section(_ domain: String?) -> Int {
            if let index = sectionIndexes[domain] { return index }
            sectionIndexes[domain] = sections.count
            sections.append(Part.Section(domain: domain))
            return sections.count - 1
        }

        var part: Part {
            var header = header
            header.domains = counts.list
            return Part(header: header, sections: sections)
        }
    }

    /// The part of a chunk.
    ///
    /// - Throws: ``DataError`` for a file that cannot be read, and for malformed text unless it is skipped.
    func part(_ ticket: ChunkTicket) throws -> Part {
        let file = layout.files[ticket.number.file]
        // With outputs per domain, all domains are counted: it is not known yet which of them have an output.
        let counts = splitsDomains ? DomainCounts(most: .max) : DomainCounts()
        var builder = PartBuilder(header: PartHeader(number: ticket.number), counts: counts)
        switch ticket.content {
        case .lines(let chunk): try add(chunk, to: &builder)
        case .unread where file.text.isOneDocument: try addText(file, to: &builder)
        case .unread:
            let chunk = try LineChunk(
                ticket.number.index, of: ReadableFile(path: file.text.path), fileSize: file.size,
                size: layout.chunkSize,
                reading: file.text.reading)
            try add(chunk, to: &builder)
        }
        return builder.part
    }

    /// Adds a file that is one text, or this chunk's piece of one.
    private func addText(_ file: ChunkLayout.File, to part: inout PartBuilder) throws {
        let index = part.header.number.index
        let cuts = layout.cuts(part.header.number.file)
        let start = cuts ? index * layout.chunkSize : 0
        let end = cuts ? min(start + layout.chunkSize, file.size) : file.size
        let found =
            file.text.isSequential
            ? try file.text.wholeText()
            : try ReadableFile(path: file.text.path).bytes(at: start, count: end - start)
        part.header.continuesDocument = start > 0
        part.header.endsDocument = end == file.size
        // Only a text of bytes is cut at any byte. Other texts are whole here.
        precondition(tokenizer.readsAnyBytes || !layout.cutsTexts, "a text that is cut within characters")
        let (text, invalid) = file.text.checked(found, for: tokenizer)
        guard invalid.isEmpty || skipsMalformed else { throw Self.replacement(invalid, file: file.text) }
        do {
            try add(text, domain: nil, to: &part)
            part.header.replaced = invalid
        } catch let error as DataError {
            // Only a whole text can fail. A text that is cut at any byte is encoded as bytes.
            try reject(Mistake(line: nil, problem: error.problem, remedy: error.remedy), in: &part)
        }
    }

    private func add(_ chunk: LineChunk, to part: inout PartBuilder) throws {
        let file = layout.files[part.header.number.file].text
        part.header.lines = try chunk.forEachLine { number, line in
            switch line {
            case .blank: part.header.blankLines += 1
            case .document(let document): try add(document, line: number, to: &part)
            case .text(let text): try add(text, of: file, line: number, to: &part)
            case .malformed(let problem):
                try reject(
                    Mistake(
                        line: number, problem: problem.description, remedy: file.lineRemedy,
                        reason: problem.words),
                    in: &part)
            }
        }
    }

    /// Adds a document of a file with separators. Bytes that are no UTF-8 are read as in a text of its own.
    private func add(_ document: [UInt8], of file: TextFile, line: Int, to part: inout PartBuilder) throws {
        let (text, invalid) = file.checked(document, for: tokenizer)
        guard invalid.isEmpty || skipsMalformed else {
            let number = try line + layout.lines(before: part.header.number)
            throw Self.replacement(invalid, file: file, document: number)
        }
        do {
            try add(text, domain: nil, to: &part)
            part.header.replaced.add(invalid.withoutLocation)
        } catch let error as DataError {
            try reject(Mistake(line: line, problem: error.problem, remedy: error.remedy), in: &part)
        }
    }

    private func add(_ document: JSONDocument, line: Int, to part: inout PartBuilder) throws {
        var domain: String?
        var problem: String?
        var remedy = "--split-domains needs a string \"meta\": {\"pile_set_name\": ...} in each line"
        switch document.domain {
        case .named(let name):
            domain = name
            problem = DomainNames.problem(name)
            if problem != nil { remedy = DomainNames.nameRemedy }
        case .absent: problem = Self.noDomain
        case .malformed(let words): problem = words
        }
        if splitsDomains, let problem {
            return try reject(Mistake(line: line, problem: problem, remedy: remedy), in: &part)
        }
        do {
            try add(document.text, domain: domain, to: &part)
        } catch let error as DataError {
            try reject(Mistake(line: line, problem: error.problem, remedy: error.remedy), in: &part)
        }
    }

    /// The error for a text that is no UTF-8, where it may not be skipped.
    ///
    /// - Parameter document: the number of the document in a file with separators.
    static func replacement(_ found: InvalidUTF8, file: TextFile, document: Int? = nil) -> DataError {
        let words = found.words(file.reading.encoding)
        return DataError(
            file: file.name, line: document == nil ? found.line : nil,
            problem: document.map { "document \($0): \(words)" } ?? words,
            remedy: InvalidUTF8.remedy(file.name, file.reading.encoding)
                + "; or use --on-error skip, which reads each as U+FFFD")
    }

    static let noDomain = "the document has no \"meta.pile_set_name\""

    /// Appends the ids of a text, and its end token if the document ends here.
    private func add(_ text: [UInt8], domain: String?, to part: inout PartBuilder) throws {
        let index = part.section(splitsDomains ? domain : nil)
        let before = part.sections[index].ids.count
        do {
            let step = tokenizer.splitsAnywhere ? Self.pieceSize : max(text.count, 1)
            for start in stride(from: 0, to: text.count, by: step) {
                let isWhole = step >= text.count
                let piece = isWhole ? text : Array(text[start..<min(start + step, text.count)])
                part.sections[index].ids += bytes(of: try tokenizer.encode(piece))
            }
        } catch {
            part.sections[index].ids.removeLast(part.sections[index].ids.count - before)
            throw error
        }
        let ends = part.header.endsDocument
        if ends { part.sections[index].ids += bytes(of: [tokenizer.endToken]) }
        let count = (part.sections[index].ids.count - before) / elementType.size
        part.sections[index].lengths.append(count)
        part.counts.add(DomainCount(name: domain, documents: ends ? 1 : 0, tokens: count, bytes: text.count))
    }

    private func bytes(of ids: [Int32]) -> [UInt8] {
        IndexedDatasetWriter.bytes(of: ids, as: elementType, vocabularySize: tokenizer.size)
    }

    /// Counts a mistake, or throws it.
    private func reject(_ mistake: Mistake, in part: inout PartBuilder) throws {
        if skipsMalformed {
            part.header.skipped.add(
                SkippedCounts.Example(line: mistake.line, problem: mistake.problem), reason: mistake.reason)
            return
        }
        let number = part.header.number
        let line = try mistake.line.map { $0 + (try layout.lines(before: number)) }
        throw DataError(
            file: layout.files[number.file].text.name, line: line, problem: mistake.problem, remedy: mistake.remedy)
    }
}
