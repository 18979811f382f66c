// SentBytes - the bytes that reductions by messages have handed to the library.

/// Bytes that a communicator's reductions have sent, counted by all of its operations.
final class SentBytes {
    var count = 0
}
