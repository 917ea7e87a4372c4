// The only multiply-add loop of the library, and the product made of it.
//
// A tile multiplies MR rows by NV vectors of packed weights into MR x NV accumulators that stay in
// registers. Every output is one chain of fma() in ascending k from its initial value, whatever MR
// and NV are: that is why a row's result depends neither on its batch nor on the thread count.
// Three types have names of their own: W of the packed weights, A of the rows that they multiply, T
// of the sums and of what they start from.
// Tiles end in memory, in lines that the caller's pointwise pass reads next out of the L1: a
// pointwise pass inlined behind every tile shape made the library 12 times as large.
#pragma once

#include "fastrnn/simd/vec.h"

// Loops over accumulators unroll completely, or the arrays would live in memory.
#define FASTRNN_UNROLL _Pragma("GCC unroll 32")

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <int N>
struct Int {
  static constexpr int value = N;
};

FASTRNN_INLINE constexpr index_t ceil_div(index_t a, index_t b) { return (a + b - 1) / b; }
FASTRNN_INLINE constexpr index_t least(index_t a, index_t b) { return a < b ? a : b; }
FASTRNN_INLINE constexpr index_t most(index_t a, index_t b) { return a > b ? a : b; }

// The k axis: `runs` stretches of `length` elements, their starts `jump` apart; inside of a stretch
// elements are `step` apart.
struct KWalk {
  index_t runs, length, jump, step = 1;
};

// acc[r][v] += sum over k of a[r][k]·w[k][v].
template <class T, class W, class A, int MR, int NV>
FASTRNN_INLINE void tile(Vec<T> (&acc)[MR][NV], const A* const (&a)[MR], KWalk k, const W* w) {
  for (index_t run = 0; run < k.runs; ++run) {
    const index_t first = run * k.jump, last = first + k.length * k.step;
    for (index_t i = first; i < last; i += k.step) {
      Vec<T> wv[NV];
      FASTRNN_UNROLL
      for (int v = 0; v < NV; ++v) wv[v] = load_as<T>(w + v * kLanes<T>);
      FASTRNN_UNROLL
      for (int r = 0; r < MR; ++r) {
        const Vec<T> ar = set1(static_cast<T>(a[r][i]));
        FASTRNN_UNROLL
        for (int v = 0; v < NV; ++v) acc[r][v] = fma(ar, wv[v], acc[r][v]);
      }
      w += NV * kLanes<T>;
    }
  }
}

// The most rows whose accumulators, weights and broadcast fit the vector registers, and whose
// pointers fit the general ones: tools/check_tiles.py looks for what does not.
constexpr int max_rows(int NV) {
  const int fit = (kRegisters == 32 ? 24 : 12) / NV, pointers = NV == 3 ? 7 : 6;
  return fit > pointers ? pointers : fit;
}

// f(Int<n>) for 1 <= n <= Max, n known at run time only.
template <int Max, class F>
FASTRNN_INLINE void with_int(index_t n, F&& f) {
  if constexpr (Max > 1) {
    if (n < Max) return with_int<Max - 1>(n, f);
  }
  f(Int<Max>{});
}

// Cuts [0, rows) into blocks of nearly equal size: 16 rows are 6 + 5 + 5, never 6 + 6 + 4.
template <int Max, class F>
FASTRNN_INLINE void for_row_blocks(index_t rows, F&& f) {
  const index_t blocks = ceil_div(rows, Max);
  for (index_t b = 0, r = 0; b < blocks; ++b) {
    const index_t size = rows / blocks + (b < rows % blocks);
    with_int<Max>(size, [&](auto mr) { f(r, mr); });
    r += size;
  }
}

// One side of a product: a list of row pointers and an offset common to all of them.
template <class T>
struct Rows {
  T* const* list;
  index_t offset;
  FASTRNN_INLINE T* at(index_t r) const { return list[r] + offset; }
};

inline constexpr index_t kAllColumns = index_t{1} << 40;
inline constexpr int kMostVectors = 4;  // of w side by side

// out[r] = init + sum over k of a[r][k]·w[k]; init is one stretch for all rows, or out itself where
// null. Only `columns` elements of a row of out exist (never fewer than one vector's worth less).
template <class T, class W = T, class A = T>
struct Product {
  index_t rows, vectors;  // vectors of w side by side
  Rows<const A> a;
  KWalk k;
  const W* w;
  const T* init;
  Rows<T> out;
  index_t columns = kAllColumns;
};

// MR rows from `row` on, NV vectors. A function of its own for every shape: inlined side by side,
// they would take each other's registers.
template <int MR, int NV, class T, class W, class A>
FASTRNN_NOINLINE void multiply_block(const Product<T, W, A>& p, index_t row) {
  constexpr int L = kLanes<T>;
  const bool whole = p.columns >= NV * L;
  T* const* const out = p.out.list + row;
  const index_t offset = p.out.offset;
  Vec<T> acc[MR][NV];
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v)
      acc[r][v] = p.init != nullptr ? load(p.init + v * L)
                  : whole           ? load(out[r] + offset + v * L)
                                    : load(out[r] + offset + v * L, p.columns - v * L);
  }
  // Results lie in the L2 or farther. Those of the next block are fetched while this one is
  // computed: 3 to 5 % of training at H >= 256 on Zen 5.
  const bool more = row + 2 * MR <= p.rows;
  T* const* const next = more ? out + MR : out;
  const index_t ahead = offset + (more ? 0 : NV * L);
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) __builtin_prefetch(next[r] + ahead + v * L, 1);
  }
  const A* from[MR];
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) from[r] = p.a.at(row + r);
  tile<T>(acc, from, p.k, p.w);
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v)
      if (whole)
        store(out[r] + offset + v * L, acc[r][v]);
      else
        store(out[r] + offset + v * L, acc[r][v], p.columns - v * L);
  }
}

template <class T, class W, class A>
FASTRNN_NOINLINE void multiply_rows(const Product<T, W, A>& p) {
  with_int<kMostVectors>(p.vectors, [&](auto nv) {
    constexpr int NV = decltype(nv)::value;
    for_row_blocks<max_rows(NV)>(
        p.rows, [&](index_t row, auto mr) { multiply_block<decltype(mr)::value, NV>(p, row); });
  });
}

// Weights of so many steps of k, 512 kB of the widest vectors, stay in the L2 until all rows have
// used them: of dx of an LSTM with H = 1024 the tiles then run at 94 % of the peak instead of 88.
inline constexpr index_t kStepsAtOnce = 2048;

template <class T, class W, class A>
FASTRNN_NOINLINE void multiply_deep(const Product<T, W, A>& p) {
  const bool runs = p.k.runs > 1;  // cut into fewer of them, or a single one into shorter ones
  const index_t whole = runs ? p.k.runs : p.k.length, each = runs ? p.k.length : 1;
  const index_t parts = least(whole, ceil_div(whole * each, kStepsAtOnce));
  Product<T, W, A> part = p;
  for (index_t i = 0; i < parts; ++i) {
    const index_t begin = whole * i / parts;
    (runs ? part.k.runs : part.k.length) = whole * (i + 1) / parts - begin;
    part.a.offset = p.a.offset + begin * (runs ? p.k.jump : p.k.step);
    part.w = p.w + begin * each * p.vectors * kLanes<T>;
    if (i > 0) part.init = nullptr;
    multiply_rows(part);
  }
}

template <class T, class W = T, class A = T>
FASTRNN_INLINE void multiply(const Product<T, W, A>& p) {
  const bool deep = p.rows > max_rows(kMostVectors) && p.k.runs * p.k.length > kStepsAtOnce;
  deep ? multiply_deep(p) : multiply_rows(p);
}

// For a sum that starts from zero.
template <class T>
inline constexpr T kZeros[kMostVectors * kLanes<T>] = {};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
