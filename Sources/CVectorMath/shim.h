#pragma once

// What Swift's vectors have no single instruction for. SIMD16<Float>.squareRoot() is sixteen calls that each look for a
// negative argument (Swift 6.3).

typedef float cvectormath_lanes __attribute__((ext_vector_type(16)));

/// The correctly rounded root of each lane; NaN for numbers below 0.
__attribute__((always_inline)) static inline cvectormath_lanes cvectormath_square_root(cvectormath_lanes value) {
    return __builtin_elementwise_sqrt(value);
}
