// MessageQueue - the messages of one operation in one direction, of which a few are under way at a time.

/// Messages that are started and completed in order. Every move takes them on; nothing ever waits.
///
/// The two directions of an operation have a queue each: a message that is late in one must not hold up the other.
struct MessageQueue {
    /// Bytes under way in a direction, more or less. Open MPI sends all that one rank has for another through one connection,
    /// and what completes a message comes behind all data that were handed over before it: with messages of 32 MiB a
    /// link of 1 Gbit/s carried 0.6 of that, and with 100 MiB under way nothing was complete before everything was
    /// (measured). These keep a link of 10 Gbit/s busy for 7 ms, which is longer than the tasks between two looks.
    static let mostBytes = 8 << 20
    /// Bytes of a message, at most.
    static let pieceBytes = 512 << 10
    /// Where they are small: messages under way.
    private static let mostMessages = 512

    /// What an error and a wait call them.
    private let function: String
    /// Messages, or groups of messages, in all.
    let count: Int
    private let mostUnderWay: Int
    private var underWay: [(operation: MessageOperation, bytes: Int)] = []
    private(set) var bytesUnderWay = 0
    private var doneCount = 0

    /// - Parameter mostUnderWay: for operations that have room for so many only.
    init(_ function: String, count: Int, mostUnderWay: Int = mostMessages) {
        precondition(mostUnderWay > 0, "messages that are never started")
        self.function = function
        self.count = count
        self.mostUnderWay = min(mostUnderWay, Self.mostMessages)
    }

    var isDone: Bool { doneCount == count }
    private var startedCount: Int { doneCount + underWay.count }

    /// Makes progress; the number of messages that were completed.
    ///
    /// - Parameters:
    ///   - room: starts no more once so many bytes are under way.
    ///   - memory: what the messages use.
    ///   - start: starts the message with this number in the operation, and returns its bytes.
    ///   - use: called once for each message, in order, when it is complete.
    mutating func move(
        at site: CallSite, room: Int, keeping memory: [AnyObject],
        start: (Int, MessageOperation) throws(MPIError) -> Int, use: (Int) -> Void = { _ in }
    ) throws(MPIError) -> Int {
        let before = doneCount
        while true {
            while startedCount < count, underWay.count < mostUnderWay, bytesUnderWay < room {
                let operation = MessageOperation(function, keeping: memory)
                // Held before it is started, so that nothing is lost of it when that fails.
                underWay.append((operation, 0))
                let bytes = try start(startedCount - 1, operation)
                underWay[underWay.count - 1].bytes = bytes
                bytesUnderWay += bytes
            }
            guard let (operation, bytes) = underWay.first, try operation.test(at: site) else { break }
            use(doneCount)
            underWay.removeFirst()
            bytesUnderWay -= bytes
            doneCount += 1
        }
        return doneCount - before
    }
}
