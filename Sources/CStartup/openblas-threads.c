// openblas-threads - keeps OpenBLAS from starting a thread for every core while it is loaded.
//
// Why: the program calls it on threads of its own, one call a thread. OpenBLAS's threads would never work, but each takes
// 128 MiB of address space, and where a limit (ulimit -v) leaves none they try again for ever, before the program can say so.
//
// These variables hold the number of threads. OpenBLAS sets them itself only while they are 0. Another BLAS has none.

extern int blas_cpu_number __attribute__((weak));
extern int blas_num_threads __attribute__((weak));

static void limit(void) {
    if (&blas_cpu_number && &blas_num_threads) blas_cpu_number = blas_num_threads = 1;
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = limit;
