/* One step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019), in place.
 *
 * XLA works out the weights and both moments in loops of their own, each from the old values of all
 * three, so that none can overwrite its own: three new arrays, copied back. Here every number is
 * read once and written once. What is divided by is the optimizer's own (optax.scale_by_adam).
 */
#include <math.h>

#include "kernel.h"

enum { RATE, DECAY, PENALTY, FIRST, FIRST_MISSING, SECOND, SECOND_MISSING, UNBIASED_FIRST, UNBIASED_SECOND, EPSILON, ALIVE, NUMBERS };

static void step(const float *numbers, int64_t size, const float *w, const float *m, const float *v, const float *g,
                 float *to_w, float *to_m, float *to_v) {
  const float rate = numbers[RATE], decay = numbers[DECAY], penalty = numbers[PENALTY];
  const float first = numbers[FIRST], first_missing = numbers[FIRST_MISSING];
  const float second = numbers[SECOND], second_missing = numbers[SECOND_MISSING];
  const float unbiased_first = numbers[UNBIASED_FIRST], unbiased_second = numbers[UNBIASED_SECOND];
  const float epsilon = numbers[EPSILON];
#pragma GCC ivdep /* an array is written where it was read, or elsewhere, but never in between */
  for (int64_t i = 0; i < size; i++) {
    float slope = g[i] + penalty * w[i];
    float mean = first * m[i] + first_missing * slope;
    float square = second * v[i] + second_missing * (slope * slope);
    float move = mean * unbiased_first / (sqrtf(square * unbiased_second) + epsilon);
    to_m[i] = mean;
    to_v[i] = square;
    to_w[i] = w[i] - rate * (move + decay * w[i]);
  }
}

static int64_t size_of(const XLA_FFI_Buffer *buffer) {
  int64_t size = 1;
  for (int64_t d = 0; d < buffer->rank; d++) size *= buffer->dims[d];
  return buffer->dtype == XLA_FFI_DataType_F32 ? size : -1;
}

/* Weights, first and second moments, gradient, and NUMBERS; the first three come back. */
XLA_FFI_Error *fleetgrad_adam(XLA_FFI_CallFrame *frame) {
  if (answers_metadata(frame)) return NULL;
  if (frame->args.size != 5 || frame->rets.size != 3)
    return failed(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, "five arrays in, three out");
  XLA_FFI_Buffer **in = (XLA_FFI_Buffer **)frame->args.args, **out = (XLA_FFI_Buffer **)frame->rets.rets;
  int64_t size = size_of(in[0]);
  int fit = size >= 0 && size_of(in[3]) == size && size_of(in[4]) == NUMBERS;
  for (int i = 0; i < 3; i++) fit = fit && size_of(in[i]) == size && size_of(out[i]) == size;
  if (!fit) return failed(frame, XLA_FFI_Error_Code_INVALID_ARGUMENT, "arrays must be float32, and fit together");
  if (((float *)in[4]->data)[ALIVE] != 0) {
    step(in[4]->data, size, in[0]->data, in[1]->data, in[2]->data, in[3]->data, out[0]->data, out[1]->data,
         out[2]->data);
    return NULL;
  }
  for (int i = 0; i < 3; i++) /* frozen: as it was */
    if (out[i]->data != in[i]->data) memcpy(out[i]->data, in[i]->data, sizeof(float) * size);
  return NULL;
}
