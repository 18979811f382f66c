#pragma once
#include <zstd.h>
#include <zstd_errors.h>

// ZSTD_ErrorCode is a C enum, which Swift imports as a type that cannot be switched over; these give plain ints.
static inline int czstd_error_code(size_t status) { return (int)ZSTD_getErrorCode(status); }
static inline int czstd_window_too_large(void) { return (int)ZSTD_error_frameParameter_windowTooLarge; }
static inline int czstd_memory_allocation(void) { return (int)ZSTD_error_memory_allocation; }
