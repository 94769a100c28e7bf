/* Products of factors rounded to bfloat16, summed in float32, with the processor's own instruction.
 *
 *   forward    y[b, h] = sum over i of x[b, i] w[i, h]
 *   inputs     s[b, i] = sum over h of d[b, h] w[i, h]
 *   weights    g[i, h] = sum over b of x[b, i] d[b, h]
 *
 * All arrays are float32 and row by row. The instruction multiplies pairs: 16 sums take up the
 * products of 16 pairs with one pair, or with 16. So each factor is first rounded and laid out in
 * pairs along the depth, the dimension that is summed over; then tiles of ROWS by VECTORS sums,
 * which live in registers, run through the whole depth. Left factors lie in blocks of 16 rows,
 * right factors in panels of VECTORS * 16 columns; what fills the last is zero.
 */
#include "kernel.h"

#ifndef __AVX512BF16__
#error "no bfloat16 instructions"
#endif
#include <immintrin.h>

#define LANES 16
#define ROWS 6
#define VECTORS 4
#define PANEL (VECTORS * LANES)

typedef uint32_t pair; /* two bfloat16, the lower half for the even place along the depth */

typedef struct {
  const pair *pairs;
  int64_t row;  /* pairs from one row to the next, within 16 */
  int64_t deep; /* pairs from one place along the depth to the next */
} left_factor;

INLINE int64_t halved(int64_t depth) { return (depth + 1) / 2; }

INLINE int64_t padded(int64_t size, int64_t multiple) { return (size + multiple - 1) / multiple * multiple; }

/* Which of 16 places are there, when `left` of them are. */
INLINE __mmask16 present(int64_t left) {
  return left >= LANES ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
}

/* 32 neighbors of a row, rounded: 16 pairs. `left` of them are there, the others are zero. */
INLINE __m512i along(const float *from, int64_t left) {
  __m512 low = _mm512_maskz_loadu_ps(present(left), from);
  __m512 high = left > LANES ? _mm512_maskz_loadu_ps(present(left - LANES), from + LANES) : _mm512_setzero_ps();
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* 16 columns of two rows, rounded: 16 pairs. Where there is no second row its half is zero. */
INLINE __m512i across(const float *even, const float *odd, int64_t left) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  __m512 first = _mm512_maskz_loadu_ps(present(left), even);
  __m512 second = odd ? _mm512_maskz_loadu_ps(present(left), odd) : _mm512_setzero_ps();
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* Rows and columns of a 16 x 16 square of pairs changed for each other. */
INLINE void turn(__m512i *r) {
  __m512i t[LANES];
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

/* A left factor as it lies: its rows are the product's, its columns the depth. */
static left_factor rows_of(pair *to, const float *from, int64_t rows, int64_t depth) {
  int64_t pairs = halved(depth);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < depth; j += 2 * LANES)
      _mm512_mask_storeu_epi32(to + r * pairs + j / 2, present(pairs - j / 2), along(from + r * depth + j, depth - j));
  return (left_factor){to, pairs, 1};
}

/* A left factor turned: its columns are the product's rows, its rows the depth. */
static left_factor columns_of(pair *to, const float *from, int64_t depth, int64_t columns) {
  int64_t pairs = halved(depth);
  for (int64_t j = 0; j < pairs; j++) {
    const float *even = from + 2 * j * columns;
    for (int64_t c = 0; c < columns; c += LANES) {
      const float *odd = 2 * j + 1 < depth ? even + columns + c : NULL;
      _mm512_store_si512(to + c * pairs + j * LANES, across(even + c, odd, columns - c));
    }
  }
  return (left_factor){to, 1, LANES};
}

/* A right factor as it lies: its rows are the depth. */
static void panels_of_columns(pair *to, const float *from, int64_t depth, int64_t columns) {
  int64_t pairs = halved(depth);
  for (int64_t j = 0; j < pairs; j++) {
    const float *even = from + 2 * j * columns;
    for (int64_t c = 0; c < padded(columns, PANEL); c += LANES) {
      const float *odd = 2 * j + 1 < depth ? even + columns + c : NULL;
      pair *place = to + c / PANEL * PANEL * pairs + j * PANEL + c % PANEL;
      _mm512_store_si512(place, across(even + c, odd, columns - c));
    }
  }
}

/* A right factor turned: its columns are the depth, its rows the product's columns. */
static void panels_of_rows(pair *to, const float *from, int64_t rows, int64_t depth) {
  int64_t pairs = halved(depth);
  for (int64_t c = 0; c < padded(rows, PANEL); c += LANES)
    for (int64_t j = 0; j < pairs; j += LANES) {
      __m512i square[LANES];
      for (int i = 0; i < LANES; i++)
        square[i] = c + i < rows ? along(from + (c + i) * depth + 2 * j, depth - 2 * j) : _mm512_setzero_si512();
      turn(square);
      pair *place = to + c / PANEL * PANEL * pairs + j * PANEL + c % PANEL;
      for (int i = 0; i < LANES && j + i < pairs; i++) _mm512_store_si512(place + i * PANEL, square[i]);
    }
}

/* `rows` by PANEL sums over the whole depth. */
INLINE void tile(const int rows, left_factor left, const pair *right, int64_t pairs, float *out, int64_t columns,
                 const __mmask16 *there) {
  __m512 sums[ROWS][VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) sums[r][v] = _mm512_setzero_ps();
  for (int64_t j = 0; j < pairs; j++) {
    __m512bh many[VECTORS];
    for (int v = 0; v < VECTORS; v++) many[v] = (__m512bh)_mm512_load_si512(right + j * PANEL + v * LANES);
    for (int r = 0; r < rows; r++) {
      __m512bh one = (__m512bh)_mm512_set1_epi32((int)left.pairs[r * left.row + j * left.deep]);
      for (int v = 0; v < VECTORS; v++) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], many[v], one);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++)
      _mm512_mask_storeu_ps(out + r * columns + v * LANES, there[v], sums[r][v]);
}

static void multiply(left_factor left, const pair *right, float *out, int64_t rows, int64_t pairs, int64_t columns) {
  for (int64_t c = 0; c < columns; c += PANEL) {
    __mmask16 there[VECTORS];
    for (int v = 0; v < VECTORS; v++) there[v] = present(columns - c - v * LANES);
    for (int64_t r = 0, taken; r < rows; r += taken) {
      int64_t within = r % LANES, most = LANES - within < rows - r ? LANES - within : rows - r;
      left_factor here = left;
      here.pairs += (r - within) * pairs + within * left.row;
      float *place = out + r * columns + c;
      taken = most < ROWS ? most : ROWS;
#define TILE(N) \
  case N: tile(N, here, right + c * pairs, pairs, place, columns, there); break
      switch (taken) { TILE(1); TILE(2); TILE(3); TILE(4); TILE(5); TILE(6); }
#undef TILE
    }
  }
}

/* Both factors' room in the workspace: the right one's first, which is read by whole vectors. */
static pair *room(int64_t rows, int64_t pairs, int64_t columns) {
  return workspace(sizeof(pair) * pairs * (padded(columns, PANEL) + padded(rows, LANES)));
}

static int forward(const XLA_FFI_Buffer *x, const XLA_FFI_Buffer *w, const XLA_FFI_Buffer *y) {
  int64_t batch = x->dims[0], inputs = x->dims[1], outputs = w->dims[1], pairs = halved(inputs);
  pair *right = room(batch, pairs, outputs);
  if (!right) return 0;
  panels_of_columns(right, w->data, inputs, outputs);
  left_factor left = rows_of(right + padded(outputs, PANEL) * pairs, x->data, batch, inputs);
  multiply(left, right, y->data, batch, pairs, outputs);
  return 1;
}

static int inputs(const XLA_FFI_Buffer *d, const XLA_FFI_Buffer *w, const XLA_FFI_Buffer *s) {
  int64_t batch = d->dims[0], outputs = d->dims[1], inputs = w->dims[0], pairs = halved(outputs);
  pair *right = room(batch, pairs, inputs);
  if (!right) return 0;
  panels_of_rows(right, w->data, inputs, outputs);
  left_factor left = rows_of(right + padded(inputs, PANEL) * pairs, d->data, batch, outputs);
  multiply(left, right, s->data, batch, pairs, inputs);
  return 1;
}

static int weights(const XLA_FFI_Buffer *x, const XLA_FFI_Buffer *d, const XLA_FFI_Buffer *g) {
  int64_t batch = x->dims[0], inputs = x->dims[1], outputs = d->dims[1], pairs = halved(batch);
  pair *right = room(inputs, pairs, outputs);
  if (!right) return 0;
  panels_of_columns(right, d->data, batch, outputs);
  left_factor left = columns_of(right + padded(outputs, PANEL) * pairs, x->data, batch, inputs);
  multiply(left, right, g->data, inputs, pairs, outputs);
  return 1;
}

XLA_FFI_Error *fleetgrad_bfloat16_forward(XLA_FFI_CallFrame *frame) { return handled(frame, fits_plain, forward); }

XLA_FFI_Error *fleetgrad_bfloat16_inputs(XLA_FFI_CallFrame *frame) {
  return handled(frame, fits_turned_right, inputs);
}

XLA_FFI_Error *fleetgrad_bfloat16_weights(XLA_FFI_CallFrame *frame) {
  return handled(frame, fits_turned_left, weights);
}
