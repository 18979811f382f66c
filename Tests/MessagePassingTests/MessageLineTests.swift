// MessageLineTests - how much is under way, and whose turn it is, without any message.

import Testing

@testable import MessagePassing

@Suite struct MessageLineTests {
    private let site = CallSite(rank: 0, host: "here")

    /// What a queue of `count` messages of a mebibyte does in one move: numbers of those started, -1 - number of those used.
    private func events(
        _ queue: inout MessageQueue, room: Int, bytes: Int = 1 << 20
    ) throws -> (events: [Int], moved: Int) {
        var events: [Int] = []
        let start = { (index: Int, _: MessageOperation) throws(MPIError) -> Int in
            events.append(index)
            return bytes
        }
        let moved = try queue.move(at: site, room: room, keeping: [], start: start) { events.append(-1 - $0) }
        return (events, moved)
    }

    /// A message without a request is complete at once: what counts is how many are started before the first is used.
    @Test func startsAsManyAsFitAndGoesOn() throws {
        var queue = MessageQueue("test", count: 5)
        let (all, moved) = try events(&queue, room: 3 << 20)
        #expect(all == [0, 1, 2, -1, 3, -2, 4, -3, -4, -5])
        #expect(moved == 5 && queue.isDone && queue.bytesUnderWay == 0)
    }

    @Test func startsNothingWithoutRoom() throws {
        var queue = MessageQueue("test", count: 2)
        #expect(try events(&queue, room: 0).events == [])
        #expect(try events(&queue, room: -5).events == [])
        #expect(!queue.isDone)
        // One larger than all room is started when nothing else is under way.
        #expect(try events(&queue, room: 1, bytes: 9 << 20).events == [0, -1, 1, -2])
    }

    @Test func keepsToTheRoomInMemory() throws {
        var queue = MessageQueue("test", count: 4, mostUnderWay: 2)
        #expect(try events(&queue, room: 1 << 30).events == [0, 1, -1, 2, -2, 3, -3, -4])
    }

    @Test func noMessagesAreDoneAtOnce() throws {
        var queue = MessageQueue("test", count: 0)
        #expect(queue.isDone)
        #expect(try events(&queue, room: 1 << 30).moved == 0)
    }

    private final class Member: LineMember {
        var bytesUnderWay: (received: Int, sent: Int) = (0, 0)
    }

    @Test func laterOnesGetWhatEarlierOnesLeave() {
        let line = MessageLine()
        let members = (0..<3).map { _ in Member() }
        for member in members { line.join(member) }
        members[0].bytesUnderWay = (5 << 20, 1 << 20)
        members[1].bytesUnderWay = (2 << 20, 7 << 20)
        #expect(line.room(for: members[0]) == (8 << 20, 8 << 20))
        #expect(line.room(for: members[1]) == (3 << 20, 7 << 20))
        #expect(line.room(for: members[2]) == (1 << 20, 0))
        line.leave(members[0])
        #expect(line.room(for: members[1]) == (8 << 20, 8 << 20))
        #expect(line.room(for: members[2]) == (6 << 20, 1 << 20))
    }

    @Test func tagsOfKindsDiffer() {
        let numbers = [0, 1, 16_382, 16_383, 1_000_000]
        let reductions = Set(numbers.map(MessageTag.reduction))
        let gathers = Set(numbers.map(MessageTag.gather))
        #expect(reductions.isDisjoint(with: gathers))
        let all = reductions.union(gathers)
        #expect(!all.contains(MessageTag.pingPong))
        #expect(all.allSatisfy { (0...32_767).contains($0) })
    }
}
