// SentBytes - what reductions by messages have handed to the library.

/// A count that the operations of a communicator share.
final class SentBytes {
    var count = 0
}
