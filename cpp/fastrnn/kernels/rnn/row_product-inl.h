// Products of few rows: a single row by several panels side by side, and weights as they lie.
#pragma once

#include "fastrnn/kernels/rnn/pack-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class C>
inline constexpr int kChains = C::shape.recurrent(0).count;  // of fma() in a panel

// Panels at once where there is one row: as many as have the chains of an LSTM's together, or more.
template <class C>
inline constexpr int kAlone =
    kGroup<C> > 1 || kChains<C> == 0 || kChains<C> > 3 ? kGroup<C> : 8 / kChains<C>;

// p for one row, and the same for N - 1 further groups of NV vectors.
template <int NV, int N, class T, class W, class A>
FASTRNN_NOINLINE void multiply_row(const Product<T, W, A>& p, index_t w_jump, index_t out_jump) {
  constexpr int L = kLanes<T>;
  const A* const a = p.a.at(0);
  const W* w = p.w;
  T* const out = p.out.at(0);
  Vec<T> acc[N][NV];
  FASTRNN_UNROLL
  for (int n = 0; n < N; ++n) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v)
      acc[n][v] = load(p.init != nullptr ? p.init + v * L : out + n * out_jump + v * L);
  }
  for (index_t k = 0; k < p.k.length; ++k, w += NV * L) {
    const Vec<T> ak = set1(static_cast<T>(a[k]));
    FASTRNN_UNROLL
    for (int n = 0; n < N; ++n) {
      FASTRNN_UNROLL
      for (int v = 0; v < NV; ++v)
        acc[n][v] = fma(ak, load_as<T>(w + n * w_jump + v * L), acc[n][v]);
    }
  }
  FASTRNN_UNROLL
  for (int n = 0; n < N; ++n) {
    FASTRNN_UNROLL
    for (int v = 0; v < NV; ++v) store(out + n * out_jump + v * L, acc[n][v]);
  }
}

// p, and where N > 1 the same for further groups of NV vectors, w_jump and out_jump elements on:
// one by one, or side by side where they are N; then p has one row and one stretch of k.
// The three chains of one panel of a GRU do not hide the latency of fma(): with six, forward at N =
// 1 takes 13 % less time at H = 128 and 12 % at 256 on Zen 5; where the reset comes before the
// product, with two chains and one, 30 %. LSTM's four and RNN's do: there eight gained nothing.
template <int NV, int N, class T, class W, class A>
FASTRNN_INLINE void multiply_groups(const Product<T, W, A>& p, index_t groups, index_t w_jump,
                                    index_t out_jump) {
  if constexpr (N == 1) {
    multiply(p);
  } else if (groups == N) {
    multiply_row<NV, N>(p, w_jump, out_jump);
  } else {
    Product<T, W, A> one = p;
    for (; groups > 0; --groups, one.w += w_jump, one.out.offset += out_jump) multiply(one);
  }
}

// A call that uses each weight for so few rows takes the weights as they lie: packing them first
// would take longer than the product itself.
inline constexpr int kUnpackedRows = 4;

// out[r] + offset = init + a[r]·wᵀ for R rows and the vector of units that begins at row `unit` of
// w (·, K), of which `left` exist; init is one vector for all rows, or out itself where null.
// Squares of weights are transposed in registers; the chains are those of the tile, and so are the
// bits.
template <class T, int R>
FASTRNN_NOINLINE void multiply_unpacked(const View<const T, 2>& w, index_t unit, index_t left,
                                        const T* const* a, const T* init, T* const* out,
                                        index_t offset) {
  constexpr index_t L = kLanes<T>;
  const index_t K = w.shape[1];
  Vec<T> sums[R];
  FASTRNN_UNROLL
  for (int r = 0; r < R; ++r) sums[r] = load(init != nullptr ? init : out[r] + offset);
  index_t k = 0;
  // Nothing to ask of each element: one row by 1024 x 1024 in 84 us instead of 104, two in 90
  // instead of 123 (one thread, Zen 5). Several columns side by side, or a first square that ends
  // on a boundary, gain nothing.
  for (; left >= L && w.stride[1] == 1 && k + L <= K; k += L) {
    const T* const corner = w.at(unit, k);
    Vec<T> square[L];
    FASTRNN_UNROLL
    for (index_t i = 0; i < L; ++i) square[i] = load(corner + i * w.stride[0]);
    transpose<T>(square);
    FASTRNN_UNROLL
    for (index_t i = 0; i < L; ++i) {
      FASTRNN_UNROLL
      for (int r = 0; r < R; ++r) sums[r] = fma(set1(a[r][k + i]), square[i], sums[r]);
    }
  }
  for (; k < K; k += L) {
    Vec<T> square[L];
    FASTRNN_UNROLL
    for (index_t i = 0; i < L; ++i)
      square[i] = i < left ? load_row(w, unit + i, k, K - k) : Vec<T>{};
    transpose<T>(square);
    FASTRNN_UNROLL
    for (index_t i = 0; i < L; ++i) {
      if (i >= K - k) continue;
      FASTRNN_UNROLL
      for (int r = 0; r < R; ++r) sums[r] = fma(set1(a[r][k + i]), square[i], sums[r]);
    }
  }
  FASTRNN_UNROLL
  for (int r = 0; r < R; ++r) store(out[r] + offset, sums[r]);
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
