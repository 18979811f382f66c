// Calls - checked calls of the SentencePiece library, whose results are copied and released.

internal import CSentencePiece

/// Calls a function of the library.
///
/// - Parameters:
/// - kind: kind of error for any failure but a lack of memory.
/// - action: the beginning of the error's message.
/// - call: the call; it gets a buffer for the library's message.
/// - Throws: ``SentencePieceError`` if the status is not 0.
func checked(
    _ kind: SentencePieceError.Kind, _ action: String, _ call: (_ error: csp_error) -> csp_status
) throws(SentencePieceError) {
    var words = [CChar](repeating: 0, count: 1024)
    let status = unsafe words.withUnsafeMutableBufferPointer { buffer in
        unsafe call(csp_error(text: buffer.baseAddress, capacity: buffer.count))
    }
    guard status != 0 else { return }
    let all = String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The library begins some messages with a line of its source in brackets, which is left out here.
    let text = all.firstRange(of: "] ").map { String(all[$0.upperBound...]) }.flatMap { $0.isEmpty ? nil : $0 } ?? all
    throw SentencePieceError(
        status == csp_status(CSP_OUT_OF_MEMORY) ? .outOfMemory : kind, text.isEmpty ? action : "\(action): \(text)")
}

/// Copies an array that the library returned, and frees it.
func taken<Element: BitwiseCopyable>(_ memory: UnsafeMutablePointer<Element>?, count: Int) -> [Element] {
    guard let memory = unsafe memory else { preconditionFailure("the library returned nothing without an error") }
    defer { unsafe csp_release(memory) }
    return unsafe Array(UnsafeBufferPointer(start: memory, count: count))
}
