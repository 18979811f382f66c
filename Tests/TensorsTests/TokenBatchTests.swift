// TokenBatchTests - filling a batch, its mask, and its reuse.

import Tensors
import Testing

struct TokenBatchTests {
    private struct Unreadable: Error {}

    /// Address of the ids, by which a test sees whether filling allocates.
    private func addresses(_ batch: borrowing TokenBatch) -> [Int] {
        [batch.inputs, batch.targets].map { ids in
            unsafe ids.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
        }
    }

    @Test func targetsFollowTheirInputs() {
        var batch = TokenBatch(capacity: 3, sequenceLength: 4)
        #expect(batch.sequenceCount == 0 && batch.inputs.isEmpty && batch.targets.isEmpty)
        batch.append([1, 2, 3, 4, 5])
        batch.append { ids in for index in 0..<5 as Range<Int32> { ids.append(10 * index) } }
        #expect(batch.sequenceCount == 2)
        #expect(batch.inputs == [1, 2, 3, 4, 0, 10, 20, 30])
        #expect(batch.targets == [2, 3, 4, 5, 10, 20, 30, 40])
        #expect(batch.range(ofSequence: 0) == 0..<4 && batch.range(ofSequence: 1) == 4..<8)
    }

    /// A smaller batch follows a larger one. No id of the larger one is left, and the storage is reused.
    @Test func reuseLeavesNoStaleTokensAndAllocatesNothing() {
        var batch = TokenBatch(capacity: 3, sequenceLength: 2)
        let before = addresses(batch)
        for start in [7, 17, 27] as [Int32] { batch.append([start, start + 1, start + 2]) }
        batch.ignoreTargets([8])
        #expect(batch.targets == [-1, 9, 18, 19, 28, 29])
        for round in 0..<3 as Range<Int32> {
            batch.removeAll()
            #expect(batch.sequenceCount == 0 && batch.inputs.isEmpty && batch.targets.isEmpty)
            batch.append { ids in for _ in 0..<3 { ids.append(round) } }
            #expect(batch.sequenceCount == 1)
            #expect(batch.inputs == [round, round] && batch.targets == [round, round])
        }
        #expect(addresses(batch) == before)
        // Negative control: the comparison notices other storage.
        #expect(addresses(TokenBatch(capacity: 3, sequenceLength: 2)) != before)
    }

    /// Ids that a source has written before it failed are no sequence. They do not show in the next sequence.
    @Test func aFailedReadLeavesTheBatchAsItWas() {
        var batch = TokenBatch(capacity: 2, sequenceLength: 2)
        batch.append([1, 2, 3])
        #expect(throws: Unreadable.self) {
            try batch.append { ids in
                ids.append(99)
                throw Unreadable()
            }
        }
        #expect(batch.inputs == [1, 2] && batch.targets == [2, 3])
        batch.append([4, 5, 6])
        #expect(batch.inputs == [1, 2, 4, 5] && batch.targets == [2, 3, 5, 6])
    }

    @Test func shortSequencesArePaddedAndOnlySomeTargetsCount() {
        var batch = TokenBatch(capacity: 2, sequenceLength: 5)
        batch.append([9, 8, 7, 6], counting: 1..<3)
        batch.append([1, 2, 3, 4, 5, 6], counting: 4..<5)
        #expect(batch.inputs == [9, 8, 7, 0, 0, 1, 2, 3, 4, 5])
        #expect(batch.targets == [-1, 7, 6, -1, -1, -1, -1, -1, -1, 6])
    }

    @Test func ignoredIdsBecomeTheMask() {
        var batch = TokenBatch(inputs: [3, 1, 2, 3], targets: [1, 2, 3, -100], sequenceLength: 2)
        batch.ignoreTargets([])
        #expect(batch.targets == [1, 2, 3, -100])
        batch.ignoreTargets([3, 1])
        #expect(batch.targets == [TokenBatch.ignoredTarget, 2, TokenBatch.ignoredTarget, -100])
        // The mask changes targets only.
        #expect(batch.inputs == [3, 1, 2, 3])
        #expect(batch.capacity == 2 && batch.sequenceCount == 2)
    }

    @Test func startsOfDocumentsAreKeptAndIgnored() {
        var batch = TokenBatch(capacity: 3, sequenceLength: 4, masksDocuments: true)
        #expect(batch.masksDocuments && !TokenBatch(capacity: 1, sequenceLength: 1).masksDocuments)
        batch.append(documentStarts: [0, 3]) { ids in for index in 0..<5 as Range<Int32> { ids.append(index) } }
        batch.append([5, 6, 7, 8, 9])
        batch.append([1, 2], counting: 0..<1)
        let none = [Bool](repeating: false, count: 8)
        #expect(batch.startsDocument == [true, false, false, true] + none)
        batch.ignoreDocumentStarts()
        #expect(batch.targets == [-1, 2, 3, -1, 6, 7, 8, 9, 2, -1, -1, -1])
        #expect(batch.inputs == [0, 1, 2, 3, 5, 6, 7, 8, 1, 0, 0, 0])
        // The next filling knows nothing of the last one.
        batch.removeAll()
        #expect(batch.startsDocument.isEmpty)
        batch.append([5, 6, 7, 8, 9])
        batch.ignoreDocumentStarts()
        #expect(batch.startsDocument == Array(none[..<4]) && batch.targets == [6, 7, 8, 9])
        let whole = TokenBatch(
            inputs: [1, 2], targets: [2, 3], sequenceLength: 1, startsDocument: [false, true], masksDocuments: true)
        #expect(whole.startsDocument == [false, true] && whole.masksDocuments)
    }

    @Test func mistakesTrap() async {
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append(documentStarts: [2]) { ids in for _ in 0..<3 { ids.append(1) } }
        }
        await #expect(processExitsWith: .failure) {
            _ = TokenBatch(inputs: [1, 2], targets: [1, 2], sequenceLength: 2, startsDocument: [true])
        }
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append([1, 2, 3])
            batch.append([1, 2, 3])
        }
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append([1, 2, 3])
            batch.append { _ in }
        }
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append { ids in for _ in 0..<2 { ids.append(1) } }
        }
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append([1, 2])
        }
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append([1, 2, 3], counting: 0..<3)
        }
        await #expect(processExitsWith: .failure) {
            var batch = TokenBatch(capacity: 1, sequenceLength: 2)
            batch.append { ids in for _ in 0..<4 { ids.append(1) } }
        }
        await #expect(processExitsWith: .failure) {
            _ = TokenBatch(inputs: [1, 2, 3], targets: [1, 2, 3], sequenceLength: 2)
        }
        await #expect(processExitsWith: .failure) {
            _ = TokenBatch(capacity: 1, sequenceLength: 2).range(ofSequence: 0)
        }
    }
}
