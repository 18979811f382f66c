// DocumentEncoder - encodes the documents of a text file on several threads and returns their ids in order.

internal import Dispatch
internal import Synchronization
internal import InputFiles
internal import Tokenizers

/// Encodes documents. The calling thread reads, and `threads` threads encode.
struct DocumentEncoder {
    let tokenizer: any Tokenizer
    /// Number of threads that encode.
    let threads: Int

    /// A document, or a piece of one, that waits to be encoded.
    private struct Text {
        let bytes: [UInt8]
        let isEnd: Bool
    }

    /// Bytes of text per thread at which encoding starts: enough to keep threads busy, little memory beside the ids.
    private static let bytesPerThread = 1 << 20

    /// Calls `body` with the ids of each document of `file` in order, in one or more pieces. `isEnd` marks a document's
    /// last piece.
    ///
    /// - Parameters:
    /// - progress: called repeatedly with the bytes of text encoded so far.
    /// - invalid: called once for a .txt file with bytes that are read as U+FFFD. A file that is not read whole has no
    ///   location of the first.
    /// - checkCancellation: called before every second or less of work on a thread. Its error ends the reading.
    /// - Throws: ``DataError`` naming file and line; errors of `body` and `checkCancellation`.
    func forEachDocument(
        of file: TextFile, progress: (_ bytes: Int) -> Void = { _ in }, invalid: (InvalidUTF8) -> Void = { _ in },
        checkCancellation: () throws -> Void = {},
        _ body: (_ ids: [Int32], _ isEnd: Bool) throws -> Void
    ) throws {
        var waiting: [Text] = []
        var (waitingBytes, doneBytes) = (0, 0)
        func encodeWaiting() throws {
            do { try encode(waiting, checkCancellation, body) } catch let error as DataError {
                throw error.with(file: file.path)
            }
            doneBytes += waitingBytes
            (waiting, waitingBytes) = ([], 0)
            progress(doneBytes)
        }
        // A text arrives whole unless its tokenizer reads any bytes. Lines are checked where they are read.
        let checks = file.format.layout == .text
        let comesInPieces = tokenizer.readsAnyBytes && tokenizer.splitsAnywhere
        let isWhole = file.isOneDocument && !comesInPieces
        var replaced = InvalidUTF8()
        try file.forEachDocument(inPieces: comesInPieces) { text, isEnd in
            let (bytes, found) = checks ? file.checked(text, for: tokenizer) : (text, InvalidUTF8())
            if !found.isEmpty {
                if isWhole { invalid(found) } else { replaced.add(found.withoutLocation) }
            }
            waiting.append(Text(bytes: bytes, isEnd: isEnd))
            waitingBytes += bytes.count
            if waitingBytes >= threads * Self.bytesPerThread { try encodeWaiting() }
        }
        try encodeWaiting()
        if !replaced.isEmpty { invalid(replaced) }
    }

    private func encode(
        _ texts: [Text], _ checkCancellation: () throws -> Void, _ body: (_ ids: [Int32], _ isEnd: Bool) throws -> Void
    ) throws {
        let parts = texts.enumerated().flatMap { index, text in
            tokenizer.parts(of: text.bytes).map { (text: index, range: $0) }
        }
        // A document may have more parts than the window. Its ids are passed on before more are encoded.
        let window = 64 * threads
        for start in stride(from: 0, to: parts.count, by: window) {
            try checkCancellation()
            let group = parts[start..<min(start + window, parts.count)]
            let ids = try parallel(group.count) { index in
                let part = group[start + index]
                return part.range.isEmpty ? [] : try tokenizer.encode(texts[part.text].bytes, part: part.range)
            }
            for (part, ids) in zip(group, ids) {
                let text = texts[part.text]
                try body(ids, text.isEnd && part.range.upperBound == text.bytes.count)
            }
        }
    }

    /// The results of `body` for 0 ..< `count` in order, computed on `threads` threads.
    ///
    /// - Throws: the error of the first index that has one.
    private func parallel(_ count: Int, _ body: @Sendable (Int) throws -> [Int32]) throws -> [[Int32]] {
        if threads == 1 || count <= 1 { return try (0..<count).map(body) }
        let results = Mutex([Result<[Int32], any Error>?](repeating: nil, count: count))
        let next = Atomic(0)
        // Why not the thread pool: it lies in Kernels, on which this module does not depend, and no run has one yet.
        DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                let result = Result { try body(index) }
                results.withLock { $0[index] = result }
            }
        }
        return try results.withLock { results in
            try results.map { result in
                guard let result else { preconditionFailure("a text that no thread has encoded") }
                return try result.get()
            }
        }
    }
}
