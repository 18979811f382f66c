// MessageTag - what tells the messages between single ranks of a group from one another.

/// Tags of messages from one rank to another in the group of all ranks and in those of one rank of each node. No two kinds
/// share one, since several may be under way at a time; the standard promises tags up to 32767.
enum MessageTag {
    static let pingPong: Int32 = 0

    /// Tags of a kind repeat after so many operations, of which never as many are under way.
    private static let cycle = 16_383

    /// - Parameter number: how many reductions were started before, the same on all ranks that take part.
    static func reduction(_ number: Int) -> Int32 { Int32(1 + number % cycle) }

    /// - Parameter number: how many gathers were started before, likewise.
    static func gather(_ number: Int) -> Int32 { Int32(1 + cycle + number % cycle) }
}
