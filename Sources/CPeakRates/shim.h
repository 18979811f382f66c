#pragma once
#include <stdint.h>

// Instructions that Swift has no name for, or would not keep in registers, only to measure their peak rates. Nothing of the
// program computes with them; products are the libraries'.

// Twelve independent chains hide the latency of a fused multiply-add on every processor so far (5 cycles, two per cycle), and
// fit its registers: 16 of AVX2, 32 of AVX-512 and of NEON.
enum { cpeak_chains = 12 };

#define CPEAK_FMA(name, attribute, lanes)                                                          \
    typedef float name##_vector __attribute__((vector_size(4 * (lanes))));                         \
    attribute static inline float name(int64_t iterations, float start) {                          \
        name##_vector sums[cpeak_chains];                                                          \
        const name##_vector zero = {0}, factor = zero + 0.999999f, addend = zero + start * 1e-6f;  \
        for (int i = 0; i < cpeak_chains; i++) sums[i] = addend;                                   \
        for (int64_t round = 0; round < iterations; round++) {                                     \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < cpeak_chains; i++)              \
                sums[i] = __builtin_elementwise_fma(sums[i], factor, addend);                      \
        }                                                                                          \
        float total = 0;                                                                           \
        for (int i = 0; i < cpeak_chains; i++)                                                     \
            for (int lane = 0; lane < (lanes); lane++) total += sums[i][lane];                     \
        return total;                                                                              \
    }

#if defined(__x86_64__)
#include <immintrin.h>
CPEAK_FMA(cpeak_fma_512, __attribute__((target("avx512f,prefer-256-bit=false"))), 16)
CPEAK_FMA(cpeak_fma_256, __attribute__((target("avx2,fma"))), 8)
static inline int cpeak_fma_lanes(void) {
    return __builtin_cpu_supports("avx512f") ? 16 : __builtin_cpu_supports("fma") ? 8 : 0;
}
static inline float cpeak_fma_rounds(int64_t iterations, float start) {
    return cpeak_fma_lanes() == 16 ? cpeak_fma_512(iterations, start) : cpeak_fma_256(iterations, start);
}

/// Runs `iterations` rounds of twelve independent bf16 dot products (of 64 floating-point operations each) and returns a
/// number that depends on all of them. The processor must have AVX512_BF16.
__attribute__((target("avx512f,avx512bf16"))) static inline float cpeak_dot_rounds(int64_t iterations) {
    __m512 sums[cpeak_chains];
    for (int i = 0; i < cpeak_chains; i++) sums[i] = _mm512_set1_ps((float)i);
    const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3F80), b = (__m512bh)_mm512_set1_epi16(0x3400);
    for (int64_t round = 0; round < iterations; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < cpeak_chains; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
    }
    __m512 total = sums[0];
    for (int i = 1; i < cpeak_chains; i++) total = _mm512_add_ps(total, sums[i]);
    return _mm512_reduce_add_ps(total);
}
static inline int cpeak_has_dot(void) { return __builtin_cpu_supports("avx512bf16"); }
#else
CPEAK_FMA(cpeak_fma_128, , 4)
static inline int cpeak_fma_lanes(void) { return 4; }
static inline float cpeak_fma_rounds(int64_t iterations, float start) { return cpeak_fma_128(iterations, start); }
static inline float cpeak_dot_rounds(int64_t iterations) { return 0 * (float)iterations; }
static inline int cpeak_has_dot(void) { return 0; }
#endif
