// MessageTag - numbers that tell the messages between two ranks from one another.

/// Tags of messages between single ranks, in the communicator of all ranks and in a communicator of one rank of each
/// node.
///
/// No two kinds of messages share a tag, since several may be under way at a time. The standard promises tags up to
/// 32767.
enum MessageTag {
    static let pingPong: Int32 = 0

    /// Operations after which the tags of a kind repeat; fewer are under way at a time.
    private static let cycle = 16_383

    /// - Parameter number: how many reductions were started before, the same on all ranks that take part.
    static func reduction(_ number: Int) -> Int32 { Int32(1 + number % cycle) }

    /// - Parameter number: how many gathers were started before, the same on all ranks that take part.
    static func gather(_ number: Int) -> Int32 { Int32(1 + cycle + number % cycle) }
}
