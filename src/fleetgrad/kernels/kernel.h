/* What all kernels need: memory of a thread's own, and XLA's handshake. */
#ifndef FLEETGRAD_KERNEL_H
#define FLEETGRAD_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xla/ffi/api/c_api.h"

#define INLINE static inline __attribute__((always_inline))

/* A thread's workspace; it grows, and is kept for the next call. NULL: no memory. */
static void *workspace(size_t bytes) {
  static __thread void *kept;
  static __thread size_t size;
  if (bytes > size) {
    free(kept);
    size = 0;
    kept = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (kept) size = bytes;
  }
  return kept;
}

/* XLA asks a handler for its version before it calls it with buffers. */
static int answers_metadata(XLA_FFI_CallFrame *frame) {
  /* The type of the extension has other names in other versions of the header. */
  if (!frame->extension_start || frame->extension_start->type != XLA_FFI_Extension_Metadata) return 0;
  XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)frame->extension_start)->metadata;
  metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  return 1;
}

static XLA_FFI_Error *failed(XLA_FFI_CallFrame *frame, XLA_FFI_Error_Code code, const char *message) {
  XLA_FFI_Error_Create_Args args = {0};
  args.struct_size = sizeof args;
  args.message = message;
  args.errc = code;
  return frame->api->XLA_FFI_Error_Create(&args);
}

static int is_matrix(const XLA_FFI_Buffer *buffer) {
  return buffer->dtype == XLA_FFI_DataType_F32 && buffer->rank == 2;
}

/* Of two matrices into one, with sizes that the work itself has checked; 0: no memory. */
typedef int work(const XLA_FFI_Buffer *left, const XLA_FFI_Buffer *right, const XLA_FFI_Buffer *out);
typedef int fit(const int64_t *left, const int64_t *right, const int64_t *out);

static XLA_FFI_Error *handled(XLA_FFI_CallFrame *frame, fit *fits, work *does) {
  if (answers_metadata(frame)) return NULL;
  if (frame->args.size != 2 || frame->rets.size != 1)
    return failed(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, "two matrices in, one out");
  const XLA_FFI_Buffer *left = frame->args.args[0], *right = frame->args.args[1];
  const XLA_FFI_Buffer *out = frame->rets.rets[0];
  if (!is_matrix(left) || !is_matrix(right) || !is_matrix(out))
    return failed(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, "matrices must be float32");
  if (!fits(left->dims, right->dims, out->dims))
    return failed(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, "matrices do not fit together");
  if (!does(left, right, out))
    return failed(frame, XLA_FFI_Error_Code_RESOURCE_EXHAUSTED, "no memory for the workspace");
  return NULL;
}

/* (rows, depth) by (depth, columns), and (depth, rows) or (columns, depth) where one is turned. */
static int fits_plain(const int64_t *left, const int64_t *right, const int64_t *out) {
  return left[1] == right[0] && out[0] == left[0] && out[1] == right[1];
}

static int fits_turned_left(const int64_t *left, const int64_t *right, const int64_t *out) {
  return left[0] == right[0] && out[0] == left[1] && out[1] == right[1];
}

__attribute__((unused)) static int fits_turned_right(const int64_t *left, const int64_t *right,
                                                     const int64_t *out) {
  return left[1] == right[1] && out[0] == left[0] && out[1] == right[0];
}

#endif
