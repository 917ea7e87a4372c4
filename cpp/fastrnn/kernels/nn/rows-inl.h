// Sums, maxima and exponentials along a row, shared by the operations that work row by row.
#pragma once

#include "fastrnn/kernels/rnn/ranges-inl.h"
#include "fastrnn/memory/carver.h"
#include "fastrnn/simd/math-inl.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

// An operation without scratch.
template <class A>
struct WithoutScratch {
  using Args = A;
  static std::size_t bytes(const Args&, int) { return 0; }
};

// f(row) for this thread's share of the rows.
template <class F>
FASTRNN_INLINE void for_own_rows(index_t rows, Team& team, F&& f) {
  const Range mine = share(rows, team.rank(), team.size(), 1);
  for (index_t row = mine.begin; row < mine.end; ++row) {
    team.check();
    f(row);
  }
}

// f(first, last) for this thread's share of `count` elements, some thousands at a time.
template <class T, class F>
FASTRNN_INLINE void for_own_elements(index_t count, Team& team, F&& f) {
  constexpr index_t kAtOnce = 4096;
  const Range mine = share(count, team.rank(), team.size(), 64);
  for (index_t i = mine.begin; i < mine.end; i += kAtOnce) {
    team.check();
    f(i, least(i + kAtOnce, mine.end));
  }
}

// The lanes of one vector put together pairwise: always in the same order.
template <class T>
FASTRNN_INLINE T sum_lanes(Vec<T> v) {
  alignas(64) T lanes[kLanes<T>];
  store(lanes, v);
  for (int half = kLanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
template <class T>
FASTRNN_INLINE T max_lanes(Vec<T> v) {
  alignas(64) T lanes[kLanes<T>];
  store(lanes, v);
  for (int half = kLanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] = lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i];
  return lanes[0];
}

template <class T>
inline constexpr T kLaneNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// The first n lanes from memory, `fill` in the others.
template <class T>
FASTRNN_INLINE Vec<T> load_filled(const T* p, index_t n, T fill) {
  if (__builtin_expect(n >= kLanes<T>, 1)) return load(p);
  return load(kLaneNumbers<T>) < set1(T(n)) ? load(p, n) : set1(fill);
}

template <class T>
inline constexpr T kInfinity = static_cast<T>(__builtin_inf());

// e^x that ends in 0, where exp() stops at its smallest normal number.
template <class T>
FASTRNN_INLINE Vec<T> exp_to_zero(Vec<T> x) {
  const Vec<T> e = exp<T>(x);
  return x < set1(ExpConstants<T>::exp_low) ? Vec<T>{} : e;
}

FASTRNN_INLINE float log_of(float x) { return __builtin_logf(x); }
FASTRNN_INLINE double log_of(double x) { return __builtin_log(x); }

// softmax(x) = exp(x - largest)·factor, for n numbers side by side.
template <class T>
struct SoftmaxScale {
  T largest, factor;
};
template <class T>
FASTRNN_INLINE SoftmaxScale<T> softmax_scale(const T* x, index_t n) {
  constexpr index_t L = kLanes<T>;
  Vec<T> top = set1(-kInfinity<T>), sum{};
  for (index_t i = 0; i < n; i += L) top = max(load_filled(x + i, n - i, -kInfinity<T>), top);
  // A NaN that the maximum lost comes back through the sum.
  const T largest = max_lanes<T>(top);
  for (index_t i = 0; i < n; i += L)
    sum += exp_to_zero<T>(load_filled(x + i, n - i, -kInfinity<T>) - set1(largest));
  return {largest, T(1) / sum_lanes<T>(sum)};
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
