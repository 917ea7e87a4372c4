// Products by narrow weights: a tile of dot products, its sums in registers, and the product of it.
//
// Sums of bytes are exact, so a tile of few of them sums several steps side by side, which hide
// each other's latency. Those of bfloat16 are one chain each in ascending k, as in tile-inl.h: a
// row's result depends neither on its batch nor on the thread count.
#pragma once

#include "fastrnn/kernels/rnn/tile-inl.h"
#include "fastrnn/simd/dot-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Rows of a tile. Widened words take two registers each, of which a row's stay and the weights'
// come one by one.
template <class Dot>
constexpr int narrow_rows(int NV) {
  const int most = max_rows(NV), fit = (kRegisters - 3) / (NV + 2);
  return Dot::widened && fit < most ? fit : most;
}

// Steps side by side: sums enough for the latency of an instruction.
template <class Dot>
constexpr int steps_abreast(int sums) {
  const int most = kRegisters == 32 ? 16 : 8;
  return !Dot::exact || 2 * sums > most ? 1 : 4 * sums > most ? 2 : 4;
}

// sum[r][v] += a[r]·w[v], one word each.
template <class Dot, int MR, int NV>
FASTRNN_INLINE void add_step(typename Dot::Sum (&sum)[MR][NV], const unsigned char* const (&a)[MR],
                             index_t at, const unsigned char* w) {
  if constexpr (Dot::widened) {
    decltype(Dot::operand(w)) operands[MR];
    FASTRNN_UNROLL
    for (int r = 0; r < MR; ++r) operands[r] = Dot::operand(a[r] + at);
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) {
      const auto weights = Dot::weights(w + v * FASTRNN_VEC_BYTES);
      FASTRNN_UNROLL
      for (int r = 0; r < MR; ++r) Dot::add(sum[r][v], operands[r], weights);
    }
  } else {
    decltype(Dot::weights(w)) weights[NV];
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) weights[v] = Dot::weights(w + v * FASTRNN_VEC_BYTES);
    FASTRNN_UNROLL
    for (int r = 0; r < MR; ++r) {
      const auto operand = Dot::operand(a[r] + at);
      FASTRNN_UNROLL
      for (int v = 0; v < NV; ++v) Dot::add(sum[r][v], operand, weights[v]);
    }
  }
}

// What the sums begin with: of bytes, what offsets come to; else what the result does.
template <class Dot, int MR, int NV>
FASTRNN_INLINE void begin_sums(typename Dot::Sum (&sum)[MR][NV], const NarrowProduct& p,
                               float* const* out) {
  constexpr int L = kLanes<float>;
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) {
      if constexpr (Dot::exact)
        sum[r][v] = Dot::begin(p.start + v * L);
      else
        sum[r][v] = load((p.init != nullptr ? p.init : out[r] + p.offset) + v * L);
    }
  }
}

// MR rows from `row` on, NV vectors.
template <class Dot, int MR, int NV>
FASTRNN_NOINLINE void narrow_block(const NarrowProduct& p, index_t row) {
  constexpr int L = kLanes<float>, U = steps_abreast<Dot>(MR * NV);
  constexpr index_t kWord = 4, kStep = NV * index_t{FASTRNN_VEC_BYTES};
  float* const* const out = p.out + row;
  typename Dot::Sum sum[U][MR][NV] = {};
  begin_sums<Dot, MR, NV>(sum[0], p, out);
  const bool more = row + 2 * MR <= p.rows;  // prefetched as in multiply_block
  float* const* const next = more ? out + MR : out;
  const index_t ahead = p.offset + (more ? 0 : NV * L);
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) __builtin_prefetch(next[r] + ahead + v * L, 1);
  }
  const unsigned char *a[MR], *w = p.w;
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) a[r] = p.a[row + r];
  index_t at = 0;
  for (const index_t end = p.steps / U * U * kWord; at < end; at += U * kWord, w += U * kStep) {
    FASTRNN_UNROLL
    for (int u = 0; u < U; ++u) add_step<Dot, MR, NV>(sum[u], a, at + u * kWord, w + u * kStep);
  }
  if constexpr (U > 1)
    for (; at < p.steps * kWord; at += kWord, w += kStep) add_step<Dot, MR, NV>(sum[0], a, at, w);
  const float *const scale = p.scale, *const init = p.init;
  const float* const factor = Dot::exact ? p.factor + row : nullptr;
  const index_t offset = p.offset;
  FASTRNN_UNROLL
  for (int r = 0; r < MR; ++r) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) {
      float* const to = out[r] + offset + v * L;
      if constexpr (Dot::exact) {
        Ints all = sum[0][r][v];
        FASTRNN_UNROLL
        for (int u = 1; u < U; ++u) all += sum[u][r][v];
        const Vec<float> by = load(scale + v * L) * set1(factor[r]);
        const Vec<float> before = load(init != nullptr ? init + v * L : to);
        store(to, before + __builtin_convertvector(all, Vec<float>) * by);
      } else {
        store(to, sum[0][r][v]);
      }
    }
  }
}

template <class Dot>
FASTRNN_INLINE void narrow_product(const NarrowProduct& p) {
  with_int<kMostVectors>(p.vectors, [&](auto nv) {
    constexpr int NV = decltype(nv)::value;
    for_row_blocks<narrow_rows<Dot>(NV)>(
        p.rows, [&](index_t row, auto mr) { narrow_block<Dot, decltype(mr)::value, NV>(p, row); });
  });
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
