// NormalizationForm - Unicode normalization of UTF-8 by ICU.

internal import CICU

/// A normalization form of Unicode (UAX #15).
package enum NormalizationForm: Int, Sendable, CaseIterable {
    case nfc = 0
    case nfd
    case nfkc
    case nfkd
}

/// Normalizes texts as one version of Unicode does. Characters that are newer are copied.
///
/// Why a version: programs that must give equal results on any machine cannot follow the installed ICU.
///
/// Safe: the normalizer belongs to this object alone, is never changed, and ICU allows several threads to use it.
@safe package final class TextNormalizer: Sendable {
    package let form: NormalizationForm
    /// `@unchecked Sendable` of the handle: it is only read after it was made.
    private let handle: Handle

    /// - Parameters:
    ///   - form: the form.
    ///   - age: the version of Unicode, such as `9.0`. It is written into a pattern, so it must not come from a file.
    ///
    /// Traps where ICU has no data or no memory: no text can be read then.
    package init(_ form: NormalizationForm, age: StaticString) {
        self.form = form
        handle = Handle(form, age: age)
    }

    /// The normalized text; nil for a text that ICU cannot hold, of about 2^30 UTF-16 code units.
    ///
    /// - Parameter text: valid UTF-8.
    package func normalize(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        // ASCII is normalized in every form.
        if text.allSatisfy({ $0 < 0x80 }) { return Array(text) }
        let units = Array(String(decoding: text, as: UTF8.self).utf16)
        return handle.normalize(units).map { Array(String(decoding: $0, as: UTF16.self).utf8) }
    }

    @safe private final class Handle: @unchecked Sendable {
        private let normalizer: OpaquePointer
        private let set: OpaquePointer

        init(_ form: NormalizationForm, age: StaticString) {
            var status = cicu_zero_error()
            let pattern = Array("[:age=\(age):]".utf16)
            let created = unsafe cicu_set(pattern, Int32(pattern.count), &status)
            guard cicu_failed(status) == 0, let set = unsafe created else {
                preconditionFailure("ICU has no characters of Unicode \(age)")
            }
            unsafe cicu_freeze(set)
            guard let whole = unsafe cicu_normalizer(Int32(form.rawValue), &status),
                let filtered = unsafe cicu_filtered(whole, set, &status), cicu_failed(status) == 0
            else { preconditionFailure("ICU has no normalizer \(form)") }
            unsafe self.set = set
            unsafe normalizer = filtered
        }

        deinit {
            unsafe cicu_close_normalizer(normalizer)
            unsafe cicu_close_set(set)
        }

        /// UTF-16, normalized; nil where text or result is too long. The corresponding C function is
        /// `unorm2_normalize`.
        func normalize(_ units: [UInt16]) -> [UInt16]? {
            guard units.count < 1 << 30 else { return nil }
            var capacity = units.count + units.count / 8 + 16
            while true {
                var status = cicu_zero_error()
                var needed: Int32 = 0
                let target = unsafe [UInt16](unsafeUninitializedCapacity: capacity) { memory, count in
                    needed = unsafe cicu_normalize(
                        normalizer, units, Int32(units.count), memory.baseAddress, Int32(capacity), &status)
                    count = cicu_failed(status) == 0 ? Int(needed) : 0
                }
                if cicu_failed(status) == 0 { return target }
                // Valid UTF-16 has no other failure than a lack of memory, which ICU reports for a long result too.
                guard cicu_is_overflow(status) == 1, Int(needed) > capacity else { return nil }
                capacity = Int(needed)
            }
        }
    }
}
