// attention: one query a row over the keys of its row, by dot products.
#pragma once

#include "fastrnn/kernels/rows-inl.h"
#include "fastrnn/nn_table.h"

namespace fastrnn::FASTRNN_TARGET {
namespace {

template <class T>
FASTRNN_INLINE T dot(const T* a, const T* b, index_t n) {
  constexpr index_t L = kLanes<T>;
  Vec<T> sum{};
  for (index_t i = 0; i < n; i += L) sum = fma(load(a + i, n - i), load(b + i, n - i), sum);
  return sum_lanes<T>(sum);
}

// out[h] = sum over s < steps of weights[s]·keys[s, row, h], s ascending
template <class T>
FASTRNN_NOINLINE void sum_keys(const View<const T, 3>& keys, index_t row, index_t steps,
                               const T* weights, T* out) {
  constexpr index_t L = kLanes<T>;
  const index_t H = keys.shape[2];
  const T* const first = keys.data + row * keys.stride[1];
  for (index_t h = 0; h < H; h += L) {
    Vec<T> sum{};
    for (index_t s = 0; s < steps; ++s)
      sum = fma(set1(weights[s]), load(first + s * keys.stride[0] + h, H - h), sum);
    store(out + h, sum, H - h);
  }
}

template <class T>
FASTRNN_INLINE index_t steps_of(const View<const index_t, 1>& lengths, index_t row, index_t S) {
  return lengths ? *lengths.at(row) : S;
}

template <class T>
struct AttentionForward : WithoutScratch<AttentionForwardArgs<T>> {
  static constexpr index_t L = kLanes<T>;

  static void run(const AttentionForwardArgs<T>& a, unsigned char*, Team& team) {
    const index_t S = a.keys.shape[0], H = a.keys.shape[2];
    for_own_rows(a.query.shape[0], team, [&](index_t n) {
      const index_t steps = steps_of<T>(a.lengths, n, S);
      T* const attn = a.attn.at(n);
      __builtin_memset(attn + steps, 0, static_cast<std::size_t>(S - steps) * sizeof(T));
      for (index_t s = 0; s < steps; ++s) attn[s] = dot(a.query.at(n), a.keys.at(s, n), H);
      const SoftmaxScale<T> scale = softmax_scale(attn, steps);
      for (index_t s = 0; s < steps; s += L)
        store(attn + s,
              exp_to_zero<T>(load(attn + s, steps - s) - set1(scale.largest)) * scale.factor,
              steps - s);
      sum_keys(a.keys, n, steps, attn, a.context.at(n));
    });
  }
};

// dscores[s] = attn[s]·(dattn[s] - sum of attn·dattn), dattn that by the weights on both roads
template <class T>
struct AttentionBackward {
  using Args = AttentionBackwardArgs<T>;
  static constexpr index_t L = kLanes<T>;

  static std::size_t bytes(const Args& a, int threads) {
    Carver sizes(nullptr);
    sizes.take<T>(threads, size(a));
    return sizes.bytes();
  }

  static void run(const Args& a, unsigned char* scratch, Team& team) {
    T* const dscores = Carver(scratch).take<T>(team.size(), size(a)) + team.rank() * size(a);
    const index_t S = a.keys.shape[0], H = a.keys.shape[2];
    for_own_rows(a.query.shape[0], team, [&](index_t n) {
      const index_t steps = steps_of<T>(a.lengths, n, S);
      const T* const attn = a.attn.at(n);
      for (index_t s = 0; s < steps; ++s) {
        dscores[s] = a.dattn ? a.dattn.at(n)[s] : T(0);
        if (a.dcontext) dscores[s] += dot(a.dcontext.at(n), a.keys.at(s, n), H);
      }
      const T common = dot(attn, dscores, steps);
      for (index_t s = 0; s < steps; ++s) dscores[s] = attn[s] * (dscores[s] - common);
      if (a.dquery) sum_keys(a.keys, n, steps, dscores, a.dquery.at(n));
      for (index_t s = 0; a.dkeys && s < S; ++s) key_gradient(a, n, s, s < steps, attn, dscores);
    });
  }

 private:
  // Whole cache lines for each thread.
  static index_t size(const Args& a) { return ceil_div(a.keys.shape[0], 16) * 16; }

  static void key_gradient(const Args& a, index_t n, index_t s, bool exists, const T* attn,
                           const T* dscores) {
    const index_t H = a.keys.shape[2];
    T* const dk = a.dkeys.at(s, n);
    if (!exists) {
      __builtin_memset(dk, 0, static_cast<std::size_t>(H) * sizeof(T));
      return;
    }
    for (index_t h = 0; h < H; h += L) {
      Vec<T> d = set1(dscores[s]) * load(a.query.at(n) + h, H - h);
      if (a.dcontext) d = fma(set1(attn[s]), load(a.dcontext.at(n) + h, H - h), d);
      store(dk + h, d, H - h);
    }
  }
};

}  // namespace
}  // namespace fastrnn::FASTRNN_TARGET
