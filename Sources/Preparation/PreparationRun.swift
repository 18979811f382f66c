// PreparationRun - makes the parts of one rank on several threads.

internal import Dispatch
internal import Foundation
internal import Synchronization
internal import TokenData
internal import InputFiles

/// The progress of a rank.
public struct PreparationProgress: Sendable, Equatable {
    /// Bytes on the disk that are done, earlier starts included.
    public var bytes = 0
    /// Bytes done since this start.
    public var newBytes = 0
    public var newTokens = 0
    public var parts = 0
    /// Number of parts reused from an earlier start.
    public var reusedParts = 0
}

/// Makes the parts that belong to one rank.
///
/// Each thread takes the next chunk under a lock, and makes its part outside the lock. So at most `threads` chunks are
/// in memory.
public final class PreparationRun: Sendable {
    private struct State {
        var progress = PreparationProgress()
        var names: DomainNames
        /// Exclusive limit of chunks that may begin, as ``ChunkNumber/order``.
        var limit = Int.max
        var failure: (order: Int, error: any Error)?
    }

    private let preparation: Preparation
    private let encoder: PartEncoder
    private let source: Mutex<ChunkSource>
    private let state: Mutex<State>
    private let group = DispatchGroup()

    public init(_ preparation: Preparation, rank: Int, rankCount: Int) {
        self.preparation = preparation
        state = Mutex(State(names: DomainNames(most: preparation.request.mostDomains)))
        encoder = PartEncoder(
            layout: preparation.layout, tokenizer: preparation.request.tokenizer, elementType: preparation.elementType,
            splitsDomains: preparation.request.splitsDomains, skipsMalformed: preparation.request.skipsMalformed)
        source = Mutex(ChunkSource(preparation.layout, rank: rank, rankCount: rankCount))
    }

    /// Starts `threads` threads. The caller must then call ``wait(seconds:)`` until it returns true.
    public func start(threads: Int) {
        precondition(threads >= 1, "somebody has to work")
        for _ in 0..<threads {
            group.enter()
            // Why not a queue: it might run fewer threads than asked for, and these wait for files. The thread pool of Kernels
            // runs one operation at a time, while the caller here reports progress.
            Thread.detachNewThread { [self] in
                work()
                group.leave()
            }
        }
    }

    /// Waits for the threads, at most `seconds`. Returns whether they have ended.
    public func wait(seconds: Double) -> Bool { group.wait(timeout: .now() + seconds) == .success }

    public var progress: PreparationProgress { state.withLock { $0.progress } }

    /// The first mistake in the order of the input, with its chunk's order. A failed write comes before all chunks.
    public var failure: (order: Int, error: any Error)? { state.withLock { $0.failure } }

    /// Begins no chunk at `order` or later, because another rank found a mistake there. Earlier chunks are still made.
    /// Why: the first mistake of all ranks is reported, whichever rank finds it when.
    public func stop(at order: Int) { state.withLock { $0.limit = min($0.limit, order) } }

    /// Number of chunks of each file whose first chunk this rank owns, after the end; 0 for other files.
    public func chunkCounts(rank: Int, rankCount: Int) -> [Int] {
        let counts = source.withLock { $0.counts }
        return preparation.layout.files.indices.map { file in
            guard preparation.layout.owners(ofFile: file, rankCount: rankCount).lowerBound == rank else { return 0 }
            return preparation.layout.chunkCount(file) ?? counts[file] ?? 0
        }
    }

    private func work() {
        while true {
            let next = source.withLock { source -> ChunkTicket? in
                // The limit is checked here too: the search for the next chunk may take long.
                guard source.number.order < state.withLock({ $0.limit }) else { return nil }
                do { return try source.next() } catch {
                    // Within the lock, so that no other thread asks the failed file for more.
                    fail(error, at: source.number.order)
                    return nil
                }
            }
            guard let ticket = next, ticket.number.order < state.withLock({ $0.limit }) else { return }
            do { try make(ticket) } catch { fail(error, at: ticket.number.order) }
        }
    }

    private func fail(_ error: any Error, at order: Int) {
        let failureOrder = error is DataError ? order : -1
        state.withLock { state in
            if failureOrder < state.failure?.order ?? .max { state.failure = (failureOrder, error) }
            state.limit = min(state.limit, failureOrder)
        }
    }

    private func make(_ ticket: ChunkTicket) throws {
        let header: PartHeader
        let earlier = try PartFile.header(ticket.number, in: preparation.folder, checksData: true)
        if let earlier {
            header = earlier
            if !preparation.request.skipsMalformed { try requireNothingSkipped(earlier) }
        } else {
            let part = try encoder.part(ticket)
            try PartFile.write(part, in: preparation.folder)
            header = part.header
        }
        try state.withLock { state in
            // Checked before hours of work: a domain without a possible output is an error even if mistakes are
            // skipped.
            if preparation.request.splitsDomains {
                for domain in header.domains { if let name = domain.name { try state.names.add(name) } }
            }
            state.progress.parts += 1
            state.progress.bytes += ticket.diskBytes
            if earlier != nil {
                state.progress.reusedParts += 1
            } else {
                state.progress.newBytes += ticket.diskBytes
                state.progress.newTokens += header.domains.reduce(0) { $0 + $1.tokens }
            }
        }
    }

    /// Checks that a part of an earlier start skipped nothing.
    private func requireNothingSkipped(_ header: PartHeader) throws {
        if !header.replaced.isEmpty {
            throw PartEncoder.replacement(
                header.replaced, file: preparation.layout.files[header.number.file].text)
        }
        guard let first = header.skipped.examples.first else { return }
        let line = try first.line.map { $0 + (try preparation.layout.lines(before: header.number)) }
        throw DataError(
            file: preparation.layout.files[header.number.file].text.name, line: line, problem: first.problem,
            remedy: "mend it, or use --on-error skip")
    }
}
