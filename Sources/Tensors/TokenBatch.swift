// TokenBatch - the token ids of one micro-batch: inputs, targets, which targets count, and where documents start.
//
// Legend: B sequences, T tokens per sequence, N = B * T.

/// Inputs and targets `[B, T]` of one micro-batch, in storage that successive micro-batches reuse.
///
/// A source of data fills the batch sequence by sequence. The model reads ``inputs`` and ``targets`` where they lie.
///
/// Why it cannot be copied: a second holder would make the next filling allocate and copy.
public struct TokenBatch: ~Copyable, Sendable {
    /// Target that the loss leaves out. Every number below 0 means that, in a batch and in the kernels.
    public static let ignoredTarget: Int32 = -1

    /// T.
    public let sequenceLength: Int
    /// Largest B.
    public let capacity: Int
    /// Input ids, `[N]`.
    public private(set) var inputs: [Int32] = []
    /// The id that follows each input, `[N]`; below 0 where the loss leaves it out.
    public private(set) var targets: [Int32] = []
    /// Whether each target is the first token of a document, `[N]`; false where nobody knows.
    public private(set) var startsDocument: [Bool] = []
    /// Whether attention and positions stay inside a document.
    public let masksDocuments: Bool

    /// Allocates an empty batch for at most `capacity` sequences of `sequenceLength` targets.
    public init(capacity: Int, sequenceLength: Int, masksDocuments: Bool = false) {
        precondition(capacity >= 1 && sequenceLength >= 1, "a batch of \(capacity) sequences of \(sequenceLength)")
        self.capacity = capacity
        self.sequenceLength = sequenceLength
        self.masksDocuments = masksDocuments
        // A source writes the last target of its sequence behind the inputs, for a moment.
        inputs.reserveCapacity(capacity * sequenceLength + 1)
        targets.reserveCapacity(capacity * sequenceLength)
        startsDocument.reserveCapacity(capacity * sequenceLength)
    }

    /// A full batch of the given inputs and targets, `[N]` each.
    ///
    /// Traps unless all are as many whole sequences, at least one.
    ///
    /// - Parameter startsDocument: `[N]`; nil: each sequence is one document.
    public init(
        inputs: [Int32], targets: [Int32], sequenceLength: Int, startsDocument: [Bool]? = nil,
        masksDocuments: Bool = false
    ) {
        precondition(
            sequenceLength >= 1 && !inputs.isEmpty && inputs.count == targets.count
                && inputs.count % sequenceLength == 0,
            "\(inputs.count) inputs and \(targets.count) targets are not whole sequences of \(sequenceLength)")
        precondition(
            (startsDocument?.count ?? targets.count) == targets.count,
            "\(startsDocument?.count ?? 0) starts of documents for \(targets.count) targets")
        self.init(
            capacity: inputs.count / sequenceLength, sequenceLength: sequenceLength, masksDocuments: masksDocuments)
        self.inputs.append(contentsOf: inputs)
        self.targets.append(contentsOf: targets)
        self.startsDocument.append(contentsOf: startsDocument ?? [Bool](repeating: false, count: targets.count))
    }

    /// B.
    public var sequenceCount: Int { inputs.count / sequenceLength }

    /// Range of sequence `s` in the arrays; traps unless `s` is in 0 ..< ``sequenceCount``.
    public func range(ofSequence s: Int) -> Range<Int> {
        precondition(s >= 0 && s < sequenceCount, "sequence \(s) of \(sequenceCount)")
        return (s * sequenceLength)..<((s + 1) * sequenceLength)
    }

    /// Forgets all sequences and keeps the storage.
    public mutating func removeAll() {
        inputs.removeAll(keepingCapacity: true)
        targets.removeAll(keepingCapacity: true)
        startsDocument.removeAll(keepingCapacity: true)
    }

    /// Appends the sequence that `source` writes; traps unless it writes T + 1 ids, or when the batch is full.
    ///
    /// - Parameters:
    ///   - documentStarts: the targets that are the first token of a document, as indices 0 ..< T; traps on others.
    ///   - source: appends the T inputs and the last one's target to an empty span of capacity T + 1.
    /// - Throws: the error of `source`; the batch then keeps its earlier sequences.
    public mutating func append<Failure: Error>(
        documentStarts: [Int] = [], _ source: (inout OutputSpan<Int32>) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(sequenceCount < capacity, "a batch of \(capacity) sequences is full")
        let start = inputs.count
        let length = sequenceLength
        do throws(Failure) {
            try inputs.append(addingCapacity: length + 1) { (ids: inout OutputSpan<Int32>) throws(Failure) in
                try source(&ids)
                precondition(ids.count == length + 1, "\(ids.count) ids for a sequence of \(length) targets")
            }
        } catch {
            inputs.removeLast(inputs.count - start)
            throw error
        }
        targets.append(contentsOf: inputs[(start + 1)...])
        inputs.removeLast()
        startsDocument.append(contentsOf: repeatElement(false, count: length))
        for index in documentStarts {
            precondition(index >= 0 && index < length, "a document starts at target \(index) of \(length)")
            startsDocument[start + index] = true
        }
    }

    /// Appends a sequence; traps unless there are T + 1 ids, or when the batch is full.
    public mutating func append(_ ids: [Int32]) {
        precondition(ids.count == sequenceLength + 1, "\(ids.count) ids for a sequence of \(sequenceLength) targets")
        append(ids, counting: 0..<sequenceLength)
    }

    /// Appends a sequence of which only some targets count, padded to T behind its end.
    ///
    /// Causal attention keeps the padding, id 0, from what stands before it.
    ///
    /// - Parameters:
    ///   - ids: 2 to T + 1 ids; traps on fewer or more.
    ///   - counting: targets that count, among the `ids.count - 1` that the ids give.
    public mutating func append(_ ids: [Int32], counting: Range<Int>) {
        precondition(sequenceCount < capacity, "a batch of \(capacity) sequences is full")
        precondition(
            ids.count >= 2 && ids.count <= sequenceLength + 1 && counting.lowerBound >= 0
                && counting.upperBound < ids.count,
            "\(ids.count) ids, targets \(counting), for a sequence of \(sequenceLength) targets")
        for t in 0..<sequenceLength {
            inputs.append(t + 1 < ids.count ? ids[t] : 0)
            targets.append(counting.contains(t) ? ids[t + 1] : Self.ignoredTarget)
            startsDocument.append(false)
        }
    }

    /// Makes the loss leave out each target that is the first token of a document.
    ///
    /// Why: its input belongs to another document.
    public mutating func ignoreDocumentStarts() {
        for n in targets.indices where startsDocument[n] { targets[n] = Self.ignoredTarget }
    }

    /// Makes the loss leave out all targets whose id is in `ids`.
    public mutating func ignoreTargets(_ ids: Set<Int32>) {
        if ids.isEmpty { return }
        for n in targets.indices where ids.contains(targets[n]) { targets[n] = Self.ignoredTarget }
    }
}
