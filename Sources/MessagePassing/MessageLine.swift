// MessageLine - which of several operations gets the links first.

/// An operation that exchanges messages of its own making.
protocol LineMember: AnyObject {
    /// Bytes of its messages under way in each direction.
    var bytesUnderWay: (received: Int, sent: Int) { get }
}

/// Operations of one kind that are not complete, in the order in which they were started. Together they have as much under
/// way as a single one may: a later one gets what the earlier ones leave.
///
/// On every rank the line has the same order, that in which all ranks start the operations. So the first message that is not
/// done, in the order of the line, is always started by both of its ranks, and no rank waits for ever.
final class MessageLine {
    private var members: [any LineMember] = []
    /// Messages that were completed: counts up whenever something moves.
    private(set) var moves = 0

    func join(_ member: any LineMember) { members.append(member) }

    func leave(_ member: any LineMember) { members.removeAll { $0 === member } }

    func note(completed messages: Int) { moves += messages }

    /// Bytes that `member` may have under way in each direction.
    func room(for member: any LineMember) -> (received: Int, sent: Int) {
        var room = (received: MessageQueue.mostBytes, sent: MessageQueue.mostBytes)
        for earlier in members.prefix(while: { $0 !== member }) {
            let used = earlier.bytesUnderWay
            room.received -= used.received
            room.sent -= used.sent
        }
        return room
    }
}
