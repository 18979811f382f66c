#pragma once
#include <stdint.h>

// The bf16 dot-product instruction, which Swift has no name for: only to measure its peak. Nothing of the program computes
// with it; products are the libraries'.

#if defined(__x86_64__)
#include <immintrin.h>

/// Runs `iterations` rounds of twelve independent instructions (of 64 floating-point operations each) and returns a number
/// that depends on all of them. The processor must have AVX512_BF16.
__attribute__((target("avx512f,avx512bf16"))) static inline float cx86_dot_rounds(int64_t iterations) {
    __m512 sums[12];
    for (int i = 0; i < 12; i++) sums[i] = _mm512_set1_ps((float)i);
    const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3F80), b = (__m512bh)_mm512_set1_epi16(0x3400);
    for (int64_t round = 0; round < iterations; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 12; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
    }
    __m512 total = sums[0];
    for (int i = 1; i < 12; i++) total = _mm512_add_ps(total, sums[i]);
    return _mm512_reduce_add_ps(total);
}
static inline int cx86_has_dot(void) { return __builtin_cpu_supports("avx512bf16"); }
#else
static inline float cx86_dot_rounds(int64_t iterations) { return 0 * (float)iterations; }
static inline int cx86_has_dot(void) { return 0; }
#endif
