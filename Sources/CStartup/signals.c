// signals - blocks asynchronous signals before any library can start a thread, so that every thread inherits the mask.
//
// Why: the kernel writes the frame of a signal handler at the stack pointer of whichever thread it interrupts. oneDNN's
// generated GEMM kernels use that register for other memory (uxlfoundation/oneDNN issue 4845), so a handler that runs on a
// computing thread destroys data. One thread of the program waits for signals instead (StopRequest.swift).
//
// Why here: OpenBLAS starts threads while it is loaded. Only the executable's .preinit_array runs before that.

#include <signal.h>

static void block(void) {
    // Left out: signals that a thread raises by what it does itself. They have no frame where a kernel computes.
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPIPE, SIGXFSZ};
    sigset_t asynchronous;
    sigfillset(&asynchronous);
    for (unsigned i = 0; i < sizeof synchronous / sizeof *synchronous; i++) sigdelset(&asynchronous, synchronous[i]);
    // Cannot fail: its only errors are an unknown action and a bad address.
    (void)sigprocmask(SIG_BLOCK, &asynchronous, 0);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = block;
