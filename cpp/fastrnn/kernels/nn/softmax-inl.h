// softmax_cross_entropy: log-softmax and negative log-likelihood of a row in one pass over it.
//
// Backward computes the exponentials again: reading the logits twice costs less than writing the
// probabilities in forward and reading them, and leaves two numbers a row to keep.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct SoftmaxForward : WithoutScratch<SoftmaxForwardArgs<T>> {
  static constexpr index_t L = kLanes<T>;

  static void run(const SoftmaxForwardArgs<T>& a, unsigned char*, Team& team) {
    for_own_rows(a.loss.shape[0], team, [&](index_t m) {
      const index_t target = *a.targets.ids.at(m);
      const bool ignored = target == a.targets.ignore_index;
      T* const kept = a.kept.at(m);
      kept[0] = kept[1] = *a.loss.at(m) = 0;
      if (ignored) return;
      const T* const x = a.logits.at(m);
      const index_t V = a.logits.shape[1];
      const SoftmaxScale<T> scale = softmax_scale(x, V);
      kept[0] = scale.largest;
      kept[1] = scale.factor;
      // (1 - s)·(lse - x[target]) + s·(lse - mean of x)
      T loss = (scale.largest - x[target]) - log_of(scale.factor);
      const T smoothing = T(a.targets.label_smoothing);
      if (smoothing > 0) loss += smoothing * (x[target] - mean(x, V));
      *a.loss.at(m) = loss;
    });
  }

 private:
  static T mean(const T* x, index_t V) {
    Vec<T> sum{};
    for (index_t v = 0; v < V; v += L) sum += load(x + v, V - v);
    return sum_lanes<T>(sum) / T(V);
  }
};

// dlogits = dloss·(softmax - target), the target being 1 - s at the right class and s / V spread.
template <class T>
struct SoftmaxBackward : WithoutScratch<SoftmaxBackwardArgs<T>> {
  static constexpr index_t L = kLanes<T>;

  static void run(const SoftmaxBackwardArgs<T>& a, unsigned char*, Team& team) {
    for_own_rows(a.dlogits.shape[0], team, [&](index_t m) {
      const index_t target = *a.targets.ids.at(m), V = a.logits.shape[1];
      T* const dx = a.dlogits.at(m);
      if (target == a.targets.ignore_index) {
        __builtin_memset(dx, 0, static_cast<std::size_t>(V) * sizeof(T));
        return;
      }
      const T* const x = a.logits.at(m);
      const T g = *a.dloss.at(m), smoothing = T(a.targets.label_smoothing);
      const Vec<T> largest = set1(a.kept.at(m)[0]), factor = set1(a.kept.at(m)[1] * g);
      const Vec<T> spread = set1(g * smoothing / T(V));
      for (index_t v = 0; v < V; v += L)
        store(dx + v, exp_to_zero<T>(load(x + v, V - v) - largest) * factor - spread, V - v);
      dx[target] -= g * (1 - smoothing);
    });
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
