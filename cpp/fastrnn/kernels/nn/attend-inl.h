// Attention of one query to the positions of its row: scores, softmax, weighted mean; and backward.
//
// Sums run over positions or columns in ascending order, whatever is done side by side.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/kernels/rnn/tile-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// Lines of one row: position s begins at first + s·step.
template <class T>
struct Lines {
  const T* first;
  index_t step, count, width;
  FASTRNN_INLINE const T* at(index_t s) const { return first + s * step; }
};

inline constexpr int kSideBySide = 4;  // chains that hide each other's latency

// out[s] = query·line s
template <class T>
FASTRNN_NOINLINE void dot_lines(const Lines<T>& lines, const T* query, T* out) {
  constexpr index_t L = kLanes<T>;
  for (index_t s = 0; s < lines.count; s += kSideBySide)
    with_int<kSideBySide>(least(kSideBySide, lines.count - s), [&](auto n) {
      Vec<T> sum[n.value] = {};
      for (index_t i = 0; i < lines.width; i += L) {
        const index_t left = lines.width - i;
        const Vec<T> q = load(query + i, left);
        FASTRNN_UNROLL
        for (int r = 0; r < n.value; ++r) sum[r] = fma(q, load(lines.at(s + r) + i, left), sum[r]);
      }
      for (int r = 0; r < n.value; ++r) out[s + r] = sum_lanes<T>(sum[r]);
    });
}

// out = sum over s of weights[s]·line s, s ascending; or, adding, out += that
template <class T>
FASTRNN_NOINLINE void sum_lines(const Lines<T>& lines, const T* weights, bool add, T* out) {
  constexpr index_t L = kLanes<T>;
  for (index_t i = 0; i < lines.width; i += kSideBySide * L)
    with_int<kSideBySide>(least(kSideBySide, ceil_div(lines.width - i, L)), [&](auto n) {
      Vec<T> sum[n.value] = {};
      const index_t left = lines.width - i;
      for (int v = 0; add && v < n.value; ++v) sum[v] = load(out + i + v * L, left - v * L);
      for (index_t s = 0; s < lines.count; ++s) {
        const Vec<T> w = set1(weights[s]);
        FASTRNN_UNROLL
        for (int v = 0; v < n.value; ++v)
          sum[v] = fma(w, load(lines.at(s) + i + v * L, left - v * L), sum[v]);
      }
      FASTRNN_UNROLL
      for (int v = 0; v < n.value; ++v) store(out + i + v * L, sum[v], left - v * L);
    });
}

// x = softmax(x)
template <class T>
FASTRNN_INLINE void softmax_in_place(T* x, index_t n) {
  constexpr index_t L = kLanes<T>;
  const SoftmaxScale<T> scale = softmax_scale(x, n);
  for (index_t i = 0; i < n; i += L)
    store(x + i, exp_to_zero<T>(load(x + i, n - i) - set1(scale.largest)) * scale.factor, n - i);
}

// d[s] = weights[s]·(d[s] - sum of weights·d)
template <class T>
FASTRNN_INLINE void softmax_slope(const T* weights, T* d, index_t n) {
  constexpr index_t L = kLanes<T>;
  Vec<T> sum{};
  for (index_t i = 0; i < n; i += L) sum = fma(load(weights + i, n - i), load(d + i, n - i), sum);
  const Vec<T> common = set1(sum_lanes<T>(sum));
  for (index_t i = 0; i < n; i += L)
    store(d + i, load(weights + i, n - i) * (load(d + i, n - i) - common), n - i);
}

// out[s] = vector·tanh(query + key s)
template <class T>
FASTRNN_NOINLINE void additive_scores(const Lines<T>& keys, const T* query,
                                      const View<const T, 1>& vector, T* out) {
  constexpr index_t L = kLanes<T>;
  for (index_t s = 0; s < keys.count; s += kSideBySide)
    with_int<kSideBySide>(least(kSideBySide, keys.count - s), [&](auto n) {
      Vec<T> sum[n.value] = {};
      for (index_t i = 0; i < keys.width; i += L) {
        const index_t left = keys.width - i;
        const Vec<T> q = load(query + i, left), v = load(vector.at(i), left);
        FASTRNN_UNROLL
        for (int r = 0; r < n.value; ++r)
          sum[r] = fma(v, tanh<T>(q + load(keys.at(s + r) + i, left)), sum[r]);
      }
      for (int r = 0; r < n.value; ++r) out[s + r] = sum_lanes<T>(sum[r]);
    });
}

// The way back of additive_scores: dquery is written, dkeys (laid out as keys) and dvector grow.
// tanh is computed again: to keep it would take T·N·S·A numbers.
template <class T>
FASTRNN_NOINLINE void additive_slopes(const Lines<T>& keys, const T* query,
                                      const View<const T, 1>& vector, const T* dscores, T* dquery,
                                      T* dkeys, T* dvector) {
  constexpr index_t L = kLanes<T>;
  for (index_t i = 0; i < keys.width; i += L) {
    const index_t left = keys.width - i;
    const Vec<T> q = load(query + i, left), v = load(vector.at(i), left);
    Vec<T> dq{}, dv = load(dvector + i, left);
    for (index_t s = 0; s < keys.count; ++s) {
      const Vec<T> e = set1(dscores[s]), z = tanh<T>(q + load(keys.at(s) + i, left));
      const Vec<T> d = e * v * (T(1) - z * z);
      T* const dk = dkeys + s * keys.step + i;
      store(dk, load(dk, left) + d, left);
      dq += d;
      dv = fma(e, z, dv);
    }
    store(dquery + i, dq, left);
    store(dvector + i, dv, left);
  }
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
