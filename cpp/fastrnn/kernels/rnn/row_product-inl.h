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

// Panels at once: each fma() waits for the one before it in its chain, so registers of few lanes
// need several chains.
template <class T, int R>
inline constexpr int kPanelsUnpacked = R * FASTRNN_VEC_BYTES < 64 ? 64 / FASTRNN_VEC_BYTES / R : 1;

// Where the sums of R rows by a panel of w go: to[r] + offset, the next panel's `jump` elements on.
template <class T>
struct Sums {
  T* const* to;
  index_t offset, jump;
};

// Sums of P panels from row `unit` of w on, as far as its columns make whole vectors; all rows of
// these panels exist. Returns the number of these columns.
template <int P, int R, class T>
FASTRNN_NOINLINE index_t multiply_squares(const View<const T, 2>& w, index_t unit,
                                          const T* const* a, const T* init, const Sums<T>& sums) {
  constexpr index_t L = kLanes<T>, C = kColumns<T>;
  const index_t stride = w.stride[0], K = w.shape[1] / L * L;
  Vec<T> acc[P][R];
  FASTRNN_UNROLL
  for (int p = 0; p < P; ++p) {
    FASTRNN_UNROLL
    for (int r = 0; r < R; ++r)
      acc[p][r] = load((init != nullptr ? init : sums.to[r] + sums.offset) + p * sums.jump);
  }
  for (index_t k = 0; k < K; k += L) {
    FASTRNN_UNROLL
    for (int p = 0; p < P; ++p) {
      const T* const corner = w.at(unit + p * L, k);
      FASTRNN_UNROLL
      for (index_t c = 0; c < L; c += C) {
        Vec<T> columns[C];
        load_columns(corner + c, stride, columns);
        FASTRNN_UNROLL
        for (index_t i = 0; i < C; ++i) {
          FASTRNN_UNROLL
          for (int r = 0; r < R; ++r) acc[p][r] = fma(set1(a[r][k + c + i]), columns[i], acc[p][r]);
        }
      }
    }
  }
  FASTRNN_UNROLL
  for (int p = 0; p < P; ++p) {
    FASTRNN_UNROLL
    for (int r = 0; r < R; ++r) store(sums.to[r] + sums.offset + p * sums.jump, acc[p][r]);
  }
  return K;
}

// The rest, of one row: to the sums of the panel from row `unit` on, of which `left` exist, what
// columns from k on are to them.
template <class T>
FASTRNN_NOINLINE void multiply_edge(const View<const T, 2>& w, index_t unit, index_t left,
                                    index_t k, const T* a, T* sums) {
  constexpr index_t L = kLanes<T>;
  const index_t K = w.shape[1];
  Vec<T> acc = load(sums);
  for (; k < K; k += L) {
    Vec<T> square[L];
    FASTRNN_UNROLL
    for (index_t i = 0; i < L; ++i)
      square[i] = i < left ? load_row(w, unit + i, k, K - k) : Vec<T>{};
    transpose<T>(square);
    FASTRNN_UNROLL
    for (index_t i = 0; i < L; ++i) {
      if (i < K - k) acc = fma(set1(a[k + i]), square[i], acc);
    }
  }
  store(sums, acc);
}

// sums = init + a[r]·wᵀ for R rows and so many panels of rows of w (·, K), from row `unit` on, of
// which `left` exist; init has a vector every `jump` for each panel, or is null: the sums go on.
// Columns of weights are transposed on their way to the registers; the chains are those of the
// tile, and so are the bits. With AVX-512 one row by 1536 x 512 takes 66 us (Zen 4; 88 where whole
// squares were transposed): the 16 chains of a panel cannot go faster than a column in four cycles,
// and more panels at once get in each other's way in the L1. NumPy, whose sums are not in this
// order, takes 45.
template <int R, class T>
FASTRNN_NOINLINE void multiply_unpacked(const View<const T, 2>& w, index_t unit, index_t left,
                                        index_t panels, const T* const* a, const T* init,
                                        Sums<T> sums) {
  constexpr index_t L = kLanes<T>, most = kPanelsUnpacked<T, R>;
  const bool adjacent = w.stride[1] == 1;
  while (panels > 0) {
    const index_t at_once = adjacent && most > 1 && left >= most * L && panels >= most ? most : 1;
    index_t k = 0;
    if (at_once > 1) {
      k = multiply_squares<most, R>(w, unit, a, init, sums);
    } else if (adjacent && left >= L) {
      k = multiply_squares<1, R>(w, unit, a, init, sums);
    } else if (init != nullptr) {
      for (int r = 0; r < R; ++r) store(sums.to[r] + sums.offset, load(init));
    }
    for (index_t p = 0; p < at_once; ++p) {
      for (int r = 0; r < R && k < w.shape[1]; ++r)
        multiply_edge(w, unit, left, k, a[r], sums.to[r] + sums.offset);
      unit += L, left -= L, sums.offset += sums.jump;
    }
    if (init != nullptr) init += at_once * sums.jump;
    panels -= at_once;
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
