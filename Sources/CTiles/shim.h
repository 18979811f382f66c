#pragma once
#include <stdint.h>

// AMX, whose tile registers only C can name (amxintrin.h takes their numbers as constants), one block of a product at a time.
// Everything around a block is Swift: LinearAlgebra's TileProduct.

// Edge of a block of the result, and the reduction of one step. A packed operand has 32 x 32 numbers for each step: two tiles, one
// behind the other.
enum { ctiles_edge = 32, ctiles_tile_numbers = 16 * 32, ctiles_step_numbers = 2 * ctiles_tile_numbers };

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Whether the processor has AMX for bf16.
static inline int ctiles_exist(void) {
    enum { leaf = 7, bf16_bit = 1 << 22, tile_bit = 1 << 24 };
    unsigned a, b, c, d;
    return __get_cpuid_count(leaf, 0, &a, &b, &c, &d) && (d & bf16_bit) && (d & tile_bit);
}

/// Whether the system lets this process use tiles, which Linux (5.16) wants to be asked.
static inline int ctiles_are_permitted(void) {
    enum { request_permission = 0x1023, tile_data = 18 };
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/// Shapes the calling thread's tile registers: 16 rows of 64 bytes each.
__attribute__((target("amx-tile"))) static inline void ctiles_begin(void) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) shape.row_bytes[tile] = 64, shape.rows[tile] = 16;
    _tile_loadconfig(&shape);
}

/// Gives the registers back; the system need not save them any longer.
__attribute__((target("amx-tile"))) static inline void ctiles_end(void) { _tile_release(); }

/// `target = a b`, or plus `target` where `adding`: 32 x 32 floats with rows `stride` floats apart, of `steps` steps of packed operands.
///
/// In a step `a` is two tiles of 16 rows x 32 numbers, `b` two of 16 pairs of rows x 16 columns. Each element is summed step by step,
/// one instruction for each, whatever is added before or after in another call.
__attribute__((target("amx-tile,amx-bf16"))) static inline void ctiles_multiply(
    const uint16_t *a, const uint16_t *b, int64_t steps, float *target, int64_t stride, int adding) {
    float *const lower = target + 16 * stride;
    const int64_t row_bytes = 4 * stride;
    if (adding) {
        _tile_loadd(0, target, row_bytes);
        _tile_loadd(1, target + 16, row_bytes);
        _tile_loadd(2, lower, row_bytes);
        _tile_loadd(3, lower + 16, row_bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t step = 0; step < steps; step++) {
        const uint16_t *next = b + ctiles_step_numbers;
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 64);
        // A step of `b` is used once before it comes again, so it comes from the second cache: asked for a step ahead, between
        // products, it arrives in time (1.1 to 1.3 times the speed). `a` stays in the first.
        for (int line = 0; line < 8; line++) _mm_prefetch((const char *)next + 64 * line, _MM_HINT_T0);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + ctiles_tile_numbers, 64);
        for (int line = 8; line < 16; line++) _mm_prefetch((const char *)next + 64 * line, _MM_HINT_T0);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, a + ctiles_tile_numbers, 64);
        for (int line = 16; line < 24; line++) _mm_prefetch((const char *)next + 64 * line, _MM_HINT_T0);
        _tile_dpbf16ps(2, 5, 6);
        for (int line = 24; line < 32; line++) _mm_prefetch((const char *)next + 64 * line, _MM_HINT_T0);
        _tile_dpbf16ps(3, 5, 7);
        a += ctiles_step_numbers;
        b = next;
    }
    _tile_stored(0, target, row_bytes);
    _tile_stored(1, target + 16, row_bytes);
    _tile_stored(2, lower, row_bytes);
    _tile_stored(3, lower + 16, row_bytes);
}

/// Transposes 16 x 16: a perfect shuffle of the 256 elements rotates the bits of their place, row and column together, by one, and
/// four of them swap row and column (Stone, "Parallel processing with the perfect shuffle", 1971).
__attribute__((target("avx512f"))) static inline void ctiles_transpose(__m512i rows[16]) {
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
#pragma clang loop unroll(full)
    for (int round = 0; round < 4; round++) {
        __m512i shuffled[16];
#pragma clang loop unroll(full)
        for (int row = 0; row < 8; row++) {
            shuffled[2 * row] = _mm512_permutex2var_epi32(rows[row], low, rows[row + 8]);
            shuffled[2 * row + 1] = _mm512_permutex2var_epi32(rows[row], high, rows[row + 8]);
        }
#pragma clang loop unroll(full)
        for (int row = 0; row < 16; row++) rows[row] = shuffled[row];
    }
}

/// Packs a tile of rows that run along the reduction: 16 rows of 32 numbers, `stride` numbers apart.
__attribute__((target("avx512f"))) static inline void ctiles_pack_along(
    const uint16_t *source, int64_t stride, int transposes, uint16_t *tile) {
    __m512i rows[16];
#pragma clang loop unroll(full)
    for (int row = 0; row < 16; row++) rows[row] = _mm512_loadu_si512(source + row * stride);
    if (transposes) ctiles_transpose(rows);
#pragma clang loop unroll(full)
    for (int row = 0; row < 16; row++) _mm512_storeu_si512(tile + 32 * row, rows[row]);
}

/// Packs a tile of rows that run across the reduction: 32 rows of 16 numbers, in pairs of rows.
__attribute__((target("avx512f"))) static inline void ctiles_pack_across(
    const uint16_t *source, int64_t stride, int transposes, uint16_t *tile) {
    __m512i pairs[16];
#pragma clang loop unroll(full)
    for (int pair = 0; pair < 16; pair++) {
        const uint16_t *first = source + 2 * pair * stride, *second = first + stride;
        const __m512i lower = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)first));
        const __m512i upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)second));
        pairs[pair] = _mm512_or_si512(lower, _mm512_slli_epi32(upper, 16));
    }
    if (transposes) ctiles_transpose(pairs);
#pragma clang loop unroll(full)
    for (int pair = 0; pair < 16; pair++) _mm512_storeu_si512(tile + 32 * pair, pairs[pair]);
}

/// Floating-point operations of a round of ``ctiles_dot_rounds``.
enum { ctiles_dot_operations = 4 * 2 * 16 * 16 * 32 };

/// Four chains of products of tiles that stay in their registers, to measure the peak rate. All operands are 1 and 2^-23: sums from zero
/// stay exact for 2^18 rounds, and the result is 2^-24 for each operation.
__attribute__((target("amx-tile,amx-bf16"))) static inline float ctiles_dot_rounds(int64_t iterations) {
    enum { one = 0x3F80, small = 0x3400 };
    uint16_t a[ctiles_tile_numbers], b[ctiles_tile_numbers];
    float sums[4][16 * 16], total = 0;
    for (int i = 0; i < ctiles_tile_numbers; i++) a[i] = one, b[i] = small;
    ctiles_begin();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, a, 64);
    _tile_loadd(5, b, 64);
    for (int64_t round = 0; round < iterations; round++) {
        _tile_dpbf16ps(0, 4, 5);
        _tile_dpbf16ps(1, 4, 5);
        _tile_dpbf16ps(2, 4, 5);
        _tile_dpbf16ps(3, 4, 5);
    }
    _tile_stored(0, sums[0], 64);
    _tile_stored(1, sums[1], 64);
    _tile_stored(2, sums[2], 64);
    _tile_stored(3, sums[3], 64);
    ctiles_end();
    for (int i = 0; i < 4 * 16 * 16; i++) total += sums[i / 256][i % 256];
    return total;
}
#else
static inline int ctiles_exist(void) { return 0; }
static inline int ctiles_are_permitted(void) { return 0; }
static inline void ctiles_begin(void) {}
static inline void ctiles_end(void) {}
static inline void ctiles_multiply(
    const uint16_t *a, const uint16_t *b, int64_t steps, float *target, int64_t stride, int adding) {
    __builtin_trap();
}
enum { ctiles_dot_operations = 0 };
static inline float ctiles_dot_rounds(int64_t iterations) { __builtin_trap(); }
static inline void ctiles_pack_along(const uint16_t *source, int64_t stride, int transposes, uint16_t *tile) {
    __builtin_trap();
}
static inline void ctiles_pack_across(const uint16_t *source, int64_t stride, int transposes, uint16_t *tile) {
    __builtin_trap();
}
#endif
