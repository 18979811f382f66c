#pragma once
#include <stddef.h>
#include <stdint.h>

// A copy past the caches, for which Swift has no store: lines that are overwritten as a whole are not fetched first, and
// what the caches hold stays there. The C library's copy does this too, but only for pieces larger than some MiB.
typedef float cmemory_line __attribute__((vector_size(32)));
static inline void cmemory_copy_streaming(void *target, const void *source, size_t count) {
    char *to = (char *)target;
    const char *from = (const char *)source;
    size_t head = (size_t)(-(uintptr_t)to & 31);
    if (head > count) head = count;
    __builtin_memcpy(to, from, head);
    size_t done = head;
    for (; done + 128 <= count; done += 128) {
        cmemory_line a, b, c, d;
        __builtin_memcpy(&a, from + done, 32);
        __builtin_memcpy(&b, from + done + 32, 32);
        __builtin_memcpy(&c, from + done + 64, 32);
        __builtin_memcpy(&d, from + done + 96, 32);
        __builtin_nontemporal_store(a, (cmemory_line *)(to + done));
        __builtin_nontemporal_store(b, (cmemory_line *)(to + done + 32));
        __builtin_nontemporal_store(c, (cmemory_line *)(to + done + 64));
        __builtin_nontemporal_store(d, (cmemory_line *)(to + done + 96));
    }
    __builtin_memcpy(to + done, from + done, count - done);
    // Such stores are not ordered by a release, so the copying thread itself waits for them.
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
