// largest: the greatest numbers of each row and their places, of equal ones the first ones.
#pragma once

#include "fastrnn/kernels/nn/rows-inl.h"
#include "fastrnn/nn/table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
struct Largest : WithoutScratch<LargestArgs<T>> {
  static constexpr index_t L = kLanes<T>;
  static constexpr index_t kAtOnce = 8 * L;

  static void run(const LargestArgs<T>& a, unsigned char*, Team& team) {
    for_own_rows(a.values.shape[0], team, [&](index_t m) {
      const T* const x = a.x.at(m);
      const index_t V = a.x.shape[1];
      Best best{a.values.at(m), a.places.at(m), a.values.shape[1], 0};
      for (index_t v = 0; v < V; v += kAtOnce) {
        const index_t end = least(v + kAtOnce, V);
        // In a long row few blocks have a number that is large enough.
        if (best.full() && !(top(x + v, end - v) > best.last())) continue;
        for (index_t i = v; i < end; ++i) best.meet(x[i], i);
      }
    });
  }

 private:
  static T top(const T* x, index_t n) {
    Vec<T> found = set1(-kInfinity<T>);
    for (index_t i = 0; i < n; i += L) found = max(load_filled(x + i, n - i, -kInfinity<T>), found);
    return max_lanes<T>(found);
  }

  // The best so far, in order.
  struct Best {
    T* values;
    index_t* places;
    index_t most, count;

    bool full() const { return count == most; }
    T last() const { return values[most - 1]; }
    void meet(T x, index_t place) {
      if (full() && !(x > last())) return;
      index_t k = full() ? most - 1 : count++;
      for (; k > 0 && x > values[k - 1]; --k) {
        values[k] = values[k - 1];
        places[k] = places[k - 1];
      }
      values[k] = x;
      places[k] = place;
    }
  };
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
