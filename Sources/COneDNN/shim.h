#pragma once
#include <dnnl.h>
#include <stdint.h>

// Exported by the library since its version 1.0 and used by its own tests, but declared in none of its public headers: the
// bf16 twin of dnnl_sgemm. Operands are bfloat16 bit patterns, sums and result are fp32.
dnnl_status_t dnnl_gemm_bf16bf16f32(
    char transa, char transb, dnnl_dim_t M, dnnl_dim_t N, dnnl_dim_t K, float alpha, const uint16_t *A, dnnl_dim_t lda,
    const uint16_t *B, dnnl_dim_t ldb, float beta, float *C, dnnl_dim_t ldc);

// Debian's build of the library computes on OpenMP threads. This sets how many the calling thread may use; <omp.h> belongs
// to the compiler, so it is declared here.
void omp_set_num_threads(int count);
