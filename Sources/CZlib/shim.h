#pragma once
#include <zlib.h>

// inflateInit2 is a macro. 15: the largest window, 32 KiB; 16: a gzip header and trailer, and no other.
static inline int czlib_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
