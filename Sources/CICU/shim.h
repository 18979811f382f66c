#pragma once
#include <unicode/unorm2.h>
#include <unicode/uset.h>
#include <unicode/ustring.h>

// ICU's functions are macros that add the library's version, which Swift does not see.

/// The normalizer of a form: 0 NFC, 1 NFD, 2 NFKC, 3 NFKD.
static inline const UNormalizer2 *cicu_normalizer(int form, UErrorCode *status) {
    switch (form) {
    case 0: return unorm2_getNFCInstance(status);
    case 1: return unorm2_getNFDInstance(status);
    case 2: return unorm2_getNFKCInstance(status);
    default: return unorm2_getNFKDInstance(status);
    }
}

/// A normalizer that leaves characters outside `set` as they are, and holds on to `set`.
static inline UNormalizer2 *cicu_filtered(const UNormalizer2 *whole, const USet *set, UErrorCode *status) {
    return unorm2_openFiltered(whole, set, status);
}

static inline int32_t cicu_normalize(
    const UNormalizer2 *normalizer, const UChar *text, int32_t count, UChar *target, int32_t capacity,
    UErrorCode *status) {
    return unorm2_normalize(normalizer, text, count, target, capacity, status);
}

static inline USet *cicu_set(const UChar *pattern, int32_t count, UErrorCode *status) {
    return uset_openPattern(pattern, count, status);
}

static inline void cicu_close_normalizer(UNormalizer2 *normalizer) { unorm2_close(normalizer); }
static inline void cicu_close_set(USet *set) { uset_close(set); }
static inline void cicu_freeze(USet *set) { uset_freeze(set); }

static inline int cicu_failed(UErrorCode status) { return U_FAILURE(status) ? 1 : 0; }
static inline UErrorCode cicu_zero_error(void) { return U_ZERO_ERROR; }
static inline int cicu_is_overflow(UErrorCode status) { return status == U_BUFFER_OVERFLOW_ERROR ? 1 : 0; }
