/* Products of a matrix that is mostly zeros with a dense one, and the gradient of the dense one.
 *
 *   forward    y[b, h] = sum over i of x[b, i] w[i, h]
 *   backward   g[i, h] = sum over b of x[b, i] d[b, h]
 *
 * All are float32 and row by row. Inputs are taken 64 at a time: the places of the non-zero ones
 * of a row are the bits of one word, and the 64 rows of w (or of g) that belong to them stay in the
 * first cache while all of the batch passes. Columns are taken in tiles of at most MOST vectors,
 * which live in registers; vectors are the compiler's, so that this is plain C on any processor.
 */
#include "kernel.h"

#define LANES 16  /* floats of a vector: one register with AVX-512, two or four elsewhere */
#define BLOCK 64  /* inputs at a time: the bits of a word */
#define ROWS 64   /* rows of the batch at a time, in backward */
#ifdef __AVX512F__
#define MOST 8
#else
#define MOST 3
#endif

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef struct {
  float value;
  int32_t row;
} entry;

typedef struct {
  int64_t first; /* column */
  int64_t width; /* columns, <= LANES * vectors */
  int vectors;
} tile;

INLINE tile tile_at(int64_t number, int64_t columns) {
  int64_t first = number * MOST * LANES, left = columns - first;
  int64_t vectors = (left + LANES - 1) / LANES;
  if (vectors > MOST) vectors = MOST;
  return (tile){first, left < vectors * LANES ? left : vectors * LANES, (int)vectors};
}

INLINE int64_t tiles(int64_t columns) {
  return (columns + MOST * LANES - 1) / (MOST * LANES);
}

/* Bit j says whether x[j] is anything but zero: NaN is, so that it spreads. */
INLINE uint64_t filled(const float *x, int count) {
  uint64_t bits = 0;
#ifdef __AVX512F__
  if (count == BLOCK) {
    for (int part = 0; part < BLOCK; part += LANES) {
      vector values = *(const loose *)(x + part);
      bits |= (uint64_t)__builtin_ia32_cmpps512_mask(values, (vector){0}, 4, (uint16_t)-1, 4) << part;
    }
    return bits;
  }
#endif
  for (int j = 0; j < count; j++) bits |= (uint64_t)(x[j] != 0) << j;
  return bits;
}

/* Between rows of `width` floats, packed close, and whole vectors; what fills the last is zero. */
INLINE void load_row(const int vectors, vector *to, const float *from, int64_t width) {
  for (int v = 0; v < vectors - 1; v++) to[v] = *(const loose *)(from + v * LANES);
  float rest[LANES] __attribute__((aligned(4 * LANES))) = {0};
  for (int64_t j = (vectors - 1) * LANES; j < width; j++) rest[j - (vectors - 1) * LANES] = from[j];
  to[vectors - 1] = *(const loose *)rest;
}

INLINE void store_row(const int vectors, float *to, const vector *from, int64_t width) {
  for (int v = 0; v < vectors - 1; v++) *(loose *)(to + v * LANES) = from[v];
  float rest[LANES] __attribute__((aligned(4 * LANES)));
  *(loose *)rest = from[vectors - 1];
  for (int64_t j = (vectors - 1) * LANES; j < width; j++) to[j] = rest[j - (vectors - 1) * LANES];
}

/* Calls WORK(vectors) with a constant, so that its loops are unrolled into registers. */
#define UNROLLED(vectors, WORK) \
  switch (vectors) {            \
    case 1: WORK(1); break;     \
    case 2: WORK(2); break;     \
    case 3: WORK(3); break;     \
    case 4: WORK(4); break;     \
    case 5: WORK(5); break;     \
    case 6: WORK(6); break;     \
    case 7: WORK(7); break;     \
    default: WORK(8); break;    \
  }

INLINE void add_rows_of_weights(const int vectors, const float *x, int64_t inputs, const uint64_t *bits,
                                int64_t batch, const vector *weights, vector *sums, int64_t step) {
  for (int64_t b = 0; b < batch; b++) {
    uint64_t left = bits[b];
    if (!left) continue;
    vector sum[MOST];
    vector *place = sums + b * step;
    for (int v = 0; v < vectors; v++) sum[v] = place[v];
    for (; left; left &= left - 1) {
      int i = __builtin_ctzll(left);
      float value = x[b * inputs + i];
      for (int v = 0; v < vectors; v++) sum[v] += value * weights[i * vectors + v];
    }
    for (int v = 0; v < vectors; v++) place[v] = sum[v];
  }
}

static int forward(const float *x, const float *w, float *y, int64_t batch, int64_t inputs,
                   int64_t outputs) {
  int64_t vectors = (outputs + LANES - 1) / LANES, count = tiles(outputs);
  vector *sums = workspace(sizeof(vector) * (batch * vectors + BLOCK * MOST) + sizeof(uint64_t) * batch);
  if (!sums) return 0;
  vector *weights = sums + batch * vectors;
  uint64_t *bits = (uint64_t *)(weights + BLOCK * MOST);
  memset(sums, 0, sizeof(vector) * batch * vectors);
  for (int64_t first = 0; first < inputs; first += BLOCK) {
    int here = inputs - first < BLOCK ? (int)(inputs - first) : BLOCK;
    for (int64_t b = 0; b < batch; b++) bits[b] = filled(x + b * inputs + first, here);
    for (int64_t number = 0; number < count; number++) {
      tile t = tile_at(number, outputs);
#define WORK(N)                                                                            \
  for (int i = 0; i < here; i++)                                                           \
    load_row(N, weights + i * N, w + (first + i) * outputs + t.first, t.width);            \
  add_rows_of_weights(N, x + first, inputs, bits, batch, weights, sums + t.first / LANES, vectors)
      UNROLLED(t.vectors, WORK)
#undef WORK
    }
  }
  for (int64_t b = 0; b < batch; b++) memcpy(y + b * outputs, sums + b * vectors, 4 * outputs);
  return 1;
}

INLINE void add_rows_of_slopes(const int vectors, const entry *entries, const int *counts, int inputs,
                               const vector *slopes, vector *sums) {
  for (int i = 0; i < inputs; i++) {
    const entry *one = entries + i * ROWS, *end = one + counts[i];
    if (one == end) continue;
    vector sum[MOST];
    for (int v = 0; v < vectors; v++) sum[v] = sums[i * vectors + v];
    for (; one < end; one++)
      for (int v = 0; v < vectors; v++) sum[v] += one->value * slopes[one->row * vectors + v];
    for (int v = 0; v < vectors; v++) sums[i * vectors + v] = sum[v];
  }
}

/* The non-zero inputs of a block, input by input: which rows have one, and how large it is. */
INLINE void gather(const float *x, int64_t inputs, int here, int64_t rows, entry *entries, int *counts) {
  memset(counts, 0, sizeof(int) * BLOCK);
  for (int64_t b = 0; b < rows; b++)
    for (uint64_t left = filled(x + b * inputs, here); left; left &= left - 1) {
      int i = __builtin_ctzll(left);
      entries[i * ROWS + counts[i]++] = (entry){x[b * inputs + i], (int32_t)b};
    }
}

static int backward(const float *x, const float *d, float *g, int64_t batch, int64_t inputs,
                    int64_t outputs) {
  int64_t vectors = (outputs + LANES - 1) / LANES, count = tiles(outputs);
  size_t packed = sizeof(vector) * vectors * (batch + BLOCK);
  vector *slopes = workspace(packed + sizeof(entry) * ROWS * BLOCK);
  if (!slopes) return 0;
  vector *sums = slopes + batch * vectors;
  entry *entries = (entry *)(sums + BLOCK * vectors);
  int counts[BLOCK];
  for (int64_t number = 0; number < count; number++) { /* tile by tile, so that each is close together */
    tile t = tile_at(number, outputs);
    vector *part = slopes + batch * t.first / LANES;
#define WORK(N) \
  for (int64_t b = 0; b < batch; b++) load_row(N, part + b * N, d + b * outputs + t.first, t.width)
    UNROLLED(t.vectors, WORK)
#undef WORK
  }
  for (int64_t first = 0; first < inputs; first += BLOCK) {
    int here = inputs - first < BLOCK ? (int)(inputs - first) : BLOCK;
    memset(sums, 0, sizeof(vector) * here * vectors);
    for (int64_t row = 0; row < batch; row += ROWS) {
      int64_t rows = batch - row < ROWS ? batch - row : ROWS;
      gather(x + row * inputs + first, inputs, here, rows, entries, counts);
      for (int64_t number = 0; number < count; number++) {
        tile t = tile_at(number, outputs);
        const vector *part = slopes + batch * t.first / LANES + row * t.vectors;
#define WORK(N) add_rows_of_slopes(N, entries, counts, here, part, sums + here * t.first / LANES)
        UNROLLED(t.vectors, WORK)
#undef WORK
      }
    }
    for (int64_t number = 0; number < count; number++) {
      tile t = tile_at(number, outputs);
      const vector *part = sums + here * t.first / LANES;
#define WORK(N)                  \
  for (int i = 0; i < here; i++) \
    store_row(N, g + (first + i) * outputs + t.first, part + i * N, t.width)
      UNROLLED(t.vectors, WORK)
#undef WORK
    }
  }
  return 1;
}

static int works_forward(const XLA_FFI_Buffer *x, const XLA_FFI_Buffer *w, const XLA_FFI_Buffer *y) {
  return forward(x->data, w->data, y->data, x->dims[0], x->dims[1], w->dims[1]);
}

static int works_backward(const XLA_FFI_Buffer *x, const XLA_FFI_Buffer *d, const XLA_FFI_Buffer *g) {
  return backward(x->data, d->data, g->data, x->dims[0], x->dims[1], d->dims[1]);
}

XLA_FFI_Error *fleetgrad_sparse_forward(XLA_FFI_CallFrame *frame) {
  return handled(frame, fits_plain, works_forward);
}

XLA_FFI_Error *fleetgrad_sparse_backward(XLA_FFI_CallFrame *frame) {
  return handled(frame, fits_turned_left, works_backward);
}
