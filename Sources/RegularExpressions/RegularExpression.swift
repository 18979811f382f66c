// RegularExpression - a pattern compiled by PCRE2, and its matches in UTF-8 texts.

internal import CPCRE2
internal import Synchronization

/// A regular expression with the meaning that Oniguruma's Ruby syntax gives it. Several threads may use it.
///
/// Patterns and texts are untrusted. A match that takes too many steps, or too much memory, is an error.
///
/// Safe: the compiled pattern belongs to this object alone and is never changed.
@safe package final class RegularExpression: @unchecked Sendable {
    private let code: OpaquePointer
    private let pool = Mutex<[Matcher]>([])

    /// Longest pattern in bytes. Those of real tokenizers have some hundred.
    package static let longestPattern = 1 << 14

    /// Compiles a pattern of Oniguruma's Ruby syntax.
    ///
    /// - Throws: for syntax that PCRE2 would read otherwise, or not at all.
    package convenience init(oniguruma pattern: String) throws(RegularExpressionError) {
        guard pattern.utf8.count <= Self.longestPattern else {
            throw RegularExpressionError("the pattern has more than \(Self.longestPattern) bytes")
        }
        var translator = OnigurumaTranslator(pattern)
        try self.init(translated: translator.translated())
    }

    /// Compiles a pattern of PCRE2. The corresponding C functions are `pcre2_compile` and `pcre2_jit_compile`.
    init(translated pattern: String) throws(RegularExpressionError) {
        // The heap limit of compilation is the length of the pattern, which the caller limits.
        guard let context = unsafe pcre2_compile_context_create_8(nil) else {
            preconditionFailure("no memory for PCRE2")
        }
        defer { unsafe pcre2_compile_context_free_8(context) }
        let newline = unsafe pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        let nesting = unsafe pcre2_set_parens_nest_limit_8(context, 100)
        precondition(newline == 0 && nesting == 0, "PCRE2 refuses its own settings")
        let bytes = Array(pattern.utf8)
        var (number, offset): (Int32, Int) = (0, 0)
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE
        guard let code = unsafe pcre2_compile_8(bytes, bytes.count, options, &number, &offset, context) else {
            throw RegularExpressionError(Self.message(number))
        }
        // Without a compiler for this processor, PCRE2 interprets the pattern: slower, and with equal matches.
        let status = unsafe pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
        precondition(
            [0, PCRE2_ERROR_JIT_BADOPTION, PCRE2_ERROR_NOMEMORY].contains(status),
            "pcre2_jit_compile failed with \(status)")
        unsafe self.code = code
    }

    deinit {
        pool.withLock { $0.removeAll() }
        unsafe pcre2_code_free_8(code)
    }

    /// PCRE2's words for an error. The corresponding C function is `pcre2_get_error_message`.
    fileprivate static func message(_ number: Int32) -> String {
        let words = unsafe [UInt8](unsafeUninitializedCapacity: 256) { memory, count in
            let length = unsafe pcre2_get_error_message_8(number, memory.baseAddress, memory.count)
            count = max(Int(length), 0)
        }
        return String(decoding: words, as: UTF8.self)
    }

    /// Calls `body` with a matcher of this expression, which no other thread has.
    package func withMatcher<Result, Failure: Error>(
        _ body: (Matcher) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let matcher = unsafe pool.withLock { $0.popLast() } ?? Matcher(code)
        defer { pool.withLock { $0.append(matcher) } }
        return try body(matcher)
    }

    /// The memory of matching, for one thread at a time.
    ///
    /// `@unchecked Sendable`: the pool hands it to one thread at a time.
    @safe package final class Matcher: @unchecked Sendable {
        private let code: OpaquePointer
        private let data: OpaquePointer
        private let context: OpaquePointer
        private let stack: OpaquePointer?

        /// Most steps of one match. A second or so.
        private static let stepLimit: UInt32 = 20_000_000
        /// Most memory of one match in KiB.
        private static let heapLimit: UInt32 = 128 << 10
        private static let firstStack = 64 << 10
        private static let largestStack = 128 << 20

        fileprivate init(_ code: OpaquePointer) {
            guard let data = unsafe pcre2_match_data_create_8(1, nil),
                let context = unsafe pcre2_match_context_create_8(nil)
            else { preconditionFailure("no memory for PCRE2") }
            unsafe self.code = code
            unsafe self.data = data
            unsafe self.context = context
            // Nil where PCRE2 has no compiler for this processor.
            unsafe stack = pcre2_jit_stack_create_8(Self.firstStack, Self.largestStack, nil)
            unsafe pcre2_jit_stack_assign_8(context, nil, stack.map { unsafe UnsafeMutableRawPointer($0) })
            let statuses = unsafe [
                pcre2_set_match_limit_8(context, Self.stepLimit), pcre2_set_heap_limit_8(context, Self.heapLimit),
                pcre2_set_depth_limit_8(context, Self.stepLimit),
            ]
            precondition(statuses == [0, 0, 0], "PCRE2 refuses its own limits")
        }

        deinit {
            unsafe pcre2_match_context_free_8(context)
            unsafe pcre2_match_data_free_8(data)
            if let stack = unsafe stack { unsafe pcre2_jit_stack_free_8(stack) }
        }

        /// Calls `body` with each match in `text[range]`, which is searched as if nothing were around it.
        ///
        /// An empty range has no match. An empty match right behind a match does not count. The corresponding C function is
        /// `pcre2_match`.
        ///
        /// - Parameters:
        ///   - text: valid UTF-8 from `range.lowerBound` to `range.upperBound`.
        ///   - body: gets a range of indices of `text`.
        /// - Throws: ``RegularExpressionError`` where a match takes too long.
        package func forEachMatch(
            in text: [UInt8], _ range: Range<Int>, _ body: (Range<Int>) -> Void
        ) throws(RegularExpressionError) {
            precondition(range.lowerBound >= 0 && range.upperBound <= text.count, "\(range) of \(text.count) bytes")
            guard !range.isEmpty else { return }
            let count = range.count
            let failure: Int32 = unsafe text.withUnsafeBufferPointer { bytes in
                guard let base = bytes.baseAddress else { return 0 }
                let subject = unsafe base + range.lowerBound
                let ends = unsafe pcre2_get_ovector_pointer_8(data)
                var start = 0
                var last = -1
                while start <= count {
                    let status = unsafe pcre2_match_8(
                        code, subject, count, start, PCRE2_NO_UTF_CHECK, data, context)
                    if status == PCRE2_ERROR_NOMATCH { return 0 }
                    if status < 0 { return status }
                    let (first, end) = unsafe (Int(ends![0]), Int(ends![1]))
                    // \K in a lookahead can move the start behind the end.
                    guard first <= end else { return PCRE2_ERROR_INTERNAL }
                    if first == end, end == last {
                        // One character on.
                        start += 1
                        while start < count, unsafe subject[start] & 0xC0 == 0x80 { start += 1 }
                        continue
                    }
                    (start, last) = (end, end)
                    body(range.lowerBound + first..<range.lowerBound + end)
                }
                return 0
            }
            if failure != 0 { throw RegularExpressionError(RegularExpression.message(failure)) }
        }
    }
}
