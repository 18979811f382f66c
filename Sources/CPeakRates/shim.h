#pragma once
#include <stdint.h>

// Instructions that Swift has no name for, or would not keep in registers, only to measure their peak rates. Nothing of the
// program computes with them.

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

CPEAK_FMA(cpeak_fma_256, __attribute__((target("avx2,fma"))), 8)

// By intrinsics, because compilers split vectors of this width in two for processors on which they think that better.
__attribute__((target("avx512f"))) static inline float cpeak_fma_512(int64_t iterations, float start) {
    const __m512 factor = _mm512_set1_ps(0.999999f), addend = _mm512_set1_ps(start * 1e-6f);
    __m512 sums[cpeak_chains];
    for (int i = 0; i < cpeak_chains; i++) sums[i] = addend;
    for (int64_t round = 0; round < iterations; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < cpeak_chains; i++) sums[i] = _mm512_fmadd_ps(sums[i], factor, addend);
    }
    float total = 0;
    for (int i = 0; i < cpeak_chains; i++) total += _mm512_reduce_add_ps(sums[i]);
    return total;
}
static inline int cpeak_fma_lanes(void) {
    return __builtin_cpu_supports("avx512f") ? 16 : __builtin_cpu_supports("fma") ? 8 : 0;
}
static inline float cpeak_fma_rounds(int64_t iterations, float start) {
    return cpeak_fma_lanes() == 16 ? cpeak_fma_512(iterations, start) : cpeak_fma_256(iterations, start);
}

// What bf16 dot products are of: 1 and 2^-23, so that sums from zero stay exact for 2^18 rounds.
enum { cpeak_bf16_one = 0x3F80, cpeak_bf16_small = 0x3400 };

/// AVX512_BF16: twelve chains of `vdpbf16ps`.
__attribute__((target("avx512f,avx512bf16"))) static inline float cpeak_dot_512(int64_t iterations) {
    __m512 sums[cpeak_chains];
    for (int i = 0; i < cpeak_chains; i++) sums[i] = _mm512_setzero_ps();
    const __m512bh a = (__m512bh)_mm512_set1_epi16(cpeak_bf16_one), b = (__m512bh)_mm512_set1_epi16(cpeak_bf16_small);
    for (int64_t round = 0; round < iterations; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < cpeak_chains; i++) sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
    }
    float total = 0;
    for (int i = 0; i < cpeak_chains; i++) total += _mm512_reduce_add_ps(sums[i]);
    return total;
}

/// Floating-point operations of a round of bf16 dot products; 0 where there is no instruction for them. That of AMX is CTiles'.
static inline int cpeak_dot_operations(void) {
    return __builtin_cpu_supports("avx512bf16") ? cpeak_chains * 2 * 32 : 0;
}
/// Returns 2^-24 for each operation. There must be an instruction.
static inline float cpeak_dot_rounds(int64_t iterations) { return cpeak_dot_512(iterations); }
#else
CPEAK_FMA(cpeak_fma_128, , 4)
static inline int cpeak_fma_lanes(void) { return 4; }
static inline float cpeak_fma_rounds(int64_t iterations, float start) { return cpeak_fma_128(iterations, start); }
static inline int cpeak_dot_operations(void) { return 0; }
static inline float cpeak_dot_rounds(int64_t iterations) { return 0 * (float)iterations; }
#endif
