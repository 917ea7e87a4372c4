// Updates of parameters, element by element: each rule once, on vectors, and the pass over memory.
//
// docs/maths/optimisers.md has the same symbols. An update of a large model waits for memory, so
// everything happens in one pass; roots and quotients are rounded correctly on every ISA.
#pragma once

#include "fastrnn/nn/optim_args.h"
#include "fastrnn/simd/vec.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct UpdateConstants {
  explicit UpdateConstants(const UpdateNumbers& n)
      : minus_lr(set1(T(-n.lr))),
        keep(set1(T(n.keep))),
        decay(set1(T(n.decay))),
        beta1(set1(T(n.beta1))),
        new1(set1(T(1 - n.beta1))),
        beta2(set1(T(n.beta2))),
        new2(set1(T(1 - n.beta2))),
        eps(set1(T(n.eps))),
        root(set1(T(n.root))) {}
  Vec<T> minus_lr, keep, decay, beta1, new1, beta2, new2, eps, root;
};

// A rule: p and its kept arrays k after a step against g.
struct SgdRule {
  template <class T>
  static FASTRNN_INLINE void step(const UpdateConstants<T>& c, Vec<T>& p, Vec<T> g, Vec<T>*) {
    p = fma(c.minus_lr, g, p);
  }
};

template <bool nesterov>
struct MomentumRule {
  template <class T>
  static FASTRNN_INLINE void step(const UpdateConstants<T>& c, Vec<T>& p, Vec<T> g, Vec<T>* k) {
    k[0] = fma(c.beta1, k[0], g);
    p = fma(c.minus_lr, nesterov ? fma(c.beta1, k[0], g) : k[0], p);
  }
};

struct AdamRule {
  template <class T>
  static FASTRNN_INLINE void step(const UpdateConstants<T>& c, Vec<T>& p, Vec<T> g, Vec<T>* k) {
    k[0] = fma(c.new1, g - k[0], k[0]);
    k[1] = fma(c.beta2, k[1], c.new2 * g * g);
    p = fma(c.minus_lr, k[0] / fma(sqrt(k[1]), c.root, c.eps), p * c.keep);
  }
};

template <bool centered, bool momentum>
struct RmspropRule {
  template <class T>
  static FASTRNN_INLINE void step(const UpdateConstants<T>& c, Vec<T>& p, Vec<T> g, Vec<T>* k) {
    k[0] = fma(c.beta2, k[0], c.new2 * g * g);
    Vec<T> variance = k[0];
    if constexpr (centered) {
      k[1] = fma(c.new2, g - k[1], k[1]);
      variance = max(fma(-k[1], k[1], k[0]), Vec<T>{});  // rounding may make it negative
    }
    Vec<T> s = g / (sqrt(variance) + c.eps);
    if constexpr (momentum) s = k[1 + centered] = fma(c.beta1, k[1 + centered], s);
    p = fma(c.minus_lr, s, p);
  }
};

struct AdagradRule {
  template <class T>
  static FASTRNN_INLINE void step(const UpdateConstants<T>& c, Vec<T>& p, Vec<T> g, Vec<T>* k) {
    k[0] = fma(g, g, k[0]);
    p = fma(c.minus_lr, g / (sqrt(k[0]) + c.eps), p);
  }
};

// One class for each rule of THE LIST.
using sgd_rule = SgdRule;
using sgd_momentum_rule = MomentumRule<false>;
using sgd_nesterov_rule = MomentumRule<true>;
using adam_rule = AdamRule;
using rmsprop_rule = RmspropRule<false, false>;
using rmsprop_momentum_rule = RmspropRule<false, true>;
using rmsprop_centered_rule = RmspropRule<true, false>;
using rmsprop_centered_momentum_rule = RmspropRule<true, true>;
using adagrad_rule = AdagradRule;

template <class R, int kept, bool decays, class T>
FASTRNN_INLINE void update_vector(const UpdateConstants<T>& c, const Parameter<T>& a, index_t i,
                                  index_t n) {
  Vec<T> p = load(a.param + i, n), g = load(a.grad + i, n), k[kMostKept];
#pragma GCC unroll 3
  for (int j = 0; j < kept; ++j) k[j] = load(a.kept[j] + i, n);
  if constexpr (decays) g = fma(c.decay, p, g);
  R::template step<T>(c, p, g, k);
  store(a.param + i, p, n);
#pragma GCC unroll 3
  for (int j = 0; j < kept; ++j) store(a.kept[j] + i, k[j], n);
}

// a is a copy, so that the compiler knows its pointers to stay.
template <class R, int kept, bool decays, class T>
void update_range(const UpdateNumbers& numbers, const Parameter<T> a, index_t first, index_t last) {
  const UpdateConstants<T> c(numbers);
  index_t i = first;
  for (; i + kLanes<T> <= last; i += kLanes<T>) update_vector<R, kept, decays>(c, a, i, kLanes<T>);
  if (i < last) update_vector<R, kept, decays>(c, a, i, last - i);
}

// Without decay nothing is added, not even zero times a parameter that may be infinite.
template <class R, int kept, class T>
void update(const UpdateNumbers& numbers, const Parameter<T>& a, index_t first, index_t last) {
  if (numbers.decay != 0)
    update_range<R, kept, true>(numbers, a, first, last);
  else
    update_range<R, kept, false>(numbers, a, first, last);
}

// In float64 whatever T is, in one order; four sums hide the latency of the addition.
template <class T>
double sum_of_squares(const T* x, index_t n) {
  constexpr index_t step = kLanes<double>;
  Vec<double> sum[4] = {};
  index_t i = 0;
  for (; i + 4 * step <= n; i += 4 * step) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const Vec<double> v = load_wide(x + i + k * step);
      sum[k] = fma(v, v, sum[k]);
    }
  }
  for (; i < n; i += step) {
    const Vec<double> v = load_wide(x + i, n - i);
    sum[0] = fma(v, v, sum[0]);
  }
  const Vec<double> all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  double total = 0;
  for (int lane = 0; lane < kLanes<double>; ++lane) total += all[lane];
  return total;
}

template <class T>
void scale_row(T* x, index_t n, double factor) {
  const Vec<T> f = set1(T(factor));
  for (index_t i = 0; i < n; i += kLanes<T>) store(x + i, load(x + i, n - i) * f, n - i);
}

template <class T>
void clamp_row(T* x, index_t n, double limit) {
  const Vec<T> high = set1(T(limit)), low = set1(T(-limit));
  for (index_t i = 0; i < n; i += kLanes<T>)
    store(x + i, min(max(load(x + i, n - i), low), high), n - i);
}

template <class T>
constexpr OptimKernels<T> optim_kernels() {
#define FASTRNN_UPDATE(name, kept) update<name##_rule, kept, T>,
  return {{FASTRNN_FOR_EACH_RULE(FASTRNN_UPDATE)}, sum_of_squares<T>, scale_row<T>, clamp_row<T>};
#undef FASTRNN_UPDATE
}

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
