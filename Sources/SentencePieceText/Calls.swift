// Calls - the one way in which the library is called: every status is checked, every result copied and released.

internal import CSentencePiece

/// Calls a function of the library.
///
/// - Parameters:
///   - kind: what a failure is, unless memory ran out.
///   - action: what a failure's message begins with.
///   - call: makes the call with the room for the library's words.
/// - Throws: ``SentencePieceError`` if the status is not 0.
func checked(
    _ kind: SentencePieceError.Kind, _ action: String, _ call: (_ error: csp_error) -> csp_status
) throws(SentencePieceError) {
    var words = [CChar](repeating: 0, count: 1024)
    let status = unsafe words.withUnsafeMutableBufferPointer { room in
        unsafe call(csp_error(text: room.baseAddress, capacity: room.count))
    }
    guard status != 0 else { return }
    let all = String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // A failed check first repeats a line of the library's source, in brackets.
    let text = all.firstRange(of: "] ").map { String(all[$0.upperBound...]) }.flatMap { $0.isEmpty ? nil : $0 } ?? all
    throw SentencePieceError(
        status == csp_status(CSP_OUT_OF_MEMORY) ? .outOfMemory : kind, text.isEmpty ? action : "\(action): \(text)")
}

/// Copies what the library returned and frees it.
func taken<Element: BitwiseCopyable>(_ memory: UnsafeMutablePointer<Element>?, count: Int) -> [Element] {
    guard let memory = unsafe memory else { preconditionFailure("the library returned nothing without an error") }
    defer { unsafe csp_release(memory) }
    return unsafe Array(UnsafeBufferPointer(start: memory, count: count))
}
