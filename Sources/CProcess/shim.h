#pragma once
#include <spawn.h>

// Functions of glibc that its headers declare for _GNU_SOURCE alone, which Swift does not define.
int memfd_create(const char *name, unsigned int flags);
int pipe2(int ends[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);

// A file in memory that no child inherits. 1 is MFD_CLOEXEC of <linux/memfd.h>.
static inline int cprocess_memory_file(const char *name) { return memfd_create(name, 1); }
