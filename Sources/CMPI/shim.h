#pragma once
#include <mpi.h>
#include <stdint.h>

// Open MPI spells its handles and special addresses as macros with casts, which Swift cannot import: each one that
// Sources/MessagePassing uses has an accessor function here. Plain integer macros (MPI_SUCCESS, MPI_ERR_*) need none.

_Static_assert(sizeof(int) == 4, "counts are passed as Swift's Int32");
_Static_assert(sizeof(int64_t) == sizeof(long), "MPI_INT64_T is used for Swift's Int");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "MPI_FLOAT and MPI_DOUBLE are Swift's Float and Double");

static inline MPI_Comm cmpi_comm_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Info cmpi_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Errhandler cmpi_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline MPI_Status *cmpi_status_ignore(void) { return MPI_STATUS_IGNORE; }
static inline void *cmpi_in_place(void) { return MPI_IN_PLACE; }

static inline MPI_Datatype cmpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype cmpi_uint16(void) { return MPI_UINT16_T; }
static inline MPI_Datatype cmpi_int64(void) { return MPI_INT64_T; }
static inline MPI_Datatype cmpi_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype cmpi_double(void) { return MPI_DOUBLE; }

static inline MPI_Op cmpi_sum(void) { return MPI_SUM; }
static inline MPI_Op cmpi_maximum(void) { return MPI_MAX; }
static inline MPI_Op cmpi_minimum(void) { return MPI_MIN; }

// Macros of other macros of unknown value, sized here once.
static inline int cmpi_max_error_string(void) { return MPI_MAX_ERROR_STRING; }
static inline int cmpi_max_processor_name(void) { return MPI_MAX_PROCESSOR_NAME; }
static inline int cmpi_max_library_version_string(void) { return MPI_MAX_LIBRARY_VERSION_STRING; }

// Counters in memory that processes share. Swift's `Atomic` is a value of its own and cannot be laid over memory that
// another process has allocated.
_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0), "a lock would not be shared between processes");
static inline uint64_t cmpi_load_acquire(const uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
static inline void cmpi_store_release(uint64_t *counter, uint64_t value) {
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
}
