// processor - ends the program before it begins on a processor that lacks the instructions it was built for. In C, because
// the check must come before any code that the compiler may have made of the newer instructions, which is all Swift code:
// this file is compiled with the same -march, but its functions without optimisation, and what they call belongs to the C
// library, which looks for itself.

#include "cstartup.h"

#include <stdio.h>
#include <unistd.h>

#if defined(__x86_64__)

__attribute__((optnone, noinline)) static void require(int is_there, const char *instructions) {
    if (is_there) return;
    char host[256] = "this node";
    (void)gethostname(host, sizeof host - 1);
    dprintf(STDERR_FILENO,
            "mile-dist: %s: this program was built for " CSTARTUP_MARCH ", and this processor has no %s: build it with"
            " MILE_MARCH=x86-64-v3, or another that all nodes have (make build)\n",
            host, instructions);
    _exit(1);
}

// For each extension that the compiler was allowed to use.
__attribute__((constructor, optnone, noinline)) static void check(void) {
    __builtin_cpu_init();
#ifdef __AVX2__
    require(__builtin_cpu_supports("avx2"), "AVX2");
#endif
#ifdef __FMA__
    require(__builtin_cpu_supports("fma"), "FMA");
#endif
#ifdef __BMI2__
    require(__builtin_cpu_supports("bmi2"), "BMI2");
#endif
#ifdef __AVX512F__
    require(__builtin_cpu_supports("avx512f"), "AVX-512 F");
#endif
#ifdef __AVX512BW__
    require(__builtin_cpu_supports("avx512bw"), "AVX-512 BW");
#endif
#ifdef __AVX512DQ__
    require(__builtin_cpu_supports("avx512dq"), "AVX-512 DQ");
#endif
#ifdef __AVX512VL__
    require(__builtin_cpu_supports("avx512vl"), "AVX-512 VL");
#endif
#ifdef __AVX512VNNI__
    require(__builtin_cpu_supports("avx512vnni"), "AVX-512 VNNI");
#endif
#ifdef __AVX512BF16__
    require(__builtin_cpu_supports("avx512bf16"), "AVX-512 BF16");
#endif
#ifdef __AVX512VP2INTERSECT__
    require(__builtin_cpu_supports("avx512vp2intersect"), "AVX-512 VP2INTERSECT");
#endif
}

#endif

void cstartup_link(void) {}
